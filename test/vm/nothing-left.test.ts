import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { randomFrom } from "../../bench/open-loop/random.ts";
import type { ServerDefinition, Site } from "../../src/api/site.ts";
import { run } from "../../src/host/command.ts";
import { namespaces, setKernel } from "../../src/network/namespace.ts";
import { freePort, instanceForTests, patience, tiny, until } from "./harness.ts";
import { differences, type Inventory, inventoryOf, ownerOf, settled, untilIs } from "./inventory.ts";

/**
 * What is deleted, what failed half-way and what a killed daemon was at leaves nothing on the host: everything that
 * there is of a daemon is listed before and after. The host's network is a namespace, so that all in it is the daemon's.
 */
const host = `bhk${process.pid}host`;
let ports: number[] = [];
const patienceMs = 60_000;
const ip = async (...args: string[]) => (await run("ip", args, { deadlineMs: 10_000 })).stdout;

// Before the daemon, which begins in it.
beforeAll(async () => {
	await sweepHosts();
	await ip("netns", "add", host);
	await ip("-n", host, "link", "set", "lo", "up");
	await setKernel(host, { "net/ipv4/ip_forward": 1 });
	await ip("-n", host, "link", "add", "lan0", "type", "veth", "peer", "name", "lan1");
	await ip("-n", host, "addr", "add", "192.168.7.1/24", "dev", "lan0");
	for (const end of ["lan0", "lan1"]) await ip("-n", host, "link", "set", end, "up");
	await ip("-n", host, "route", "add", "default", "via", "192.168.7.254");
	ports = await Promise.all([1, 2, 3, 4].map(freePort));
});

const bulkhead = instanceForTests(undefined, host, async () => {
	await ip("netns", "del", host);
});
const { client } = bulkhead;
const owner = () => ownerOf(bulkhead, host);

const cold = (more: Partial<ServerDefinition> = {}): ServerDefinition => ({
	...tiny("10.91.0.10", ports[0] ?? 0),
	...more,
});
/** Everything that a server can have: warm with a standby, two front doors, paths, ways out, a data disk, IPv6. */
const whole = (more: Partial<ServerDefinition> = {}): ServerDefinition => ({
	template: "tiny",
	network: { segment: "lab", address: "10.91.0.11", address6: "fd00:91::11" },
	publish: [
		{ service: "http", to: "host", listen: ports[1] ?? 0 },
		{ service: "raw", protocol: "tcp", port: 80, to: "lan", listen: ports[2] ?? 0 },
	],
	recovery: { mode: "warm", standby: 1 },
	data: [{ name: "data", size: "16MiB" }],
	allow: [{ from: "a", service: "http" }],
	outbound: [{ to: "192.0.2.10", protocol: "tcp", ports: [443] }],
	...more,
});
const site = (servers: Record<string, ServerDefinition>): Site => ({
	name: "left",
	segments: { lab: { subnet: "10.91.0.0/24", subnet6: "fd00:91::/64" } },
	servers,
});

async function ready(...servers: string[]): Promise<void> {
	for (const server of servers)
		await bulkhead.until(
			server,
			"running",
			({ warm, session }) => session?.readyAt != null && (warm === null || warm.standbys === 1),
		);
}

/**
 * How often the daemon is killed in the midst of each kind of work, each time at another moment: TRIES. `make test` has
 * time for a few kinds, `make bench-killed` for all.
 */
const tries = Number(process.env.TRIES ?? "1");
const ofAllKinds = process.env.TRIES !== undefined;
// One takes half a minute: two servers are made, started and sealed in it.
vi.setConfig({ testTimeout: 150_000 + tries * 30_000 });
/** Which moments are tried; another one tries others: SEED. */
const random = randomFrom(Number(process.env.SEED ?? "1"));

/** The daemon is killed so long after a piece of work has begun; the next one is started. */
async function killDuring(work: () => Promise<unknown>, afterMs: number): Promise<void> {
	const done = work().catch(() => {});
	await delay(afterMs);
	await bulkhead.endDaemon("SIGKILL");
	await done;
	await bulkhead.startDaemon();
}

