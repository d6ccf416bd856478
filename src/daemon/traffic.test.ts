import { expect, test } from "vitest";
import type { AllowDefinition } from "../api/site.ts";
import { type InboundServer, type InboundWay, namesOf } from "../network/inbound/plan.ts";
import { passedCounter } from "../network/outbound/plan.ts";
import { elementsIn } from "../network/passed.ts";
import type { Counted } from "../network/plan.ts";
import type { TrafficDay } from "../store/traffic-tables.ts";
import { allowedOf, type WayBetween } from "./between.ts";
import { waysOf } from "./traffic.ts";
import { betweenSamplesOf, inboundSamplesOf, outboundSamplesOf } from "./traffic-samples.ts";

const day = (more: Partial<TrafficDay>): TrafficDay => ({
	...{ way: "published http on port 8080", client: "192.0.2.7", day: "2026-11-23" },
	...{ connections: 2, count: 20, bytesIn: 200, bytesOut: 2000, first: 10, last: 20, ...more },
});

test("days and clients of a way are added up, the client that came last first", () => {
	const [way, ...none] = waysOf([
		day({ first: 10, last: 20 }),
		day({ day: "2026-11-24", first: 30, last: 40 }),
		day({ client: "192.0.2.8", connections: 1, first: 15, last: 50 }),
	]);
	expect(none).toEqual([]);
	expect(way).toEqual({
		...{
			kind: "published",
			what: "http on port 8080",
			connections: 5,
			count: 60,
			bytesIn: 600,
			bytesOut: 6000,
		},
		...{ first: 10, last: 50, clientCount: 2 },
		clients: [
			{ client: "192.0.2.8", connections: 1, count: 20, bytesIn: 200, bytesOut: 2000, first: 15, last: 50 },
			{ client: "192.0.2.7", connections: 4, count: 40, bytesIn: 400, bytesOut: 4000, first: 10, last: 40 },
		],
		days: [
			{ day: "2026-11-23", used: 3 },
			{ day: "2026-11-24", used: 2 },
		],
	});
});

test("what is published comes first, then ways out, then what was dropped; what is unknown is left out", () => {
	const ways = waysOf([
		day({ way: "dropped outside", client: "", connections: 0 }),
		day({ way: "outbound anywhere tcp 443", client: "", connections: 0 }),
		day({ way: "published ssh on port 22", connections: 1 }),
		day({}),
		day({ way: "of a later version" }),
	]);
	expect(ways.map(({ kind, what }) => `${kind}: ${what}`)).toEqual([
		"published: http on port 8080",
		"published: ssh on port 22",
		"outbound: anywhere tcp 443",
		"dropped: outside",
	]);
	expect(ways[2]).toMatchObject({ clients: [], clientCount: 0, days: [{ day: "2026-11-23", used: 20 }] });
});

const [web, db] = ["10.77.0.20", "10.77.0.21"];
/** What web may open to db. */
const ways = (...allow: Omit<AllowDefinition, "from">[]): WayBetween[] =>
	allowedOf({ allow: allow.map((entry) => ({ from: "web", ...entry })) }, {}).flatMap((allowed) =>
		"missing" in allowed
			? []
			: {
					...{ from: "web", to: "db", allowed },
					paths: allowed.ports.map(({ protocol, first }) => ({ from: web, to: db, protocol, port: first })),
				},
	);
const elements = (...counted: [protocol: string, port: number, packets: number][]) =>
	elementsIn(
		JSON.stringify({
			nftables: [
				{
					set: {
						...{ table: "bulkhead", name: "allowed" },
						elem: counted.map(([protocol, port, packets]) => ({
							elem: {
								val: { concat: [web, db, protocol, port] },
								counter: { packets, bytes: 100 * packets },
							},
						})),
					},
				},
			],
		}),
	);
const between = (of: WayBetween[], ...counted: Parameters<typeof elements>) =>
	betweenSamplesOf(of, elements(...counted), "bh-home")
		.filter(({ server }) => server === "db")
		.map(({ way, count }) => [way, count]);

