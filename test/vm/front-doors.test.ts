import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rename, rm } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import type { PublishDefinition } from "../../src/api/site.ts";
import type { Context } from "../../src/daemon/context.ts";
import { HostDoor } from "../../src/daemon/parts/door.ts";
import { watchdog } from "../../src/daemon/published.ts";
import { run } from "../../src/host/command.ts";
import { askAdmin } from "../../src/network/front-door/admin.ts";
import { doorFiles } from "../../src/network/front-door/record.ts";
import { parseStat } from "../../src/network/front-door/stat.ts";
import { doorShares } from "../../src/network/pace.ts";
import { bridgeAddressOnLan } from "../../src/network/plan.ts";
import type { Sandbox } from "../../src/network/sandbox.ts";
import { paths as pathsOf } from "../../src/store/paths.ts";
import type { StoredServer } from "../../src/store/servers.ts";
import { freePort } from "./harness.ts";

/** A server's front door in a namespace of its own, with a real HAProxy: what is done when that does not do as it is told. */
const namespace = `bhd${process.pid}`;
let folder: string;
let said: string[];
let context: Context;
let door: HostDoor;
let files: ReturnType<typeof doorFiles>;

beforeAll(async () => {
	await run("ip", ["netns", "add", namespace], { deadlineMs: 10_000 });
	await run("ip", ["-n", namespace, "link", "set", "lo", "up"], { deadlineMs: 10_000 });
	// The sandbox's own, from which a server on the LAN is asked.
	await run("ip", ["-n", namespace, "addr", "add", `${bridgeAddressOnLan}/32`, "dev", "lo"], {
		deadlineMs: 10_000,
	});
});
afterAll(async () => void (await run("ip", ["netns", "delete", namespace], { deadlineMs: 10_000 })));

beforeEach(async () => {
	folder = await mkdtemp(join(tmpdir(), "bulkhead-doors-"));
	said = [];
	const listen = await freePort();
	context = {
		paths: { ...pathsOf(folder, folder), door: () => join(folder, "door") },
		groups: {},
		log: { warn() {} },
		history: { append: ({ text }: { text: string }) => said.push(text) },
	} as unknown as Context;
	const server = {
		name: "x",
		definition: {
			network: { segment: "s", address: "127.0.0.1" },
			publish: [{ service: "http", port: 80, to: "host", listen }],
		},
		installed: { services: {}, uid: 300_000 + (process.pid % 10_000), index: 9 },
	} as unknown as StoredServer;
	door = new HostDoor(server, context, { namespace } as Sandbox);
	files = doorFiles(join(folder, "door", String(listen)));
	await door.open();
});
afterEach(async () => {
	await door.close();
	await rm(folder, { recursive: true });
});

const pid = async (): Promise<number> => JSON.parse(await readFile(files.record, "utf8")).process.pid;

/** Whether users are held back. */
async function holds(): Promise<boolean> {
	const rows = parseStat(await askAdmin(files.admin, "show stat", 2000));
	return rows.some((row) => row.server === "guest" && row.text("status") === "MAINT");
}

/** Looks at the front door once a second, as the daemon does. */
async function look(times: number, until: () => Promise<boolean> | boolean = () => false): Promise<void> {
	for (let i = 0; i < times && !(await until()); i++) {
		await door.check();
		await delay(1000);
	}
}

/** The socket by which it is told is not there meanwhile. */
async function whileDeaf(does: () => Promise<void>): Promise<void> {
	await rename(files.admin, `${files.admin}.away`);
	try {
		await does();
	} finally {
		await rename(`${files.admin}.away`, files.admin);
	}
}

test("users who were held back are let through as soon as that is possible, when it was not at once", async () => {
	expect(await door.drain(100, new AbortController().signal)).toBe(true);
	expect(await holds()).toBe(true);
	await whileDeaf(async () => await expect(door.release()).rejects.toThrow());
	await look(5, async () => !(await holds()));
	expect(await holds()).toBe(false);
	expect(said).toEqual([
		expect.stringMatching(/^The front door of x, port \d+, does as it was told after all$/),
	]);
});

test("what could not be held back is not held back later, when users are let through by then", async () => {
	await whileDeaf(async () => {
		await expect(door.drain(100, new AbortController().signal)).rejects.toThrow();
		await expect(door.release()).rejects.toThrow();
	});
	await look(3);
	expect(await holds()).toBe(false);
});

test("a server that wakes is asked how it is as soon as that is possible, when it was not at once", async () => {
	const health = async () => (await door.health()).http;
	await door.rest();
	await look(3, async () => (await health()) === "unknown");
	expect(await health()).toBe("unknown");
	await whileDeaf(async () => await expect(door.expect()).rejects.toThrow());
	await look(5, async () => (await health()) === "down");
	expect(await health()).toBe("down");
});

