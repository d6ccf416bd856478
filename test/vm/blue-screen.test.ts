import { once } from "node:events";
import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { ServerDefinition } from "../../src/api/site.ts";
import { QmpConnection } from "../../src/qemu/qmp/connection.ts";
import { buildStandIn, type End, type Scene } from "../stand-in/build.ts";
import { checkDiskXp, dump7, startXp, windowsXp } from "../stand-in/screens/bootvid.ts";
import type { Stop } from "../stand-in/screens/text.ts";
import { instanceForTests, until } from "./harness.ts";

/**
 * A guest that shows what a Windows shows, on a real QEMU: it starts, checks its disk, and crashes when it is told to, with
 * a stop code on its screen. One for each way to go on from a crash.
 */

const instance = instanceForTests();
let folder = "";

const stop: Stop = {
	code: 0xd1,
	parameters: ["0xFFFFF8A0019C2000", "0x0000000000000002", "0x0000000000000000", "0xFFFFF880043F1AD7"],
	name: "DRIVER_IRQL_NOT_LESS_OR_EQUAL",
	module: { name: "storport.sys", address: "FFFFF880043F1AD7", base: "FFFFF880043E8000", stamp: "4ce7a456" },
};
const start: Scene = { screen: startXp(), lasts: 1000 };
const waits: Scene = { screen: startXp(), lasts: "until-told" };
const checks: Scene = { screen: checkDiskXp(), lasts: "until-told" };
const crash = (dump: readonly string[], lasts: number): Scene => ({ screen: windowsXp(stop, dump), lasts });
const dumping: Scene[] = [10, 90].map((percent) => ({
	screen: windowsXp(stop, dump7.writing(percent)),
	lasts: "until-told",
}));

const guests: Record<string, { scenes: Scene[]; end: End; recovery?: ServerDefinition["recovery"] }> = {
	now: { scenes: [start, checks, waits, crash([], 600_000)], end: "reset" },
	dumps: {
		scenes: [start, waits, ...dumping],
		end: "reset",
		recovery: { onCrash: "let-guest-dump" },
	},
	alone: {
		scenes: [start, waits, ...dumping],
		end: "reset",
		recovery: { onCrash: "let-guest-dump" },
	},
	kept: {
		scenes: [start, waits, crash(dump7.collecting, 1000)],
		end: "panic",
		recovery: { onCrash: "dump-then-new-session" },
	},
};

beforeAll(async () => {
	folder = await mkdtemp(join(tmpdir(), "bulkhead-blue-"));
	const servers: Record<string, ServerDefinition> = {};
	for (const [name, { scenes, end, recovery }] of Object.entries(guests)) {
		const image = join(folder, `${name}.raw`);
		await buildStandIn(scenes, image, end);
		servers[name] = { image, memory: "96MiB", ...(recovery && { recovery }) };
	}
	servers.dumps = { ...servers.dumps, network: { segment: "office", address: "10.98.7.10" } };
	await instance.apply({ name: "blue", segments: { office: { subnet: "10.98.7.0/24" } }, servers });
});

afterAll(async () => {
	await rm(folder, { recursive: true, force: true });
});

/** The scene that a session shows now, as it says itself. */
async function untilScene(server: string, session: number, scene: number): Promise<void> {
	const { console } = instance.paths.server(server).session(session);
	const said = async () => (await readFile(console, "latin1").catch(() => "")).includes(`scene ${scene}\n`);
	await until(`scene ${scene} of ${server}#${session}`, said, 60_000);
}

/** Lets a session go on to its next scene. */
async function tell(server: string, scene: number): Promise<void> {
	await using console = await instance.client.console(server);
	console.write("\n");
	await untilScene(server, 1, scene);
}

/**
 * Lets a crashed session go on, which has no console for users any more, also when no daemon is there.
 * @param done waits for what follows from it
 */
async function nudge(server: string, done: () => Promise<void>): Promise<void> {
	const console = connect(join(instance.paths.sockets(server, 1), "console.sock"));
	// It ends with its session.
	console.on("error", () => {});
	try {
		await once(console, "connect");
		console.write("\n");
		await done();
	} finally {
		console.destroy();
	}
}

/** Until the crashed session's guest has restarted, which is the end of it. */
async function untilPaused(server: string): Promise<void> {
	const socket = join(instance.paths.sockets(server, 1), "qmp.sock");
	const monitor = await QmpConnection.open(socket, { onEvent: () => {}, onDisconnect: () => {} });
	try {
		await until(
			`the end of ${server}#1`,
			async () => (await monitor.execute("query-status", {})).status === "shutdown",
			60_000,
		);
	} finally {
		monitor.close();
	}
}

/** Until the incident of a session that has crashed says so, while it is open. */
async function untilNoted(server: string, what: string): Promise<void> {
	const noted = async () =>
		(await instance.incidents(server)).some(({ timeline }) => timeline.some((entry) => entry.what === what));
	await until(`"${what}" of ${server}`, noted, 60_000);
}