/** @returns how long it takes when nobody disturbs it, milliseconds */
async function timed(work: () => Promise<unknown>): Promise<number> {
	const began = performance.now();
	await work();
	return performance.now() - began;
}

/** Deletes a server at once; its guest is not asked, which would take its time. */
async function remove(server: string): Promise<void> {
	await client.call("stop", { server }, { deadlineMs: 0 });
	await bulkhead.until(server, "stopped");
	await client.call("delete", { server }, { destroyDisks: true });
}
/** The same of one that may be in the middle of anything. */
async function removeIfThere(server: string): Promise<void> {
	const view = async () => (await client.call("list", {}, null)).find(({ name }) => name === server);
	const atRest = async () => ["running", "stopped", undefined].includes((await view())?.state);
	await until(`${server} running, stopped or gone`, atRest, patienceMs);
	const now = await view();
	if (now?.state === "running") await remove(server);
	else if (now) await client.call("delete", { server }, { destroyDisks: true });
}
async function removeAll(): Promise<void> {
	await remove("a");
	await bulkhead.apply({ name: "left" });
}

let bare: Inventory;
let emptied: Inventory;
let one: Inventory;
let both: Inventory;
const justA = () => site({ a: cold() });
const aAndB = () => site({ a: cold(), b: whole() });

describe("what is deleted", () => {
	test("is nothing, of a first site that could not be made", { timeout: patience.build }, async () => {
		bare = await settled(owner);
		await failForPort(JSON.stringify(aAndB()), ports[0] ?? 0);
		await untilIs(owner, { bare }, patienceMs);
	});

	test("was there, all of it", async () => {
		await bulkhead.apply(justA());
		await ready("a");
		one = await settled(owner);
		await bulkhead.apply(aAndB());
		await ready("a", "b");
		both = await settled(owner);
		const made = differences(one, both);
		for (const what of [
			/^processes: left session\.b-N: bulkhead-b/,
			/^processes: left door\.b\.\d+: haproxy/,
			/^control groups: left names\.b/,
			/^memory in files: left bulkhead-seal/,
			/^host: interfaces: left bhup-/,
			/^host: firewall: left table/,
			/^sandbox: interfaces: left tap2-N/,
			/^sandbox: forwarding: left 52:54:00/,
			/^sandbox: neighbours: left fd00:91::11 /,
			/^sandbox: firewall: left element of inet bulkhead allowed:/,
			/^state: left servers\/b\/seal\/ram/,
			/^run: left d\/b\//,
		])
			expect(made).toContainEqual(expect.stringMatching(what));
	});

	test("leaves nothing beside a server that stays", async () => {
		await remove("b");
		await untilIs(owner, { one }, patienceMs);
	});

	test("leaves nothing of the last one, and nothing at all when the daemon has ended", async () => {
		await removeAll();
		emptied = await settled(owner);
		// The site is known from here on.
		expect(differences(bare, emptied)).toEqual(["state: left site.yaml"]);
		await bulkhead.endDaemon("SIGTERM");
		const { run, state, processes } = await inventoryOf(owner());
		expect({ run, state, processes }).toEqual({
			run: [],
			state: ["lock", "servers/", "site.yaml"],
			processes: [],
		});
		await bulkhead.startDaemon();
		await bulkhead.apply(justA());
		await ready("a");
		await untilIs(owner, { one }, patienceMs);
	});
});