test("ways between servers that would be called the same say their ports; others are called as ever", () => {
	const two = ways({ service: "app", port: 9000 }, { service: "app", port: 9001 }, { service: "ssh" });
	expect(between(two, ["tcp", 9000, 1000], ["tcp", 9001, 10], ["tcp", 22, 7])).toEqual([
		["between web to db's app (tcp 9000)", 1000],
		["between web to db's app (tcp 9001)", 10],
		["between web to db's ssh", 7],
	]);
	const dns = ways({ service: "dns", protocol: "tcp" }, { service: "dns", protocol: "udp" }, { port: 4711 });
	expect(between(dns, ["tcp", 53, 1], ["udp", 53, 2], ["tcp", 4711, 3])).toEqual([
		["between web to db's dns (tcp 53)", 1],
		["between web to db's dns (udp 53)", 2],
		["between web to db's tcp 4711", 3],
	]);
});

test("what is allowed twice is one way, and counts once", () => {
	const twice = ways(
		{ service: "app", port: 9000 },
		{ service: "app", port: 9000 },
		{ port: 1 },
		{ port: 1 },
	);
	expect(between(twice, ["tcp", 9000, 1000], ["tcp", 1, 5])).toEqual([
		["between web to db's app", 1000],
		["between web to db's tcp 1", 5],
	]);
});

test("what has gone is read once for all ways: there are as many elements as ways", () => {
	const read: string[] = [];
	class Listed extends Map<string, Counted> {
		override [Symbol.iterator]() {
			read.push("all of them");
			return super[Symbol.iterator]();
		}
	}
	const ports = Array.from({ length: 50 }, (_, i) => 9000 + i);
	const counted = elements(...ports.map((port) => ["tcp", port, 1] as [string, number, number]));
	const allowed = new Listed(counted.allowed);
	const samples = betweenSamplesOf(
		ways(...ports.map((port) => ({ port }))),
		{ ...counted, allowed },
		"bh-home",
	);
	expect(samples.map(({ count }) => count)).toEqual(samples.map(() => 1));
	expect(samples).toHaveLength(100);
	expect(read).toHaveLength(1);
});

test("a way between servers is known by its port, whatever it is called", () => {
	const counterOf = (of: WayBetween[]) => betweenSamplesOf(of, elements(), "bh-home")[0]?.counter;
	const app = { service: "app", port: 9000 };
	expect(counterOf(ways(app))).toBe(counterOf(ways(app, { service: "app", port: 9001 })));
	expect(counterOf(ways(app))).not.toBe(counterOf(ways({ service: "app", port: 9001 })));
});

const addressWay = (service: string, port: number, protocol: "tcp" | "udp" = "tcp"): InboundWay => ({
	...{ service, to: "host", ports: [{ protocol, first: port, last: port }] },
});
const inbound = (...own: InboundWay[]): InboundServer => ({
	...{ name: "db", address: db, ways: own },
	redirects: [{ service: "ntp", to: "lan", listen: 123, port: 123 }],
});

test("of several services of one name at the own address each says its port, and has its own clients", () => {
	const [one, other, ssh] = [addressWay("app", 9000), addressWay("app", 9001), addressWay("ssh", 22)];
	const bytes = (way: InboundWay, bytes: number) => [namesOf("db", way).in, { packets: 1, bytes }] as const;
	const samples = inboundSamplesOf(
		[inbound(one, other, ssh)],
		new Map([bytes(one, 1000), bytes(other, 10), bytes(ssh, 7)]),
		new Map([[namesOf("db", other).clients, [{ client: "192.0.2.7", connections: 3 }]]]),
		"bh-home",
	);
	expect(samples.map(({ way, client, connections, bytesIn }) => [way, client, connections, bytesIn])).toEqual(
		[
			["published app (tcp 9000) at its own address", "", 0, 1000],
			["published app (tcp 9001) at its own address", "", 0, 10],
			["published app (tcp 9001) at its own address", "192.0.2.7", 3, 0],
			["published ssh at its own address", "", 0, 7],
			["published ntp on UDP port 123", "", 0, 0],
			["dropped arriving", "", 0, 0],
		],
	);
	const alone = inboundSamplesOf([inbound(one, ssh)], new Map(), new Map(), "bh-home");
	expect(alone[0]).toMatchObject({ way: "published app at its own address", counter: samples[0]?.counter });
	expect(samples[0]?.counter).not.toBe(samples[1]?.counter);
});

test("a rule that is written twice counts once", () => {
	const rule = { to: "any", protocol: "tcp" as const, ports: [[443, 443] as const] };
	const counters = new Map([[passedCounter("db", rule), { packets: 5, bytes: 500 }]]);
	const samples = outboundSamplesOf([{ name: "db", rules: [rule, rule] }], counters, "bh-home");
	expect(samples).toMatchObject([{ way: "outbound anywhere tcp 443", count: 5, bytesOut: 500 }]);
});
