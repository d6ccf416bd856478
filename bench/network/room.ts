import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run } from "../../src/host/command.ts";
import { endProcess, identify } from "../../src/host/process.ts";
import { FrontDoor } from "../../src/network/front-door/process.ts";
import { setKernel } from "../../src/network/namespace.ts";
import { ensureOutbound, removeOutbound } from "../../src/network/outbound/outbound.ts";
import {
	bridgeNameOf,
	type DoorPlan,
	macOf,
	type PortPlan,
	type ServicePlan,
} from "../../src/network/plan.ts";
import { Sandbox } from "../../src/network/sandbox.ts";

/** The host's address on the LAN, and the client's. */
const lan = { host: "10.84.0.1", client: "10.84.0.2" } as const;
/** The bridge without Bulkhead: the client's address on it, and the guest's. */
const plainBridge = { client: "10.85.0.2", guest: "10.85.0.10" } as const;

/**
 * A sandbox of its own with a plain namespace in the guest's place, on a port with a session's settings, a front door
 * before it, and a client on a LAN: what the network costs when the guest costs nothing. Beside it a plain bridge from the
 * client to the same guest, as a host without Bulkhead has one. To be opened in a namespace of its own, the host's network.
 */
export class Room implements AsyncDisposable {
	readonly namespace = `bhnet${process.pid}`;
	readonly hostAddress = lan.host;
	readonly plainAddress = plainBridge.guest;
	readonly guest: PortPlan = {
		server: "plain",
		segment: "bench",
		address: "10.82.0.10",
		mac: macOf("bench", "plain"),
		tap: "tap-plain",
		uid: 310_000,
	};
	readonly client = `${this.namespace}c`;
	private readonly guestNamespace = `${this.namespace}g`;
	private readonly sandbox = new Sandbox(this.namespace, "bench");
	private readonly doorUid = 300_000 + (process.pid % 10_000);
	private readonly undo = new AsyncDisposableStack();

	/**
	 * @param ports TCP ports that the guest serves, and how
	 * @param line how fast the client's cables are, in Gbit/s; null: as fast as the processors are
	 */
	async open(
		ports: readonly { port: number; protocol: "http" | "tcp" }[],
		line: number | null,
	): Promise<Map<number, number>> {
		this.undo.defer(async () => await this.sandbox.destroy());
		await this.sandbox.ensure([{ name: this.guest.segment, subnet: "10.82.0.0/24" }]);
		await this.attach();
		await this.addClient();
		if (line !== null) await this.slowDown(line);
		for (const namespace of [this.client, this.guestNamespace]) await choose(namespace);
		// Root too, so that the same can be asked without the front door, from where the front door asks.
		const permissions = ports.flatMap(({ port }) =>
			[this.doorUid, 0].map((uid) => ({ uid, address: this.guest.address, port })),
		);
		await this.sandbox.permit(permissions);
		await this.openAddress(ports.map(({ port }) => port));
		return await this.openDoor(ports);
	}

	/** Lets the LAN reach the guest at its own address. */
	private async openAddress(ports: readonly number[]): Promise<void> {
		const { guest, namespace } = this;
		this.undo.defer(async () => await removeOutbound(namespace));
		const { server: name, address } = guest;
		const ranges = ports.map((port) => ({ protocol: "tcp" as const, first: port, last: port }));
		const ways = [{ service: "bench", to: "lan" as const, ports: ranges }];
		await ensureOutbound({
			...{ namespace, servers: [{ name, address, rules: [] }] },
			inbound: [{ name, address, ways, redirects: [] }],
		});
	}

	/** The client, on the LAN by one cable and on the plain bridge, where the guest is too, by another. */
	private async addClient(): Promise<void> {
		const { client, guestNamespace: guest } = this;
		await ip("netns", "add", client);
		this.undo.defer(async () => await ip("netns", "del", client));
		await ip("-n", client, "link", "set", "lo", "up");
		await cable("lan0", client, "eth0", `${lan.client}/24`);
		await ip("addr", "add", `${lan.host}/24`, "dev", "lan0");
		await ip("-n", client, "route", "add", "10.82.0.0/24", "via", lan.host);
		await ip("link", "add", "plain0", "type", "bridge");
		await ip("link", "set", "plain0", "up");
		await cable("plain1", client, "eth1", `${plainBridge.client}/24`);
		await cable("plain2", guest, "eth1", `${plainBridge.guest}/24`);
		for (const port of ["plain1", "plain2"]) await ip("link", "set", port, "master", "plain0");
	}

	/** Makes lines of the client's cables: each way has the same one, in both directions. */
	private async slowDown(gigabits: number): Promise<void> {
		// Room for some of the 64 KiB that the kernel hands over at a time; and a queue of 5 ms, as a switch has.
		const shape = ["root", "tbf", "rate", `${gigabits}gbit`, "burst", "1mb", "latency", "5ms"];
		for (const name of ["eth0", "eth1"])
			await run("tc", ["-n", this.client, "qdisc", "add", "dev", name, ...shape], { deadlineMs: 10_000 });
		for (const name of ["lan0", "plain1"])
			await run("tc", ["qdisc", "add", "dev", name, ...shape], { deadlineMs: 10_000 });
	}

