import { formatDuration } from "../api/units.ts";

export interface Budget {
	attempts: number;
	withinMs: number;
}

/** How a session comes to be: from the server's seal, or by booting from its disks. */
export type Way = "warm" | "cold";

export type Step =
	/** Start the server again, after a pause. */
	| { kind: Way; afterMs: number; attempt: number }
	/** Leave it down, keep everything, and call a person. */
	| { kind: "give-up"; reason: string };

const firstPauseMs = 1000;
const longestPauseMs = 60_000;
/** So often a session from the seal is tried that does not become ready, before the server boots again. */
const warmTries = 2;
/** A session from a seal that fails within this time may have got its fault from there. */
const youngMs = 30_000;
const youngDeathsAtMost = 2;

/** A recovery that was made: when its session was started (milliseconds since the Unix epoch), and whether that became ready. */
export interface Attempt {
	at: number;
	ready: boolean;
	/** Cold when it is not said. */
	way?: Way;
}

/**
 * Decides what to do after a failure: warm, warm again, cold, and then no more. A session that had been ready is
 * replaced at once. While booted sessions fail before they are ready, each further attempt waits twice as long as the
 * one before, so that a loop leaves the host and the disks in peace. All attempts count against the budget, but those
 * that a drill made.
 * @param sealed whether there is a seal to start from
 */
export function nextStep(attempts: readonly Attempt[], now: number, budget: Budget, sealed: boolean): Step {
	// The host's clock may have been set back since: what it has not come to yet would count for ever.
	const recent = attempts.filter(({ at }) => at > now - budget.withinMs && at <= now);
	if (recent.length >= budget.attempts) return { kind: "give-up", reason: usedUp(recent.length, budget) };
	const attempt = recent.length + 1;
	const stillborn = recent.slice(1 + recent.findLastIndex(({ ready }) => ready));
	const warm = stillborn.filter(({ way }) => way === "warm").length;
	if (sealed && warm < warmTries) return { kind: "warm", afterMs: 0, attempt };
	const cold = stillborn.length - warm;
	const afterMs = cold === 0 ? 0 : Math.min(longestPauseMs, firstPauseMs * 2 ** (cold - 1));
	return { kind: "cold", afterMs, attempt };
}

/**
 * Counts the sessions from a seal that died young, one after the other.
 * @param livedMs how long the last one has run
 */
export function youngDeaths(before: number, livedMs: number): number {
	return livedMs < youngMs ? before + 1 : 0;
}

/** Sessions of a good seal do not die young again and again. */
export function isSuspect(deaths: number): boolean {
	return deaths >= youngDeathsAtMost;
}

function usedUp(used: number, budget: Budget): string {
	const window = formatDuration(budget.withinMs);
	return budget.attempts === 0
		? "its recovery budget is 0 attempts; look at the incident, then start it"
		: `it failed again after ${used} recoveries within ${window}; its disks and all evidence are kept; look at the incidents, then start it`;
}
