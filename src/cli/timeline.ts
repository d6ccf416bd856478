import type { Incident } from "../api/incident.ts";
import { formatDuration } from "../api/units.ts";
import { table } from "./table.ts";
import { type Line, styled } from "./terminal.ts";

interface Phase {
	/** Milliseconds since the first sign; a drill's fault lies before it. */
	from: number;
	to: number;
	what: string;
}

export interface TimelineOptions {
	/** Columns of the terminal. */
	width: number;
	unicode: boolean;
}

/**
 * An incident's timeline: when each step was reached, how long it was until the next, a picture of that
 * scaled to the whole outage, and what happened.
 */
export function timeline(incident: Incident, options: TimelineOptions): Line[] {
	const phases = phasesOf(incident);
	const start = Math.min(...phases.map((phase) => phase.from));
	const end = Math.max(...phases.map((phase) => phase.to));
	const columns = [
		{ title: "MS", align: "right" },
		{ title: "TOOK", align: "right" },
		{ title: "" },
		{ title: "WHAT" },
	] as const;
	const cells = Math.min(40, Math.max(12, Math.floor((options.width - 24) / 2.5)));
	const rows = phases.map((phase) => [
		Math.round(phase.from).toString(),
		phase.to > phase.from ? formatDuration(phase.to - phase.from) : "",
		styled(
			bar(
				(phase.from - start) / (end - start || 1),
				(phase.to - start) / (end - start || 1),
				cells,
				options.unicode,
			),
			"cyan",
		),
		phase.what,
	]);
	return table(columns, rows);
}

/** Each entry with the time until the next; the last one lasts until the end of the outage when that is later. */
function phasesOf(incident: Incident): Phase[] {
	const entries = [...incident.timeline].sort((a, b) => a.atMs - b.atMs);
	const fault = incident.drill ? incident.drill.at - incident.at : 0;
	// The outage of a drill counts from the fault that was made, which nobody has seen yet.
	if (incident.drill && !entries.some((entry) => entry.atMs <= fault)) {
		entries.unshift({ atMs: fault, what: `the drill makes its fault: ${incident.drill.fault}` });
	}
	const outageEnd = incident.outageMs === null ? 0 : fault + incident.outageMs;
	return entries.map(({ atMs, what }, i) => {
		const next = entries[i + 1]?.atMs ?? Math.max(atMs, outageEnd);
		return { from: atMs, to: next, what };
	});
}

/** A bar from `from` to `to` (0 to 1) in a field of so many cells; what is too short for one is a thin line. */
function bar(from: number, to: number, cells: number, unicode: boolean): string {
	const [full, thin] = unicode ? ["█", "▏"] : ["#", "|"];
	const first = Math.min(cells - 1, Math.round(from * cells));
	const length = Math.min(cells - first, Math.round(to * cells) - first);
	return (" ".repeat(first) + (length > 0 ? full.repeat(length) : thin)).padEnd(cells);
}
