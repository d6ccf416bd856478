import { run } from "../../src/host/command.ts";

/**
 * Where the story happens: a host and a desk on one LAN, each a network namespace. Nothing of this machine's own network
 * or logins is part of it.
 */
export const lan = {
	subnet: "10.98.0.0/24",
	router: "10.98.0.254",
	host: "10.98.0.1",
	controllers: { dc1: "10.98.0.10", dc2: "10.98.0.11" },
	desk: "10.98.0.50",
	/** The host's interface on the LAN. */
	interface: "lan0",
} as const;

export class Places implements AsyncDisposable {
	readonly host = `bhstory${process.pid}h`;
	readonly desk = `bhstory${process.pid}d`;

	static async make(): Promise<Places> {
		const places = new Places();
		const { host, desk } = places;
		try {
			for (const name of [host, desk]) {
				await ip("netns", "add", name);
				await ip("-n", name, "link", "set", "lo", "up");
			}
			const cable = ["type", "veth", "peer", "name", "eth0", "netns", desk];
			await ip("-n", host, "link", "add", lan.interface, ...cable);
			for (const [name, link, address] of [
				[host, lan.interface, lan.host],
				[desk, "eth0", lan.desk],
			] as const) {
				await ip("-n", name, "addr", "add", `${address}/24`, "dev", link);
				await ip("-n", name, "link", "set", link, "up");
			}
			// As `bulkhead sandbox` says: the host routes to the server's address on the LAN.
			await run("nsenter", [`--net=/run/netns/${host}`, "sysctl", "-q", "-w", "net.ipv4.ip_forward=1"], {
				deadlineMs: 10_000,
			});
			return places;
		} catch (error) {
			await places[Symbol.asyncDispose]();
			throw error;
		}
	}

	async [Symbol.asyncDispose](): Promise<void> {
		const { stdout } = await run("ip", ["netns", "list"], { deadlineMs: 10_000 });
		for (const name of [this.host, this.desk])
			if (stdout.split(/\s/).includes(name)) await ip("netns", "del", name);
	}
}

async function ip(...args: string[]): Promise<void> {
	await run("ip", args, { deadlineMs: 10_000 });
}
