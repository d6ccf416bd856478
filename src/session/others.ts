import type { ServerState } from "../api/server.ts";

/**
 * What a server makes of those that it comes after (`after:`). Pure.
 */

/** Another server of the site, as it is now. */
export interface Other {
	name: string;
	/** `unknown` while this daemon has not looked yet what of it lives. */
	state: ServerState | "unknown";
	wanted: "running" | "stopped";
	maintenance: boolean;
}

/** @returns why a server has to wait until it is started, as in "waits for dc1, which starts"; empty when it may go */
export function waitWords(others: readonly Other[]): string {
	const awaited = others.filter(isOnItsWay);
	return awaited.length === 0 ? "" : `waits for ${awaited.map(onItsWayWords).join(", and for ")}`;
}

/**
 * What is down for good, or worked on, may stay so for days. One that sleeps is woken by whoever needs it: it counts as
 * there.
 */
function isOnItsWay({ state, wanted, maintenance }: Other): boolean {
	if (maintenance) return false;
	if (state === "stopping") return wanted === "running";
	return state === "unknown" || state === "starting" || state === "recovering";
}

function onItsWayWords({ name, state }: Other): string {
	const does = { unknown: "is looked at first", recovering: "recovers", stopping: "restarts" } as const;
	return `${name}, which ${state in does ? does[state as keyof typeof does] : "starts"}`;
}

/**
 * @returns what a session is not to be blamed for, as in "dc1, which it comes after, is recovering"; empty when all
 * that it comes after is there
 */
export function excuseOf(others: readonly Other[]): string {
	return others
		.filter(({ state }) => state !== "running" && state !== "asleep")
		.map(({ name, state }) => `${name}, which it comes after, ${awayWords(state)}`)
		.join("; ");
}

function awayWords(state: Other["state"]): string {
	if (state === "unknown") return "is not looked at yet";
	return state === "failed" ? "has failed" : `is ${state}`;
}
