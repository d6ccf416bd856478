import type { Felt, Incident } from "../api/incident.ts";
import { formatDuration } from "../api/units.ts";
import { type Column, pairs, table } from "./table.ts";
import { type Line, type Style, type Styled, styled } from "./terminal.ts";
import { formatAgo, formatTime } from "./time.ts";
import { type TimelineOptions, timeline } from "./timeline.ts";

const outcomeStyle = {
	recovering: "yellow",
	recovered: "green",
	"failed-again": "red",
	"gave-up": "red",
	stopped: "dim",
} as const satisfies Record<Incident["outcome"], Style>;

const columns: Column[] = [
	{ title: "ID" },
	{ title: "WHEN" },
	{ title: "CAUSE" },
	{ title: "OUTCOME" },
	{ title: "OUTAGE", align: "right" },
	{ title: "HELD", align: "right" },
	{ title: "FAILED", align: "right" },
	{ title: "SUMMARY", least: 12 },
];

export function incidentTable(incidents: readonly Incident[], width?: number): Line[] {
	const rows = incidents.map((incident) => [
		incident.id,
		formatTime(incident.at),
		incident.drill ? `${incident.cause} (drill)` : incident.cause,
		outcomeOf(incident),
		incident.outageMs === null ? "" : formatDuration(incident.outageMs),
		incident.felt ? String(incident.felt.held) : "",
		incident.felt ? failedPart(incident.felt) : "",
		incident.summary,
	]);
	return table(columns, rows, width);
}

function outcomeOf(incident: Incident): Styled {
	return styled(incident.outcome, outcomeStyle[incident.outcome]);
}

function failedPart(felt: Felt): Styled {
	return felt.failed > 0 ? styled(String(felt.failed), "red") : styled("0");
}

/** Everything about one incident. */
export function incidentLines(incident: Incident, options: TimelineOptions): Line[] {
	const details = Object.entries(incident.details);
	return [
		[styled(`Incident ${incident.id}`, "bold"), `: ${incident.summary}`],
		[],
		...pairs(factsOf(incident)),
		[],
		[styled("Timeline", "bold"), ", in milliseconds since the first sign"],
		[],
		...timeline(incident, options),
		...(details.length > 0
			? [[], [styled("Details", "bold"), ", as the guest or QEMU gave them"], [], ...pairs(details)]
			: []),
		...evidenceLines(incident),
	];
}

function factsOf(incident: Incident): [string, string | Styled][] {
	const next = incident.nextSession === null ? "" : ` in session ${incident.nextSession}`;
	const outcome = outcomeOf(incident);
	return [
		["Server", `${incident.server}, session ${incident.session}`],
		["When", `${formatTime(incident.at)} (${formatAgo(incident.at)})`],
		["Cause", incident.drill ? `${incident.cause}, by a drill: ${incident.drill.fault}` : incident.cause],
		["Outcome", { ...outcome, text: outcome.text + next }],
		["Noticed", noticed(incident)],
		["Outage", incident.outageMs === null ? "not over" : formatDuration(incident.outageMs)],
		["Users felt", feltText(incident.felt)],
	];
}

/** What users felt, in a sentence. */
export function feltText(felt: Felt | null): string {
	if (!felt) return "not known: nothing is published, or it was not measured yet";
	if (felt.requests === 0) return "nothing: no request met it";
	const some = felt.requests === 1 ? "1 request met it" : `${felt.requests} requests met it`;
	const pause = formatDuration(felt.longestPauseMs);
	return `${some}: ${felt.held} waited and were served, ${felt.failed} failed; the longest took ${pause}`;
}

function evidenceLines(incident: Incident): Line[] {
	if (incident.evidence.length === 0) return [];
	return [
		[],
		[styled("Evidence", "bold"), `, shown by \`bulkhead incidents ${incident.id} --evidence FILE\``],
		[],
		...incident.evidence.map((file) => [`  ${file}`]),
	];
}

function noticed({ at, noticedAt, drill }: Incident): string {
	const after = noticedAt - (drill?.at ?? at);
	return after < 1 ? "at once" : `after ${formatDuration(after)}`;
}