describe("what fails half-way leaves what was there", () => {
	const more = (c: ServerDefinition, segments: Site["segments"] = {}): Site => {
		const { segments: own, ...others } = site({ a: cold(), c });
		return { ...others, segments: { ...own, ...segments } };
	};
	const other = (definition: Partial<ServerDefinition>) =>
		cold({ network: { segment: "other", address: "192.168.7.20" }, ...definition });

	test("a port that another program takes while the server is made", async () => {
		const port = ports[3] ?? 0;
		const text = JSON.stringify(
			more(
				other({
					network: { segment: "other", address: "10.92.0.10" },
					outbound: "allow",
					publish: [{ service: "http", to: "host", listen: port }],
				}),
				{ other: { subnet: "10.92.0.0/24" } },
			),
		);
		await failForPort(text, port);
		await untilIs(owner, { one }, patienceMs);
	});

	/** What a page of server a is answered with. */
	const status = async () => {
		const script = `fetch("http://127.0.0.1:${ports[0]}/").then(({ status }) => process.stdout.write(String(status)))`;
		const words = [`--net=/run/netns/${host}`, process.execPath, "-e", script];
		return (await run("nsenter", words, { deadlineMs: 20_000 })).stdout;
	};

	test("and a server that had moved by then where it moved to: it starts there, for the next daemon too", async () => {
		await client.call("stop", { server: "a" }, { deadlineMs: 0 });
		await bulkhead.until("a", "stopped");
		const { segments, ...others } = site({
			a: cold({ network: { segment: "other", address: "10.92.0.11" } }),
			c: cold({ publish: [{ service: "http", to: "host", listen: ports[3] ?? 0 }] }),
		});
		const moved = { ...others, segments: { ...segments, other: { subnet: "10.92.0.0/24" } } };
		await failForPort(JSON.stringify(moved), ports[3] ?? 0);
		await client.call("start", { server: "a" }, null);
		await ready("a");
		expect(await status()).toBe("200");
		await bulkhead.endDaemon("SIGKILL");
		await bulkhead.startDaemon();
		expect(await status()).toBe("200");
		await client.call("stop", { server: "a" }, { deadlineMs: 0 });
		await bulkhead.until("a", "stopped");
		await bulkhead.apply(justA());
		await client.call("start", { server: "a" }, null);
		await ready("a");
		await untilIs(owner, { one }, patienceMs);
	});

	test("an address that this host already has a way to", async () => {
		await ip("-n", host, "route", "add", "192.168.7.20/32", "dev", "lan0");
		const lan = { subnet: "192.168.7.0/24", lan: "lan0", gateway: "192.168.7.254" };
		const wanted = more(other({ publish: [{ service: "http", to: "lan" }] }), { other: lan });
		await expect(bulkhead.apply(wanted)).rejects.toThrow(/already has a route/);
		await ip("-n", host, "route", "del", "192.168.7.20/32", "dev", "lan0");
		await untilIs(owner, { one }, patienceMs);
	});
});

