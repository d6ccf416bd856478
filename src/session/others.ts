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

/** What those do that will be there soon. */
const onItsWay: Partial<Record<Other["state"], string>> = {
	unknown: "is looked at first",
	starting: "starts",
	recovering: "recovers",
	stopping: "restarts",
};

/** @returns why a server has to wait until it is started, as in "waits for dc1, which starts"; empty when it may go */
export function waitWords(others: readonly Other[]): string {
	const awaited = others.flatMap((other) => {
		const does = onItsWay[other.state];
		return does && isAwaited(other) ? [`${other.name}, which ${does}`] : [];
	});
	return awaited.length === 0 ? "" : `waits for ${awaited.join(", and for ")}`;
}

/**
 * What is down for good, or worked on, may stay so for days. One that sleeps is woken by whoever needs it: it counts as
 * there.
 */
function isAwaited({ state, wanted, maintenance }: Other): boolean {
	return !maintenance && (state !== "stopping" || wanted === "running");
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
