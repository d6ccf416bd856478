import type { Incident } from "../../src/api/incident.ts";
import { median } from "../median.ts";

/** One crash made on purpose, or an ordinary restart. */
export interface Crash {
	number: number;
	/** The keyboard driver crashes Windows when it is asked to (stop code 0xE2): no driver is at fault. */
	by: "nmi" | "keyboard driver" | "restart";
	incident: Pick<Incident, "id" | "cause" | "summary" | "details" | "outageMs"> | null;
	felt: { name: string; longestMs: number; failed: number; asked: number }[];
}

/** How long users were without the server, of those crashes whose incident says so. */
export interface Outages {
	known: number;
	/** Crashes without an incident, or with one that does not say it. */
	missing: number;
	/** Milliseconds; null when none is known. */
	medianMs: number | null;
	worstMs: number | null;
}

export function outagesOf(all: readonly Pick<Crash, "by" | "incident">[]): Outages {
	const crashes = all.filter(({ by }) => by !== "restart");
	const known = crashes.flatMap(({ incident }) => incident?.outageMs ?? []);
	const some = known.length > 0;
	return {
		known: known.length,
		missing: crashes.length - known.length,
		medianMs: some ? median(known) : null,
		worstMs: some ? Math.max(...known) : null,
	};
}

export function inText({ known, missing, medianMs, worstMs }: Outages): string {
	const seconds = (ms: number) => `${Math.round(ms / 1000)} s`;
	const told =
		medianMs === null || worstMs === null
			? "no outage is known"
			: `outage of ${known} crashes: median ${seconds(medianMs)}, worst ${seconds(worstMs)}`;
	return missing === 0 ? told : `${told}; of ${missing} it is not known`;
}