/** Where evidence of a server's first session is kept. */
function evidenceOf(server: string, name: string): string {
	return instance.paths.server(server).incident(`${server}-1`).evidence(name);
}

async function crashed(server: string) {
	const next = await instance.untilNext(server, 1);
	const find = async () => (await instance.incidents(server)).find(({ session }) => session === 1);
	// It is closed a moment after the next session is ready.
	await until("the end of the incident", async () => (await find())?.outcome !== "recovering", 10_000);
	const incident = await find();
	return { next, incident, timeline: incident?.timeline.map(({ what }) => what) ?? [] };
}

const details = {
	"stop code": "0xD1",
	"stop name": "DRIVER_IRQL_NOT_LESS_OR_EQUAL",
	"parameter 1": "0xFFFFF8A0019C2000 (the address that was touched)",
	module: "storport.sys",
};
const summary =
	/^Windows stopped with DRIVER_IRQL_NOT_LESS_OR_EQUAL \(0xD1\): .*; its screen names storport\.sys$/;

test("a Windows that checks its disk says so; its blue screen is a crash, told with the stop code", async () => {
	expect((await instance.until("now", "running")).watch).toEqual(["panic device", "screen"]);
	await untilScene("now", 1, 1);
	await instance.until("now", "running", ({ reason }) => reason === "Windows checks its disk");
	await tell("now", 2);
	await instance.until("now", "running", ({ reason }) => reason === "");
	await tell("now", 3);
	const { next, incident } = await crashed("now");
	expect(next.number).toBe(2);
	expect(incident).toMatchObject({ cause: "panic", outcome: "recovered", details });
	expect(incident?.summary).toMatch(summary);
	expect(incident?.evidence).toContain("screen.png");
	const text = await readFile(evidenceOf("now", "screen.txt"), "latin1");
	expect(text).toContain("*** STOP: 0x000000D1 (0xFFFFF8A0019C2000,");
});

test("one that may write its own dump does, and its restart is the end of its session, not a second incident", async () => {
	await untilScene("dumps", 1, 1);
	await tell("dumps", 2);
	await untilNoted("dumps", "10 % of the guest's dump is written");
	await nudge("dumps", async () => await untilScene("dumps", 1, 3));
	await untilNoted("dumps", "90 % of the guest's dump is written");
	await nudge("dumps", async () => void (await instance.untilNext("dumps", 1)));
	const { next, incident, timeline } = await crashed("dumps");
	expect(next.number).toBe(2);
	expect(incident).toMatchObject({ cause: "panic", outcome: "recovered", details });
	expect(timeline).toContain("the guest runs on to write its own dump, for 10 min at most");
	expect(timeline).toContain("the guest restarts: its session ends with that");
	const { console } = instance.paths.server("dumps").session(1);
	// It would have shown its first scene again, had it booted once more.
	expect((await readFile(console, "latin1")).match(/scene 0\n/g)).toHaveLength(1);
	expect(await instance.incidents("dumps")).toHaveLength(1);
	// It was alone with its disk before it ran on.
	const said = await readFile(evidenceOf("dumps", "qmp.log"), "utf8");
	expect(said).toMatch(/"execute":"set_link".*"up":false.*\n.*← \{"return": \{\}/);
});

test("while no daemon is there, its restart is the end of its session, too", async () => {
	await untilScene("alone", 1, 1);
	await tell("alone", 2);
	await instance.until("alone", "recovering", ({ reason }) => reason.includes("to write its own dump"));
	await instance.endDaemon("SIGKILL");
	await nudge("alone", async () => await untilScene("alone", 1, 3));
	await nudge("alone", async () => await untilPaused("alone"));
	await instance.startDaemon();
	const { next, timeline } = await crashed("alone");
	expect(next.number).toBe(2);
	expect(timeline).toContain("the guest has restarted or shut down: its session ends with that");
	const { console } = instance.paths.server("alone").session(1);
	expect((await readFile(console, "latin1")).match(/scene 0\n/g)).toHaveLength(1);
});

test("of one whose panic device tells, the host keeps a dump, and its screen says why", async () => {
	await untilScene("kept", 1, 1);
	await tell("kept", 2);
	const { next, incident, timeline } = await crashed("kept");
	expect(next.number).toBe(2);
	expect(incident).toMatchObject({ cause: "panic", outcome: "recovered", details });
	expect(incident?.summary).toMatch(summary);
	expect(timeline, timeline.join("\n")).toContain("a dump of its memory is kept");
	const dump = evidenceOf("kept", "memory.dump");
	// A kdump file, in the form that makedumpfile calls flattened.
	expect((await readFile(dump)).subarray(0, 12).toString("latin1")).toBe("makedumpfile");
	expect((await stat(dump)).uid).toBe(0);
	// Whatever it would have gone on to do, it did not.
	expect(await readFile(evidenceOf("kept", "qmp.log"), "utf8")).not.toContain('"execute":"cont"');
});
