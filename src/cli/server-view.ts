import type { PublishedView, ServerState, ServerView } from "../api/server.ts";
import { formatDuration, formatSize } from "../api/units.ts";
import { portsText, whoText } from "./published-view.ts";
import { type Column, fits, pairs, table } from "./table.ts";
import { type Line, type Part, type Style, styled } from "./terminal.ts";
import { formatAgo, formatCoarse, formatTime } from "./time.ts";

const stateStyle = {
	stopped: "dim",
	starting: "yellow",
	running: "green",
	asleep: "dim",
	recovering: "yellow",
	stopping: "yellow",
	failed: "red",
} as const satisfies Record<ServerState, Style>;

const columns: Column[] = [
	{ title: "SERVER" },
	{ title: "STATE" },
	{ title: "SESSION", align: "right" },
	{ title: "UP", align: "right" },
	{ title: "ADDRESS" },
	{ title: "PUBLISHED", least: 9 },
	{ title: "INCIDENTS", align: "right" },
	{ title: "REASON" },
];

/** The list of servers. Where a line would not hold the reasons, they come under it: they are what one looks for. */
export function serverTable(servers: readonly ServerView[], width?: number, now = Date.now()): Line[] {
	const rows = servers.map((server) => [
		styled(server.name, "bold"),
		stateOf(server),
		server.session ? `#${server.session.number}` : "",
		upFor(server, now),
		server.address ?? "",
		server.published.map(shortPublished).join(", "),
		server.incidents > 0 ? String(server.incidents) : "",
		server.reason,
	]);
	const wide = table(columns, rows);
	if (fits(wide, width)) return wide;
	const reasons = servers.filter((server) => server.reason !== "");
	return [
		...table(columns.slice(0, -1), rows, width),
		...(reasons.length > 0 ? [[]] : []),
		...reasons.map(({ name, reason }) => [styled(name, "bold"), `: ${reason}`]),
	];
}

function stateOf(server: ServerView): Part {
	const text = server.maintenance ? `${server.state} (maintenance)` : server.state;
	return styled(text, stateStyle[server.state]);
}

/** Since when it has been ready, not since when its process runs. */
function upFor(server: ServerView, now: number): string {
	const since = server.session?.readyAt;
	return since == null ? "" : formatCoarse(now - since);
}

function shortPublished({ service, to, listen }: PublishedView): string {
	return listen === null ? `${service} ${to}` : `${service} ${to}:${listen}`;
}

/** Everything about one server. */
export function serverLines(server: ServerView, now = Date.now()): Line[] {
	const { attempts, withinMs, mode } = server.recovery;
	return [
		...pairs([
			["Server", styled(server.name, "bold")],
			["State", stateOf(server)],
			...(server.reason ? [["Reason", server.reason] as const] : []),
			["Wanted", server.wanted],
			["Session", sessionText(server, now)],
			["Comes from", server.source],
			["Hardware", `${plural(server.cpus, "processor")}, ${formatSize(server.memoryBytes)} of memory`],
			...(server.guest === "linux" && server.firmware === "bios"
				? []
				: [["Built for", platformText(server)] as const]),
			...(server.discs.length > 0 ? [["In its drives", server.discs.join(", ")] as const] : []),
			["System disk", server.systemDisk === "kept" ? "kept" : "disposable: ends with each session"],
			["Data disks", server.dataDisks.join(", ") || "none"],
			...(server.domain ? [["Domain", domainText(server.domain)] as const] : []),
			["Address", server.address ?? "none: no network"],
			...(server.after.length > 0 ? [["Comes after", server.after.join(", ")] as const] : []),
			["Recovery", `${mode}, at most ${plural(attempts, "attempt")} in ${formatDuration(withinMs)}`],
			...(server.warm ? [["Seal", sealText(server.warm)] as const] : []),
			["Watched by", server.watch.join(", ") || "the end of its process"],
			["Incidents", String(server.incidents)],
		]),
		...publishedLines(server),
		...hints(server),
	];
}

function domainText({ realm, origin }: NonNullable<ServerView["domain"]>): string {
	return `controller of ${realm}${origin === "found" ? ", which is managed with its own tools" : ""}`;
}

function sessionText({ session }: ServerView, now: number): string {
	if (!session) return "none";
	const { number, pid, startedAt, readyAt, accelerator, from } = session;
	const ready = readyAt === null ? "not ready yet" : `ready after ${formatDuration(readyAt - startedAt)}`;
	return `#${number}, since ${formatTime(startedAt)} (${formatAgo(startedAt, now)}), ${ready}, process ${pid}, ${accelerator}${from === "seal" ? ", from the seal" : ""}`;
}

function platformText({ guest, firmware, tpm }: ServerView): string {
	const words = { bios: "BIOS", uefi: "UEFI", "uefi-secure": "UEFI with Secure Boot" } as const;
	return [guest, words[firmware], ...(tpm ? ["TPM 2.0"] : [])].join(", ");
}

function sealText({ seal, why, standbys }: NonNullable<ServerView["warm"]>): string {
	if (seal === "ready") return `ready, ${plural(standbys, "next session")} standing by`;
	const what = seal === "making" ? "is being made" : "none";
	return why ? `${what}: ${why}` : what;
}

function publishedLines(server: ServerView): Line[] {
	if (server.published.length === 0) return [];
	const rows = server.published.map((each) => [
		each.service,
		each.protocol,
		whoText(each),
		each.listen === null ? "own address" : String(each.listen),
		portsText(each.ports),
	]);
	const titles: Column[] = [
		{ title: "SERVICE" },
		{ title: "PROTOCOL" },
		{ title: "FOR" },
		{ title: "HOST PORT", align: "right" },
		{ title: "SERVER PORT" },
	];
	return [[], ...table(titles, rows)];
}

function hints(server: ServerView): Line[] {
	const lines: Line[] = [];
	if (server.restartNeeded) {
		lines.push([
			`Its definition has changed: \`bulkhead restart ${server.name}\` makes the change take effect.`,
		]);
	}
	if (server.maintenance) {
		lines.push([`Failures are not judged: \`bulkhead maintenance off ${server.name}\` ends that.`]);
	}
	return lines.length > 0 ? [[], ...lines.map((line) => [styled(line.join(""), "yellow")])] : [];
}

export function plural(count: number, noun: string): string {
	return count === 1 ? `1 ${noun}` : `${count} ${noun}s`;
}

/** Says how a server is that was told to run: where, and how long that took. */
export function runningLine(server: ServerView): Line {
	const { session } = server;
	if (server.state !== "running" || !session)
		return [styled(server.name, "bold"), " is ", stateOf(server), "."];
	const took =
		session.readyAt === null ? "" : `, ready after ${formatDuration(session.readyAt - session.startedAt)}`;
	return [styled(server.name, "bold"), " is ", stateOf(server), ` in session ${session.number}${took}.`];
}
