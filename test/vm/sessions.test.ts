import { setTimeout as delay } from "node:timers/promises";
import { beforeAll, describe, expect, test } from "vitest";
import type { Incident } from "../../src/api/incident.ts";
import type { Fault } from "../../src/api/server.ts";
import { evidencePath, screenshotPath } from "../../src/client/http.ts";
import { freePort, instanceForTests, panic, report, SteadyClient, text, tiny, until } from "./harness.ts";

/** One real server and what can happen to its sessions. */
const bulkhead = instanceForTests();
const { client } = bulkhead;
const server = "t1";
const png = Buffer.from("89504e470d0a1a0a", "hex");
let port: number;

/** @returns the text of an incident's evidence file */
async function evidence(incident: Incident, file: string): Promise<Buffer> {
	return await client.bytes(evidencePath(incident.id, file));
}

beforeAll(async () => {
	port = await freePort();
	await bulkhead.apply({
		name: "sess",
		segments: { lab: { subnet: "10.90.0.0/24" } },
		servers: { [server]: tiny("10.90.0.10", port) },
	});
});

describe("a server", () => {
	test("runs after it was applied, and is served through its front door", async () => {
		const view = await bulkhead.until(server, "running");
		expect(view).toMatchObject({ wanted: "running", incidents: 0, restartNeeded: false });
		expect(view.session).toMatchObject({ number: 1 });
		expect(await text(port)).toMatch(/^server=t1 session=1 boot=/);
		const screen = await client.bytes(screenshotPath(server));
		expect(screen.subarray(0, 8)).toEqual(png);
	});

	test("that panics by itself is recovered, and everything about it is kept", async () => {
		const before = await bulkhead.session(server);
		await Promise.all([panic(port), bulkhead.untilNext(server, before.number)]);
		expect(await text(port)).toMatch(/^server=t1 session=2 boot=/);
		const incident = await bulkhead.incident(`${server}-${before.number}`);
		expect(incident).toMatchObject({
			...{ server, session: before.number, cause: "panic", drill: null },
			...{ outcome: "recovered", nextSession: before.number + 1 },
		});
		expect(incident.outageMs).toBeGreaterThan(0);
		expect((await evidence(incident, "screen.png")).subarray(0, 8)).toEqual(png);
		expect(String(await evidence(incident, "console.txt"))).toContain("Kernel panic - not syncing");
		expect(JSON.parse(String(await evidence(incident, "argv.json")))[0]).toBe("qemu-system-x86_64");
		expect(String(await evidence(incident, "qmp.log"))).toContain("GUEST_PANICKED");
		const moments = incident.timeline.map(({ atMs }) => atMs);
		expect(moments.length).toBeGreaterThan(3);
		expect(moments).toEqual(moments.toSorted((a, b) => a - b));
	});

	test.each<[Fault, string]>([
		["panic", "panic"],
		["kill", "process-ended"],
		["hang", "hang"],
		["freeze", "frozen"],
	])("recovers from the drill %s, which is seen as %s", async (fault, cause) => {
		const before = await bulkhead.session(server);
		const { session } = await client.call("drill", { server }, { fault });
		expect(session).toBe(before.number);
		const after = await bulkhead.untilNext(server, before.number);
		expect(after.number).toBe(before.number + 1);
		expect(after.pid).not.toBe(before.pid);
		const incident = await bulkhead.incident(`${server}-${before.number}`);
		expect(incident).toMatchObject({ cause, outcome: "recovered", drill: { fault } });
		expect(await text(port)).toContain(`session=${after.number} `);
		report(`outage of the drill ${fault}, cold`, { outageMs: incident.outageMs });
	});

	test("serves every GET of a steady client across a panic, and says what the client felt", async () => {
		const before = await bulkhead.session(server);
		const steady = new SteadyClient(port, 50);
		await delay(2000);
		await client.call("drill", { server }, { fault: "panic" });
		await bulkhead.untilNext(server, before.number);
		await delay(2000);
		const load = await steady.stop();
		const { felt, outageMs } = await bulkhead.incident(`${server}-${before.number}`);
		report("a steady client over a cold recovery", { ...load, outageMs, felt });
		expect(load.failures).toEqual([]);
		expect(load.requests).toBeGreaterThan(100);
		expect(felt?.failed).toBe(0);
		expect(felt?.held).toBeGreaterThan(0);
		// It counts from when a request came in to when it was answered, and sums up soon after: a client on a busy machine
		// waits longer than that, never less, but for how exactly both tell the time.
		expect(felt?.longestPauseMs).toBeLessThan(load.longestMs + 100);
		expect(felt?.longestPauseMs).toBeGreaterThan((outageMs ?? 0) / 2);
	});

	test("that restarts itself stays in its session, without an incident", async () => {
		const before = await bulkhead.show(server);
		const boot = await text(port);
		await bulkhead.type(server, "reboot", 5000);
		await until("another boot", async () => (await text(port).catch(() => boot)) !== boot, 60_000);
		const after = await bulkhead.until(server, "running");
		expect(after.session?.number).toBe(before.session?.number);
		expect(after.session?.pid).toBe(before.session?.pid);
		expect(after.incidents).toBe(before.incidents);
		const told = (await bulkhead.events()).map((event) => event.text);
		expect(told).toContain("The guest restarts itself");
	});

	test("is restarted in a new session", async () => {
		const before = await bulkhead.show(server);
		await client.call("restart", { server }, { deadlineMs: 60_000 });
		const after = await bulkhead.untilNext(server, before.session?.number ?? 0);
		expect(after.number).toBe((before.session?.number ?? 0) + 1);
		expect((await bulkhead.show(server)).incidents).toBe(before.incidents);
	});

	test("is left alone during maintenance, and recovered when that ends", async () => {
		const before = await bulkhead.show(server);
		const number = before.session?.number ?? 0;
		await client.call("maintenance", { server }, { on: true });
		const cut = panic(port);
		const told = async () =>
			(await bulkhead.events()).some(
				({ kind, session, text }) =>
					kind === "maintenance" && session === number && text.includes("nothing is done"),
			);
		await until("the panic told", told, 30_000);
		await delay(2000);
		expect(await bulkhead.show(server)).toMatchObject({
			state: "running",
			maintenance: true,
			incidents: before.incidents,
			session: { number, pid: before.session?.pid },
		});
		await client.call("maintenance", { server }, { on: false });
		await bulkhead.untilNext(server, number);
		expect(await bulkhead.incident(`${server}-${number}`)).toMatchObject({
			cause: "panic",
			outcome: "recovered",
		});
		await cut;
	});

	test("is stopped by its power button, and started again", async () => {
		const before = await bulkhead.show(server);
		const began = performance.now();
		await client.call("stop", { server }, { deadlineMs: 60_000 });
		const stopped = await bulkhead.until(server, "stopped");
		report("stopping by the power button", { ms: Math.round(performance.now() - began) });
		expect(stopped).toMatchObject({ wanted: "stopped", session: null, incidents: before.incidents });
		expect((await bulkhead.events()).map((event) => event.text).join("\n")).not.toContain("switched off");
		await client.call("start", { server }, null);
		await bulkhead.untilNext(server, before.session?.number ?? 0);
	});

	test("that shuts itself down stays down, without an incident", async () => {
		const before = await bulkhead.show(server);
		await bulkhead.type(server, "poweroff", 5000);
		const after = await bulkhead.until(server, "stopped");
		expect(after).toMatchObject({
			...{ wanted: "stopped", session: null, incidents: before.incidents },
			reason: "the guest shut itself down",
		});
		await delay(2000);
		expect((await bulkhead.show(server)).state).toBe("stopped");
		// Of the front door: HAProxy and its bubblewrap, what takes uploads in, and what begins that again; what answers
		// names, and its own bubblewrap; what tells addresses, and its own.
		expect(await bulkhead.processes()).toHaveLength(8);
	});
});