	/** What the ends of a transfer go by: the host's own, unless another was asked for. */
	async congestionControl(): Promise<string> {
		const name = "/proc/sys/net/ipv4/tcp_congestion_control";
		return (
			await run("nsenter", [`--net=/run/netns/${this.client}`, "cat", name], { deadlineMs: 5000 })
		).stdout.trim();
	}

	/** Starts a program in the guest, and waits for the first thing that it writes. */
	async serve(file: string, ...args: string[]): Promise<void> {
		const child = spawn("nsenter", [`--net=/run/netns/${this.guestNamespace}`, file, ...args], {
			stdio: ["ignore", "pipe", "inherit"],
		});
		this.undo.defer(async () => await ended(child));
		await once(child.stdout, "data", { signal: AbortSignal.timeout(10_000) });
		child.stdout.resume();
	}

	async [Symbol.asyncDispose](): Promise<void> {
		await this.undo.disposeAsync();
	}

	private async openDoor(
		ports: readonly { port: number; protocol: "http" | "tcp" }[],
	): Promise<Map<number, number>> {
		const folder = await mkdtemp(join(tmpdir(), "bulkhead-bench-network-"));
		this.undo.defer(async () => await rm(folder, { recursive: true, force: true }));
		const services: ServicePlan[] = [];
		for (const { port, protocol } of ports) {
			const listen = await freePort();
			const health = protocol === "http" ? { path: "/" } : null;
			const common = { port, protocol, listen, health } as const;
			services.push({ ...common, service: `p${port}`, to: "lan", holdMs: 30_000, rehearse: [] });
		}
		const { server, address } = this.guest;
		const plan: DoorPlan = {
			...{ server, address, from: "10.82.0.1", namespace: this.namespace, uid: this.doorUid },
			...{ groups: [], folder: join(folder, "door"), services },
		};
		const door = await FrontDoor.ensure(plan);
		this.undo.defer(async () => await door.stop());
		return new Map(services.map(({ port, listen }) => [port, listen]));
	}

	/** A veth in the tap's place, with the same settings of its bridge port. */
	private async attach(): Promise<void> {
		const { guest, guestNamespace: own, namespace } = this;
		const veth = "veth-plain";
		await this.sandbox.addPort(guest);
		await this.sandbox.connect(guest);
		await ip("netns", "add", own);
		this.undo.defer(async () => await ip("netns", "del", own));
		const peer = ["peer", "name", veth, "netns", namespace];
		await ip("-n", own, "link", "add", "eth0", "address", guest.mac, "type", "veth", ...peer);
		await ip("-n", own, "addr", "add", `${guest.address}/24`, "dev", "eth0");
		for (const name of ["lo", "eth0"]) await ip("-n", own, "link", "set", name, "up");
		await ip("-n", own, "route", "add", "default", "via", "10.82.0.1");
		await ip("-n", namespace, "link", "set", veth, "master", bridgeNameOf(guest.segment), "up");
		const closed = ["learning", "flood", "mcast_flood", "bcast_flood"].flatMap((option) => [option, "off"]);
		await bridge(namespace, "link", "set", "dev", veth, "isolated", "on", ...closed);
		await this.sandbox.openPort({ ...guest, tap: veth });
		await bridge(namespace, "fdb", "replace", guest.mac, "dev", veth, "master", "static");
	}
}

async function ended(child: ChildProcess): Promise<void> {
	const process = child.pid === undefined ? undefined : identify(child.pid);
	if (process) await endProcess(process, 1000);
}

/** Sets the congestion control that was asked for with CONGESTION; none: what new namespaces have from the host. */
export async function choose(namespace: string): Promise<void> {
	const wanted = process.env.CONGESTION;
	if (wanted !== undefined) await setKernel(namespace, { "net/ipv4/tcp_congestion_control": wanted });
}

async function ip(...args: string[]): Promise<void> {
	await run("ip", args, { deadlineMs: 10_000 });
}

/** A cable from here to a namespace, both of whose ends are up. */
async function cable(name: string, namespace: string, end: string, address: string): Promise<void> {
	await ip("link", "add", name, "type", "veth", "peer", "name", end, "netns", namespace);
	await ip("-n", namespace, "addr", "add", address, "dev", end);
	await ip("-n", namespace, "link", "set", end, "up");
	await ip("link", "set", name, "up");
}

async function bridge(namespace: string, ...args: string[]): Promise<void> {
	await run("bridge", ["-n", namespace, ...args], { deadlineMs: 10_000 });
}

async function freePort(): Promise<number> {
	const server = createServer().listen(0, "127.0.0.1");
	await once(server, "listening");
	const address = server.address();
	server.close();
	await once(server, "close");
	if (typeof address !== "object" || address === null) throw new Error("no port is free");
	return address.port;
}
