import { type TrafficView, type TrafficWay, trafficDays } from "../api/traffic.ts";
import { formatDuration, formatSize } from "../api/units.ts";
import { type Column, table } from "./table.ts";
import { type Line, type Part, styled } from "./terminal.ts";

const clientsShown = 10;
const dayMs = 86_400_000;
const bars = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"] as const;

const columns: Column[] = [
	{ title: "WAY" },
	{ title: "CONNECTIONS", align: "right" },
	{ title: "REQUESTS", align: "right" },
	{ title: "IN", align: "right" },
	{ title: "OUT", align: "right" },
	{ title: "CLIENTS", align: "right" },
	{ title: "LAST USE", align: "right" },
	{ title: `${trafficDays} DAYS` },
];

/** One line a way with a bar a day, then who used each published service. @param now milliseconds since the Unix epoch */
export function trafficLines(view: TrafficView, now: number): Line[] {
	if (view.ways.length === 0)
		return [
			[`Nothing has gone in or out of ${view.server} since it is counted, ${trafficDays} days at most.`],
		];
	const rows = view.ways.map((way) => rowOf(way, now));
	return [...table(columns, rows), ...view.ways.flatMap((way) => clientLines(way, now))];
}

function rowOf(way: TrafficWay, now: number): Line {
	const isPublished = way.kind === "published";
	const dropped = way.what === "arriving" ? "dropped on its way in" : "dropped on its way outside";
	const title = { published: way.what, between: way.what, outbound: `to ${way.what}`, dropped }[way.kind];
	return [
		styled(title, isPublished ? "bold" : "dim"),
		isPublished ? String(way.connections) : "",
		isPublished ? (way.count > 0 ? String(way.count) : "") : `${way.count} packets`,
		// What comes back by a way out is not counted.
		isPublished || way.bytesIn > 0 ? formatSize(way.bytesIn) : "",
		isPublished || way.bytesIn === 0 ? formatSize(way.bytesOut) : "",
		isPublished ? String(way.clientCount) : "",
		ago(way.last, now),
		barsOf(way, now),
	];
}

/** One bar a day, the last one is today; a day without any use has none. */
function barsOf({ days }: TrafficWay, now: number): string {
	const used = new Map(days.map(({ day, used }) => [day, used]));
	const most = Math.max(1, ...used.values());
	return Array.from({ length: trafficDays }, (_, i) => {
		const day = new Date(now - (trafficDays - 1 - i) * dayMs).toISOString().slice(0, 10);
		const share = (used.get(day) ?? 0) / most;
		return share === 0 ? "·" : (bars[Math.ceil(share * bars.length) - 1] ?? "█");
	}).join("");
}

function clientLines({ what, clients, clientCount }: TrafficWay, now: number): Line[] {
	if (clients.length === 0) return [];
	const rows = clients
		.slice(0, clientsShown)
		.map(({ client, connections, count, bytesIn, bytesOut, last }): Part[] => [
			...[client, String(connections), count > 0 ? String(count) : ""],
			// Of a service without a front door only the bytes of all together are known.
			...(bytesIn + bytesOut > 0 ? [formatSize(bytesIn), formatSize(bytesOut)] : ["", ""]),
			ago(last, now),
		]);
	const more = clientCount - rows.length;
	const named: Column[] = [{ title: "WHO" }, ...columns.slice(1, 5), { title: "LAST USE", align: "right" }];
	return [
		[],
		[styled(`Who used ${what}:`, "bold")],
		...table(named, rows),
		...(more > 0 ? [[styled(`and ${more} more; --json has ${Math.min(100, clientCount)}`, "dim")]] : []),
	];
}

function ago(at: number, now: number): string {
	const ms = now - at;
	return ms < 60_000 ? "now" : `${formatDuration(ms)} ago`;
}
