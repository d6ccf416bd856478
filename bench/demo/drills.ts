import { setTimeout as delay } from "node:timers/promises";
import type { Incident } from "../../src/api/incident.ts";
import type { Fault } from "../../src/api/server.ts";
import type { Lab } from "../lab.ts";
import type { SteadyClient } from "../steady-client.ts";

export interface DrillResult {
	server: string;
	fault: Fault;
	/** From the fault until it was known to be a failure. */
	detectMs: number;
	/** From the fault until the next session was ready. */
	outageMs: number;
	requests: { sent: number; failed: number; longestPauseMs: number };
	sessionBefore: number;
	sessionAfter: number;
	incident: string;
}

export interface Drill {
	server: string;
	fault: Fault;
}

const recoveryWithinMs = 120_000;

/** Makes a failure on purpose, and waits until users are served again and the incident is written up. */
export async function runDrill(
	{ server, fault }: Drill,
	lab: Lab,
	client: Pick<SteadyClient, "felt">,
	signal: AbortSignal,
): Promise<{ result: DrillResult; incident: Incident }> {
	// Asked for afterwards it may be the next one already.
	const { session } = await lab.client.call("drill", { server }, { fault });
	const incident = await writtenUp(lab, server, session, signal);
	return { incident, result: resultOf(fault, incident, client) };
}

/** Waits for the incident of a session to be over, with what users felt. */
export async function writtenUp(
	lab: Lab,
	server: string,
	session: number,
	signal: AbortSignal,
): Promise<Incident> {
	const id = `${server}-${session}`;
	const end = Date.now() + recoveryWithinMs;
	for (;;) {
		signal.throwIfAborted();
		const incident = (await lab.client.call("incidents", {}, null)).find((one) => one.id === id);
		if (incident?.outcome === "recovered" && incident.felt) return incident;
		if (Date.now() > end)
			throw new Error(`${server} had not recovered from the failure of session ${session} after two minutes`);
		await delay(100, undefined, { signal });
	}
}

export function resultOf(fault: Fault, incident: Incident, client: Pick<SteadyClient, "felt">): DrillResult {
	const begin = incident.drill?.at ?? incident.at;
	const outageMs = incident.outageMs ?? Number.NaN;
	return {
		server: incident.server,
		fault,
		detectMs: Math.round(incident.noticedAt - begin),
		outageMs,
		requests: client.felt(begin, begin + outageMs),
		sessionBefore: incident.session,
		sessionAfter: incident.nextSession ?? 0,
		incident: incident.id,
	};
}
