import { setTimeout as delay } from "node:timers/promises";
import { beforeAll, describe, expect, test } from "vitest";
import { freePort, instanceForTests, panic, report, SteadyClient, text, tiny, until } from "./harness.ts";

/** The daemon is killed at the worst of moments; sessions run on, and the next daemon takes them over. */
const bulkhead = instanceForTests();
const { client } = bulkhead;
const server = "t1";
let port: number;

/** @returns the id of the last event */
async function lastEvent(): Promise<number> {
	return (await bulkhead.events()).at(-1)?.id ?? 0;
}

beforeAll(async () => {
	port = await freePort();
	await bulkhead.apply({
		name: "dmn",
		segments: { lab: { subnet: "10.91.0.0/24" } },
		servers: { [server]: tiny("10.91.0.10", port) },
	});
	await bulkhead.until(server, "running");
});

describe("a daemon that is killed", () => {
	test("leaves its session running and served; the next one takes it over", async () => {
		const before = await bulkhead.show(server);
		const event = await lastEvent();
		const steady = new SteadyClient(port, 50);
		await delay(500);
		await bulkhead.endDaemon("SIGKILL");
		await delay(2000);
		await bulkhead.startDaemon();
		const after = await bulkhead.until(server, "running");
		await delay(1500);
		const load = await steady.stop();
		report("a steady client over SIGKILL of the daemon", load);
		expect(load.failures).toEqual([]);
		expect(after.session).toEqual(before.session);
		expect(await client.call("list", {}, null)).toEqual([{ ...before, reason: after.reason }]);
		// Nothing that was told is lost: each daemon numbers its events one by one, from the time of its start on.
		const events = await bulkhead.events();
		const ids = events.map(({ id }) => id);
		const begins = ids.filter((id, i) => i === 0 || id !== (ids[i - 1] ?? 0) + 1);
		expect(begins).toHaveLength(2);
		expect(begins[1]).toBeGreaterThan(event);
		expect(events.find(({ id }) => id === event)).toBeDefined();
		expect(events.some(({ id, text }) => id > event && text.includes("was taken over"))).toBe(true);
	});

	test("and a guest that panics meanwhile: the next one recovers it", async () => {
		const before = await bulkhead.session(server);
		await bulkhead.endDaemon("SIGKILL");
		const cut = panic(port);
		await delay(1500);
		await bulkhead.startDaemon();
		const after = await bulkhead.untilNext(server, before.number);
		expect(after.number).toBe(before.number + 1);
		const incident = await bulkhead.incident(`${server}-${before.number}`);
		expect(incident).toMatchObject({ cause: "panic", outcome: "recovered", nextSession: after.number });
		expect(incident.evidence).toEqual(expect.arrayContaining(["console.txt", "screen.png"]));
		expect(await text(port)).toContain(`session=${after.number} `);
		await cut;
	});

	test("and a QEMU that is killed meanwhile: the next one recovers it", async () => {
		const before = await bulkhead.session(server);
		await bulkhead.endDaemon("SIGKILL");
		process.kill(before.pid, "SIGKILL");
		await delay(500);
		await bulkhead.startDaemon();
		const after = await bulkhead.untilNext(server, before.number);
		expect(after.number).toBe(before.number + 1);
		const incident = await bulkhead.incident(`${server}-${before.number}`);
		expect(incident).toMatchObject({ cause: "process-ended", outcome: "recovered" });
		expect(incident.evidence).toContain("console.txt");
		expect(await text(port)).toContain(`session=${after.number} `);
	});

	test.each([0, 100, 400])("%i ms into a recovery: the next one finishes it", async (afterMs) => {
		const before = await bulkhead.show(server);
		const number = before.session?.number ?? 0;
		await client.call("drill", { server }, { fault: "panic" });
		await delay(afterMs);
		await bulkhead.endDaemon("SIGKILL");
		await bulkhead.startDaemon();
		const after = await bulkhead.untilNext(server, number);
		const incident = await bulkhead.incident(`${server}-${number}`);
		expect(incident).toMatchObject({ cause: "panic", outcome: "recovered" });
		expect((await bulkhead.show(server)).incidents).toBe(before.incidents + 1);
		// One QEMU, and its bubblewrap; one HAProxy, and its own, what takes uploads in, and what begins that again; what
		// answers names, and its own; what tells addresses, and its own.
		await until("ten processes", async () => (await bulkhead.processes()).length === 10, 10_000);
		expect(await text(port)).toContain(`session=${after.number} `);
	});

	test("what went through is counted once, whoever counts it", async () => {
		const published = async () => {
			const { ways } = await client.call("traffic", { server }, null);
			return ways.find(({ kind }) => kind === "published");
		};
		const before = (await published())?.connections ?? 0;
		for (let i = 0; i < 3; i++) await text(port);
		const counted = await published();
		expect(counted).toMatchObject({ connections: before + 3, clientCount: 1 });
		expect(counted?.clients).toMatchObject([{ client: "127.0.0.1", connections: before + 3 }]);
		expect(counted?.bytesOut).toBeGreaterThan(counted?.bytesIn ?? 0);
		await bulkhead.endDaemon("SIGKILL");
		await bulkhead.startDaemon();
		expect((await published())?.connections).toBe(before + 3);
		await text(port);
		expect((await published())?.connections).toBe(before + 4);
		const { stdout } = await bulkhead.command("traffic", server);
		expect(stdout).toMatch(new RegExp(`^http on port ${port} +${before + 4} +\\d+ .* now +·{29}█$`, "m"));
		expect(stdout).toMatch(/^127\.0\.0\.1 /m);
	});

	test("cannot be doubled: a second one on its state directory says so and ends", async () => {
		const before = await bulkhead.show(server);
		const { code, stderr } = await bulkhead.command("daemon");
		expect(code).toBe(1);
		expect(stderr).toContain(`another daemon already works on ${bulkhead.state}`);
		expect(stderr).toContain("give this one another state directory");
		expect(await bulkhead.show(server)).toEqual(before);
		expect(await client.call("status", {}, null)).toMatchObject({ pid: bulkhead.pid });
	});

	test("and one that is told to end: the session runs on and is served", async () => {
		const before = await bulkhead.session(server);
		const event = await lastEvent();
		await bulkhead.endDaemon("SIGTERM");
		expect(await text(port)).toContain(`session=${before.number} `);
		await bulkhead.startDaemon();
		expect(await bulkhead.session(server)).toEqual(before);
		expect(await lastEvent()).toBeGreaterThan(event);
		const kinds = (await bulkhead.events()).filter(({ id }) => id > event).map(({ text }) => text);
		expect(kinds.join("\n")).toMatch(/ends on SIGTERM; sessions run on/);
	});
});
