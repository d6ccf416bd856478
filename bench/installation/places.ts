import { run } from "../../src/host/command.ts";

/**
 * Where it happens: a host with its servers, and outside of it, at the other end of a cable, what serves packages. Each is a
 * network namespace: no setting, rule or route of this machine is changed. Names and addresses are fixed, so that what was
 * kept is found again.
 */
export const host = "bhinstall-host";
export const outside = "bhinstall-out";

export const cable = {
	host: "192.0.2.1",
	/** The only address that the server is let out to. */
	proxy: "192.0.2.10",
	/** The same machine under another address, which nobody is let out to. */
	closed: "192.0.2.11",
	proxyPort: 3142,
} as const;

/** Makes both, in the place of what an earlier run left. @throws CommandError; nothing is left then */
export async function makePlaces(): Promise<void> {
	await removePlaces();
	try {
		for (const name of [host, outside]) {
			await ip("netns", "add", name);
			await ip("-n", name, "link", "set", "lo", "up");
		}
		const peer = ["type", "veth", "peer", "name", "eth0", "netns", outside];
		await ip("-n", host, "link", "add", "wan0", ...peer);
		for (const [name, link, addresses] of [
			[host, "wan0", [cable.host]],
			[outside, "eth0", [cable.proxy, cable.closed]],
		] as const) {
			for (const address of addresses) await ip("-n", name, "addr", "add", `${address}/24`, "dev", link);
			await ip("-n", name, "link", "set", link, "up");
		}
		// As `bulkhead sandbox` says of a host that is to let a server out.
		await inPlace(host, ["sysctl", "-q", "-w", "net.ipv4.ip_forward=1"]);
	} catch (error) {
		await removePlaces();
		throw error;
	}
}

export async function removePlaces(): Promise<void> {
	const { stdout } = await run("ip", ["netns", "list"], { deadlineMs: 10_000 });
	for (const name of [host, outside]) if (stdout.split(/\s/).includes(name)) await ip("netns", "del", name);
}

/** Runs a command in the network of a place. @returns its standard output. @throws CommandError */
export async function inPlace(
	place: string,
	command: readonly string[],
	{
		deadlineMs = 10_000,
		input = "",
		signal,
	}: { deadlineMs?: number; input?: string; signal?: AbortSignal } = {},
): Promise<string> {
	const args = [`--net=/run/netns/${place}`, "--", ...command];
	return (await run("nsenter", args, { deadlineMs, input, ...(signal ? { signal } : {}) })).stdout;
}

async function ip(...args: string[]): Promise<void> {
	await run("ip", args, { deadlineMs: 10_000 });
}