describe("a daemon that is killed leaves what its site has, no more", () => {
	const moments = (spanMs: number) => Array.from({ length: tries }, () => Math.round(random() * spanMs));
	const told: string[] = [];
	const check = async (what: string, afterMs: number, wanted: Record<string, Inventory>) => {
		const found = await untilIs(owner, wanted, patienceMs).catch((error: unknown) => {
			throw new Error(`killed ${afterMs} ms into ${what}: ${String(error)}`);
		});
		told.push(`${what}, ${afterMs} ms: ${found}`);
		return found;
	};
	afterAll(() => console.log(told.join("\n")));

	test("while idle", async () => {
		await bulkhead.apply(aAndB());
		await ready("a", "b");
		await untilIs(owner, { both }, patienceMs);
		await killDuring(async () => {}, 0);
		await ready("a", "b");
		await check("nothing", 0, { both });
	});

	test.runIf(ofAllKinds)("in the middle of publishing and taking back", async () => {
		const change = async (command: "publish" | "unpublish") =>
			command === "publish"
				? await client.call("publish", { server: "b" }, { service: "http", to: "host", listen: ports[3] })
				: await client.call("unpublish", { server: "b" }, { service: "http", listen: ports[3] ?? 0 });
		const span = await timed(async () => await change("publish"));
		const out = await settled(owner);
		await change("unpublish");
		await untilIs(owner, { both }, patienceMs);
		for (const afterMs of moments(span)) {
			await killDuring(async () => await change("publish"), afterMs);
			if ((await check("publishing", afterMs, { both, out })) === "both") await change("publish");
			await untilIs(owner, { out }, patienceMs);
			await killDuring(async () => await change("unpublish"), afterMs);
			if ((await check("taking back", afterMs, { both, out })) === "out") await change("unpublish");
			await untilIs(owner, { both }, patienceMs);
		}
	});

	test("in the middle of a recovery", async () => {
		for (const afterMs of moments(2000)) {
			for (const server of ["a", "b"]) {
				await killDuring(async () => await client.call("drill", { server }, { fault: "panic" }), afterMs);
				await ready("a", "b");
				await check(`a recovery of ${server}`, afterMs, { both });
			}
		}
	});

	test.runIf(ofAllKinds)("in the middle of making and of deleting a server", async () => {
		await client.call("stop", { server: "b" }, { deadlineMs: 0 });
		await bulkhead.until("b", "stopped");
		// The next daemon reads a seal into memory when it is needed.
		await killDuring(async () => {}, 0);
		const stopped = await settled(owner);
		await client.call("start", { server: "b" }, null);
		await ready("b");
		const span = await timed(async () => await remove("b"));
		await untilIs(owner, { one }, patienceMs);
		const spanMaking = await timed(async () => await bulkhead.apply(aAndB()));
		for (let n = 0; n < tries; n++) {
			await ready("a", "b");
			await untilIs(owner, { both }, patienceMs);
			const deleting = Math.round(random() * span);
			await killDuring(async () => await remove("b"), deleting);
			const found = await check("deleting", deleting, { one, both, stopped });
			if (found !== "one") await removeIfThere("b");
			await untilIs(owner, { one }, patienceMs);
			const making = Math.round(random() * spanMaking);
			await killDuring(async () => await bulkhead.apply(aAndB()), making);
			await check("making", making, { one, both });
			await bulkhead.apply(aAndB());
		}
	});

	test("in the middle of making a site's first server, and deleting its last", async () => {
		const span = await timed(removeAll);
		await untilIs(owner, { emptied }, patienceMs);
		const spanMaking = await timed(async () => await bulkhead.apply(justA()));
		for (let n = 0; n < tries; n++) {
			await ready("a");
			await untilIs(owner, { one }, patienceMs);
			const deleting = Math.round(random() * span);
			await killDuring(removeAll, deleting);
			await removeIfThere("a");
			await bulkhead.apply({ name: "left" });
			await check("deleting the last", deleting, { emptied });
			const making = Math.round(random() * spanMaking);
			await killDuring(async () => await bulkhead.apply(justA()), making);
			await check("making the first", making, { emptied, one });
			await bulkhead.apply(justA());
		}
	});
});

/** Another program of the host that listens on a port. */
async function listenOn(port: number): Promise<ChildProcess> {
	const script = `require("node:net").createServer().listen(${port}, "127.0.0.1", () => console.log("listens"))`;
	const child = spawn("nsenter", [`--net=/run/netns/${host}`, process.execPath, "-e", script], {
		stdio: ["ignore", "pipe", "inherit"],
	});
	await once(child.stdout, "data");
	return child;
}

/** Applies a site, one of whose ports another program takes as soon as something is being made. */
async function failForPort(text: string, port: number): Promise<void> {
	const { fingerprint } = await client.call("plan", {}, { text });
	let program: Promise<ChildProcess> | undefined;
	// Not before: what is taken already is seen before anything is made.
	const onProgress = () => {
		program ??= listenOn(port);
	};
	// The first one may have to build the template.
	const signal = AbortSignal.timeout(patience.build);
	await expect(client.apply({ text, fingerprint, confirmed: true }, onProgress, signal)).rejects.toThrow(
		/port/,
	);
	(await program)?.kill("SIGKILL");
}

/** What an earlier run left that was killed itself; its process id is in the name. */
async function sweepHosts(): Promise<void> {
	for (const name of await namespaces()) {
		const pid = /^bhk(\d+)host$/.exec(name)?.[1];
		if (pid !== undefined && !existsSync(`/proc/${pid}`)) await ip("netns", "del", name);
	}
}
