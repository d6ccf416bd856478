import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { expect } from "vitest";
import { run } from "../../src/host/command.ts";
import { endProcess, identify } from "../../src/host/process.ts";
import type { Health } from "../../src/network/front-door/health.ts";
import { FrontDoor } from "../../src/network/front-door/process.ts";
import type { DoorPlan, ServicePlan } from "../../src/network/plan.ts";
import { profileOf } from "../../src/network/services.ts";
import { type Talk, talkOf } from "../../src/network/talk.ts";

export interface Checked {
	/** What the check is called here: one service is checked at several servers. */
	name: string;
	/** Whose check it is. */
	service: string;
	port: number;
	/** Another pace, or another patience, than that of its profile. */
	times?: Partial<Pick<Talk, "everyMs" | "withinMs">>;
}

/** A namespace in which servers listen on its loopback, and front doors with real HAProxys that ask how they are. */
export class Checks {
	readonly namespace: string;
	readonly folder: string;
	private readonly uid: number;
	private readonly doors: FrontDoor[] = [];

	private constructor(namespace: string, uid: number, folder: string) {
		this.namespace = namespace;
		this.uid = uid;
		this.folder = folder;
	}

	/** @param uid of the HAProxys, of nobody else on this host */
	static async begin(namespace: string, uid: number): Promise<Checks> {
		const folder = await mkdtemp(join(tmpdir(), "bulkhead-services-"));
		await run("chmod", ["755", folder], { deadlineMs: 5000 });
		await run("ip", ["netns", "add", namespace], { deadlineMs: 10_000 });
		await run("ip", ["-n", namespace, "link", "set", "lo", "up"], { deadlineMs: 10_000 });
		return new Checks(namespace, uid, folder);
	}

	/** Starts a program beside the servers. @returns the process, whose output has to be read */
	inside(command: readonly string[]): ChildProcess {
		const args = [`--net=/run/netns/${this.namespace}`, ...command];
		return spawn("nsenter", args, { stdio: ["ignore", "pipe", "pipe"] });
	}

	/** Opens a door with a service for each. */
	async openDoor(checked: readonly Checked[]): Promise<FrontDoor> {
		const services = checked.map(async ({ name, service, port, times }): Promise<ServicePlan> => {
			const profile = profileOf(service);
			const health = profile ? talkOf({ ...profile, ...times }) : null;
			const protocol = profile?.protocol === "http" ? "http" : "tcp";
			const listen = await freePort();
			return { service: name, protocol, port, to: "host", listen, holdMs: 1000, health, rehearse: [] };
		});
		const plan: DoorPlan = {
			...{ server: "s1", namespace: this.namespace, address: "127.0.0.1", from: "127.0.0.1" },
			...{ uid: this.uid, groups: [] },
			...{ folder: join(this.folder, `door${this.doors.length}`), services: await Promise.all(services) },
		};
		const door = await FrontDoor.ensure(plan);
		this.doors.push(door);
		return door;
	}

	/** Ends everything that runs in the namespace, and removes it. */
	async end(): Promise<void> {
		for (const door of this.doors) await door.stop().catch(() => {});
		// PostgreSQL has children of its own; one that has just ended is none to end.
		const { stdout } = await run("ip", ["netns", "pids", this.namespace], { deadlineMs: 10_000 });
		for (const pid of stdout.split("\n").filter((line) => line !== "")) {
			const found = identify(Number(pid));
			if (found) await endProcess(found, 0);
		}
		await run("ip", ["netns", "del", this.namespace], { deadlineMs: 10_000 });
		await rm(this.folder, { recursive: true, force: true });
	}
}

/** Waits for that, as long as the most patient check takes to find silence. */
export async function becomes(door: FrontDoor, expected: Record<string, Health>): Promise<void> {
	const end = performance.now() + 50_000;
	let found = await door.health();
	while (JSON.stringify(found) !== JSON.stringify(expected) && performance.now() < end) {
		await delay(100);
		found = await door.health();
	}
	expect(found).toEqual(expected);
}

/** Asks HAProxy for so long. @returns services that were not up at some moment */
export async function unwell(door: FrontDoor, names: readonly string[], forMs: number): Promise<string[]> {
	const seen = new Set<string>();
	for (const end = performance.now() + forMs; performance.now() < end; await delay(100)) {
		const health = await door.health();
		for (const name of names) if (health[name] !== "up") seen.add(name);
	}
	return [...seen];
}

async function freePort(): Promise<number> {
	const server = createServer().listen(0, "127.0.0.1");
	await once(server, "listening");
	const { port } = server.address() as AddressInfo;
	server.close();
	await once(server, "close");
	return port;
}
