import { expect, test } from "vitest";
import type { TrafficDay } from "../store/traffic-tables.ts";
import { waysOf } from "./traffic.ts";

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
