import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { beforeAll, describe, expect, test } from "vitest";
import { detectGroupSupport } from "../../src/host/cgroup.ts";
import { clientFor } from "../../src/network/testing/client.ts";
import { freePort, instanceForTests, type Load, report, SteadyClient, tiny } from "./harness.ts";

/** One guest takes all that it can get; the other serves, and the daemon answers. */
const bulkhead = instanceForTests();
const { client } = bulkhead;
const ports = { wild: 0, calm: 0 };
const burnForMs = 5000;
const slowestAnswerMs = 5000;
const slowestListMs = 2000;

/** Bytes that the wild server's session may use, and the most that it has used. */
async function memoryOf(server: string): Promise<{ limit: number; peak: number }> {
	const hierarchy = detectGroupSupport().memory;
	const session = `${server}-${(await bulkhead.session(server)).number}`;
	const read = async (file: string) => {
		const path = join(hierarchy?.root ?? "", `bulkhead-${bulkhead.tag}`, session, file);
		return Number(await readFile(path, "utf8"));
	};
	const [limit, peak] =
		hierarchy?.version === 2
			? ["memory.max", "memory.peak"]
			: ["memory.limit_in_bytes", "memory.max_usage_in_bytes"];
	return { limit: await read(limit), peak: await read(peak) };
}

/** Asks the daemon for its list again and again. @returns how long each answer took, milliseconds, in order of size */
async function listTimes(forMs: number): Promise<number[]> {
	const took: number[] = [];
	for (const end = performance.now() + forMs; performance.now() < end; await delay(100)) {
		const began = performance.now();
		await client.call("list", {}, null);
		took.push(performance.now() - began);
	}
	return took.sort((a, b) => a - b);
}

/** What others notice during the next while. */
async function measure(): Promise<{ load: Load; lists: number[]; daemon: object }> {
	const steady = new SteadyClient(ports.calm, 100);
	const lists = await listTimes(burnForMs);
	const load = await steady.stop();
	const median = lists[Math.floor(lists.length / 2)] ?? 0;
	return {
		load,
		lists,
		daemon: { lists: lists.length, medianMs: Math.round(median), longestMs: Math.round(lists.at(-1) ?? 0) },
	};
}

beforeAll(async () => {
	for (const name of ["wild", "calm"] as const) ports[name] = await freePort();
	await bulkhead.apply({
		name: "wild",
		segments: { lab: { subnet: "10.94.0.0/24" } },
		servers: {
			wild: tiny("10.94.0.10", ports.wild, { data: [{ name: "scratch", size: "64MiB" }] }),
			calm: tiny("10.94.0.11", ports.calm),
		},
	});
	await bulkhead.until("wild", "running");
	await bulkhead.until("calm", "running");
});

describe("beside a guest that goes wild", () => {
	test("the other server and the daemon, before that", async () => {
		const { load, daemon } = await measure();
		report("beside a quiet guest", { load, daemon });
		expect(load.failures).toEqual([]);
	});

	test.each(["cpu", "memory", "disk&disk=scratch", "forks"])("burning %s", async (what) => {
		const calm = await bulkhead.session("calm");
		const before = await bulkhead.session("wild");
		const answer = await clientFor(ports.wild).request("POST", `/cgi-bin/burn?what=${what}`);
		expect(answer.body).toContain("burning");
		const { load, lists, daemon } = await measure();
		const memory = await memoryOf("wild").catch(() => undefined);
		report(`beside a guest that burns ${what}`, { load, daemon, memory });
		expect(load.failures).toEqual([]);
		expect(load.longestMs).toBeLessThan(slowestAnswerMs);
		expect(lists.at(-1)).toBeLessThan(slowestListMs);
		if (memory) expect(memory.peak).toBeLessThanOrEqual(memory.limit);
		expect(await bulkhead.incidents("calm")).toEqual([]);
		expect(await bulkhead.session("calm")).toEqual(calm);
		// It is brought to its senses by a new session.
		const { state } = await bulkhead.show("wild");
		if (state === "running") await client.call("restart", { server: "wild" }, { deadlineMs: 0 });
		await bulkhead.untilNext("wild", before.number);
	});
});
