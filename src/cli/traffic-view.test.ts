import { expect, test } from "vitest";
import type { TrafficView } from "../api/traffic.ts";
import { trafficLines } from "./traffic-view.ts";

const noon = Date.UTC(2026, 10, 23, 12);
const hour = 3_600_000;
const text = (of: TrafficView) =>
	trafficLines(of, noon)
		.map((line) => line.map((part) => (typeof part === "string" ? part : part.text)).join(""))
		.map((line) => line.trimEnd())
		.join("\n");

test("a line a way with a bar a day, and who came", () => {
	const amounts = {
		connections: 12,
		count: 340,
		bytesIn: 40_960,
		bytesOut: 5_242_880,
		first: 0,
		last: noon - 2 * hour,
	};
	const out = {
		...amounts,
		connections: 0,
		count: 7,
		bytesIn: 0,
		bytesOut: 700,
		clients: [],
		clientCount: 0,
	};
	const view: TrafficView = {
		server: "intranet",
		since: 0,
		ways: [
			{
				...{ kind: "published", what: "http on port 8080", ...amounts, clientCount: 12 },
				clients: [
					{ client: "192.0.2.7", ...amounts, last: noon - 5000 },
					{ client: "2001:db8::7", ...amounts, connections: 1, count: 0 },
				],
				days: [
					{ day: "2026-10-25", used: 1 },
					{ day: "2026-11-22", used: 4 },
					{ day: "2026-11-23", used: 8 },
				],
			},
			{ ...out, kind: "outbound", what: "192.0.2.10 tcp 443", days: [{ day: "2026-11-23", used: 7 }] },
			{
				...out,
				kind: "dropped",
				what: "outside",
				last: noon - 72 * hour,
				days: [{ day: "2026-11-20", used: 7 }],
			},
		],
	};
	expect(text(view)).toMatchInlineSnapshot(`
		"WAY                         CONNECTIONS   REQUESTS     IN   OUT  CLIENTS       LAST USE  30 DAYS
		http on port 8080                    12        340  40KiB  5MiB       12  2 h 0 min ago  ▁···························▄█
		to 192.0.2.10 tcp 443                    7 packets         700B           2 h 0 min ago  ·····························█
		dropped on its way outside               7 packets         700B             3 d 0 h ago  ··························█···

		Who used http on port 8080:
		WHO          CONNECTIONS  REQUESTS     IN   OUT       LAST USE
		192.0.2.7             12       340  40KiB  5MiB            now
		2001:db8::7            1            40KiB  5MiB  2 h 0 min ago
		and 10 more; --json has 12"
	`);
});

test("nothing yet", () => {
	expect(text({ server: "intranet", since: noon, ways: [] })).toBe(
		"Nothing has gone in or out of intranet since it is counted, 30 days at most.",
	);
});