test("one that hangs is replaced", async () => {
	const before = await pid();
	process.kill(before, "SIGSTOP");
	await look(30, () => said.length > 0);
	expect(said).toEqual([
		expect.stringMatching(/^The front door of x, port \d+, does not answer any more; it is replaced$/),
	]);
	await look(10, async () => (await pid().catch(() => before)) !== before);
	expect(() => process.kill(before, 0)).toThrow("ESRCH");
	expect(await askAdmin(files.admin, "show info", 2000)).toContain(`Pid: `);
	expect(await holds()).toBe(false);
	await look(2);
	expect(said).toHaveLength(1);
});

test("one that hangs for a moment is left alone", async () => {
	const before = await pid();
	process.kill(before, "SIGSTOP");
	await look(5);
	process.kill(before, "SIGCONT");
	await look(5);
	expect(await pid()).toBe(before);
	expect(said).toEqual([]);
});

test("one that is to be for the LAN too, where another program has its port, is left as it is with its users", async () => {
	const { definition, ...server } = door.server;
	const to = (whom: "host" | "lan") =>
		(definition.publish ?? []).map((entry): PublishDefinition => ({ ...entry, to: whom }));
	const [{ listen = 0 } = {}] = definition.publish ?? [];
	const before = await pid();
	const user = connect(listen, "127.0.0.1");
	await once(user, "connect");
	const other = createServer().listen(listen, "127.0.0.2");
	await once(other, "listening");
	try {
		door.server = { ...server, definition: { ...definition, publish: to("lan") } };
		await expect(door.open()).rejects.toMatchObject({ code: "port-in-use" });
		expect(await pid()).toBe(before);
		expect(user.readyState).toBe("open");
	} finally {
		other.close();
		await once(other, "close");
	}
	await door.open();
	expect(await pid()).not.toBe(before);
	user.destroy();
	const onLan = connect(listen, "127.0.0.2");
	await once(onLan, "connect");
	onLan.destroy();
});

test("two of one port have their own ports for checks, and each goes on with them when the other is taken back, and by the next daemon", async () => {
	const listen = await freePort();
	const listens = [listen, listen > 60_000 ? listen - doorShares : listen + doorShares];
	const publish = (ports: readonly number[]): PublishDefinition[] =>
		ports.map((one) => ({ service: "http", port: 80, to: "host", listen: one }));
	const { definition, ...server } = door.server;
	const having = (ports: readonly number[]) => ({
		...server,
		definition: { ...definition, publish: publish(ports) },
	});
	const filesOf = (one: number | undefined) => doorFiles(join(folder, "door", String(one)));
	const [first, second] = listens.map(filesOf);
	const from = async (of: typeof first) =>
		/ source (\S+) /.exec(await readFile(of?.config ?? "", "utf8"))?.[1];
	const pidOf = async (of: typeof first): Promise<number> =>
		JSON.parse(await readFile(of?.record ?? "", "utf8")).process.pid;
	door.server = having(listens);
	await door.open();
	expect(await from(second)).not.toBe(await from(first));
	const before = await pidOf(second);
	door.server = having(listens.slice(1));
	await door.open();
	expect(await pidOf(second)).toBe(before);
	const next = new HostDoor(door.server, context, { namespace } as Sandbox);
	await next.open();
	expect(await pidOf(second)).toBe(before);
});

/** A server that takes connections on port 9000, and what it publishes at its own address. */
async function publishAtAddress(publish: PublishDefinition[]): Promise<ChildProcess> {
	const script = 'require("node:net").createServer().listen(9000, () => console.log("listens"))';
	const args = [`--net=/run/netns/${namespace}`, process.execPath, "-e", script];
	const app = spawn("nsenter", args, { stdio: ["ignore", "pipe", "inherit"] });
	await once(app.stdout, "data");
	const { definition, ...server } = door.server;
	door.server = { ...server, definition: { ...definition, publish } };
	await door.open();
	return app;
}

/** What is known of the services at its own address, once it is. */
async function foundAtAddress() {
	const found = async () => (await door.healthByDoor()).get(watchdog) ?? {};
	const isKnown = async () => !Object.values(await found()).includes("unknown");
	await look(5, isKnown);
	return await found();
}

const app = { service: "app", to: "host", through: "address" } as const;

test("two services with one name at the server's own address are each asked by their port", async () => {
	const own = await publishAtAddress([
		{ ...app, port: 9000 },
		{ ...app, port: 9001 },
		{ ...app, port: 9002, health: "none" },
	]);
	try {
		expect(await foundAtAddress()).toEqual({ "app:9000": "up", "app:9001": "down" });
	} finally {
		own.kill("SIGKILL");
	}
});

test("two services with one port at the server's own address are each asked by their name", async () => {
	const own = await publishAtAddress([
		{ ...app, port: 9000 },
		{ ...app, service: "tool", port: 9000 },
	]);
	try {
		expect(await foundAtAddress()).toEqual({ app: "up", tool: "up" });
	} finally {
		own.kill("SIGKILL");
	}
});
