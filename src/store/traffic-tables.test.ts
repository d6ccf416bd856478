import { DatabaseSync } from "node:sqlite";
import { expect, test } from "vitest";
import { type TrafficSample, TrafficTables } from "./traffic-tables.ts";

const noon = Date.UTC(2026, 10, 23, 12);
const day = 86_400_000;
const sample = (count: number, more: Partial<TrafficSample> = {}): TrafficSample => ({
	...{ server: "web", way: "published http 8080", client: "192.0.2.7", source: "100" },
	...{ connections: count, count: 10 * count, bytesIn: 100 * count, bytesOut: 1000 * count, ...more },
});
const tables = () => new TrafficTables(new DatabaseSync(":memory:"));
const counts = (of: TrafficTables, since = 0) =>
	of.of("web", since).map(({ day, client, connections }) => [day, client, connections]);

test("what has come since the sample before counts, to the day on which it was seen", () => {
	const own = tables();
	own.add(noon, [sample(2)]);
	own.add(noon + 1, [sample(2)]);
	own.add(noon + 2, [sample(5)]);
	own.add(noon + day, [sample(9)]);
	expect(counts(own)).toEqual([
		["2026-11-23", "192.0.2.7", 5],
		["2026-11-24", "192.0.2.7", 4],
	]);
	expect(own.of("web", noon)[0]).toMatchObject({
		count: 50,
		bytesIn: 500,
		bytesOut: 5000,
		first: noon,
		last: noon + 2,
	});
	expect(counts(own, noon + day)).toEqual([["2026-11-24", "192.0.2.7", 4]]);
	expect(own.of("other", 0)).toEqual([]);
});

test("another source begins at 0, and so does one that has forgotten", () => {
	const own = tables();
	own.add(noon, [sample(5)]);
	own.add(noon, [sample(5, { source: "101" })]);
	own.add(noon, [sample(1, { source: "101" })]);
	expect(counts(own)).toEqual([["2026-11-23", "192.0.2.7", 11]]);
});

test("another source counts all that it has, also more than the one before had when it was seen last", () => {
	const own = tables();
	own.add(noon, [sample(5, { source: "bh-home boot1 7 table.1" })]);
	own.add(noon, [sample(9, { source: "bh-home boot2 7 table.1" })]);
	own.add(noon, [sample(0, { source: "bh-home boot2 7 table.2" })]);
	own.add(noon, [sample(9, { source: "bh-home boot2 7 table.2" })]);
	expect(counts(own)).toEqual([["2026-11-23", "192.0.2.7", 5 + 9 + 9]]);
});

test("what an earlier version called by the sandbox's name goes on, once", () => {
	const own = tables();
	own.add(noon, [sample(5, { source: "bh-home" })]);
	own.add(noon, [sample(5, { source: "bh-home boot1 7 table.1" })]);
	expect(counts(own)).toEqual([["2026-11-23", "192.0.2.7", 5]]);
	own.add(noon, [sample(9, { source: "bh-home boot2 7 table.1" })]);
	expect(counts(own)).toEqual([["2026-11-23", "192.0.2.7", 5 + 9]]);
});

test("two counters that are called the same are added up, and count nothing when nothing comes", () => {
	const own = tables();
	for (let minute = 0; minute < 10; minute++) own.add(noon + minute, [sample(1000), sample(10)]);
	expect(counts(own)).toEqual([["2026-11-23", "192.0.2.7", 1010]]);
	own.add(noon + 10, [sample(10), sample(1001)]);
	expect(counts(own)).toEqual([["2026-11-23", "192.0.2.7", 1011]]);
});

test("a counter that goes on counts once, whatever its way is called", () => {
	const own = tables();
	const named = (count: number, way: string, counter: string) => sample(count, { way, counter });
	own.add(noon, [sample(5, { way: "app" })]);
	own.add(noon, [named(5, "app", "c1")]);
	own.add(noon, [named(7, "app 9000", "c1"), named(3, "app 9001", "c2")]);
	own.add(noon, [named(8, "app", "c1")]);
	// Another counter comes to be called so.
	own.add(noon, [named(9, "app", "c3")]);
	expect(own.of("web", 0).map(({ way, connections }) => [way, connections])).toEqual([
		["app", 5 + 1 + 9],
		["app 9000", 2],
		["app 9001", 3],
	]);
});

test("clients, ways and servers are counted apart, and the rest is as before when one cannot be", () => {
	const own = tables();
	own.add(noon, [
		sample(1),
		sample(2, { client: "192.0.2.8" }),
		sample(3, { way: "x" }),
		sample(4, { server: "db" }),
	]);
	expect(counts(own)).toEqual([
		["2026-11-23", "192.0.2.7", 1],
		["2026-11-23", "192.0.2.8", 2],
		["2026-11-23", "192.0.2.7", 3],
	]);
	const wrong = { ...sample(9), bytesOut: 1.5 };
	expect(() => own.add(noon, [sample(7), wrong])).toThrow();
	expect(counts(own)[0]).toEqual(["2026-11-23", "192.0.2.7", 1]);
});

test("of a flood of clients those beyond the first 300 of a day are counted together, and none is left out", () => {
	const own = tables();
	const flood = Array.from({ length: 1000 }, (_, n) => sample(1, { client: `2001:db8::${n.toString(16)}` }));
	own.add(noon, flood);
	own.add(
		noon + 1,
		flood.map((one) => ({ ...one, connections: 2 })),
	);
	const rows = own.of("web", 0);
	expect(rows).toHaveLength(301);
	expect(rows.find(({ client }) => client === "others")?.connections).toBe(2 * 700);
	expect(rows.reduce((all, { connections }) => all + connections, 0)).toBe(2000);
});

test("who was forgotten by what counts, and comes again, counts anew", () => {
	const own = tables();
	own.add(noon, [sample(5), sample(1, { client: "192.0.2.8" })]);
	own.add(noon, [sample(1, { client: "192.0.2.8" })]);
	own.add(noon, [sample(7), sample(1, { client: "192.0.2.8" })]);
	expect(counts(own)[0]).toEqual(["2026-11-23", "192.0.2.7", 12]);
});

test("a server that is gone leaves nothing", () => {
	const own = tables();
	own.add(noon, [sample(5), sample(5, { server: "db" })]);
	own.forget("web");
	expect(counts(own)).toEqual([]);
	expect(own.of("db", 0)).toHaveLength(1);
	own.add(noon, [sample(2)]);
	expect(counts(own)).toEqual([["2026-11-23", "192.0.2.7", 2]]);
});

test("what is older than 400 days is forgotten", () => {
	const own = tables();
	own.add(noon, [sample(1)]);
	own.add(noon + 401 * day, [sample(2)]);
	expect(counts(own)).toEqual([["2027-12-29", "192.0.2.7", 1]]);
});
