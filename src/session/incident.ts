import type { Cause, Incident } from "../api/incident.ts";

export interface Beginning {
	server: string;
	session: number;
	cause: Cause;
	summary: string;
	/** When it began. */
	at: number;
	/** When it was known to be a failure. */
	noticedAt: number;
	drill: { fault: string; at: number } | null;
}

/** Opens an incident. Everything that follows is added by the functions below; none of them changes what it is given. */
export function openIncident({ server, session, cause, summary, at, noticedAt, drill }: Beginning): Incident {
	const incident: Incident = {
		id: `${server}-${session}`,
		server,
		session,
		cause,
		summary,
		at,
		noticedAt,
		drill,
		outcome: "recovering",
		nextSession: null,
		outageMs: null,
		timeline: [],
		evidence: [],
		felt: null,
		details: {},
	};
	const opened = drill ? noted(incident, drill.at, `drill: ${drill.fault}`) : incident;
	const begun = at < noticedAt ? noted(opened, at, "the last sign of life") : opened;
	return noted(begun, noticedAt, summary);
}

/** Adds a moment to the timeline. */
export function noted(incident: Incident, at: number, what: string): Incident {
	const entry = { atMs: Math.round(at - incident.at), what };
	return { ...incident, timeline: [...incident.timeline, entry].sort((a, b) => a.atMs - b.atMs) };
}

/** The next session is ready: the outage is over. */
export function recovered(incident: Incident, at: number, session: number): Incident {
	const outageMs = Math.round(at - (incident.drill?.at ?? incident.at));
	return {
		...noted(incident, at, `session ${session} ready`),
		outcome: "recovered",
		nextSession: session,
		outageMs,
	};
}
