import { setTimeout as delay } from "node:timers/promises";
import type { Incident } from "../../src/api/incident.ts";
import type { Fault, ServerView } from "../../src/api/server.ts";
import type { Lab } from "../lab.ts";
import { fromEpoch } from "../open-loop/clock.ts";
import { isPrepared } from "./bulkhead.ts";
import type { Panic } from "./judge.ts";

const recoveredWithinMs = 300_000;
/** An incident tells its outage soon after its server runs again. */
const toldWithinMs = 10_000;

/** Makes a server's kernel panic, and waits until the server is prepared for the next failure. @throws as `drill` */
export async function panicAndRecover(lab: Lab, server: string, signal: AbortSignal): Promise<Panic> {
	return await drill(lab, server, "panic", signal);
}

/**
 * Makes a failure, and waits until the server is prepared for the next one.
 * @throws Error when it is not within five minutes, or the incident does not tell its outage
 */
export async function drill(lab: Lab, server: string, fault: Fault, signal: AbortSignal): Promise<Panic> {
	const { session, at } = await lab.client.call("drill", { server }, { fault });
	const panicked = fromEpoch(at);
	const next = (view: ServerView) => (view.session?.number ?? 0) > session && isPrepared(view);
	await lab.until(server, next, recoveredWithinMs, signal);
	const { noticedAt, outageMs } = await incidentOf(lab, `${server}-${session}`, signal);
	return { session, at: panicked, noticedMs: noticedAt - at, outageMs };
}

async function incidentOf(
	lab: Lab,
	id: string,
	signal: AbortSignal,
): Promise<Incident & { outageMs: number }> {
	const end = performance.now() + toldWithinMs;
	for (;;) {
		const incident = await lab.client.call("incident", { incident: id }, null);
		const { outageMs } = incident;
		if (outageMs !== null) return { ...incident, outageMs };
		if (performance.now() > end) throw new Error(`incident ${id} does not tell its outage`);
		await delay(100, undefined, { signal });
	}
}
