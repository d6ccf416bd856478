import { formatDuration } from "../api/units.ts";

export interface Budget {
	attempts: number;
	withinMs: number;
}

export type Step =
	/** Start the server again from its disks, after a pause. */
	| { kind: "cold"; afterMs: number; attempt: number }
	/** Leave it down, keep everything, and call a person. */
	| { kind: "give-up"; reason: string };

const firstPauseMs = 1000;
const longestPauseMs = 60_000;

/** A recovery that was made: when its session was started (milliseconds since the Unix epoch), and whether that became ready. */
export interface Attempt {
	at: number;
	ready: boolean;
}

/**
 * Decides what to do after a failure. A session that had been ready is replaced at once. While sessions fail before
 * they are ready, each further attempt waits twice as long as the one before, so that a loop leaves the host and the
 * disks in peace. All attempts count against the budget, but those that a drill made.
 */
export function nextStep(attempts: readonly Attempt[], now: number, budget: Budget): Step {
	const recent = attempts.filter(({ at }) => at > now - budget.withinMs);
	if (recent.length >= budget.attempts) return { kind: "give-up", reason: usedUp(recent.length, budget) };
	const stillborn = recent.length - 1 - recent.findLastIndex(({ ready }) => ready);
	const afterMs = stillborn === 0 ? 0 : Math.min(longestPauseMs, firstPauseMs * 2 ** (stillborn - 1));
	return { kind: "cold", afterMs, attempt: recent.length + 1 };
}

function usedUp(used: number, budget: Budget): string {
	const window = formatDuration(budget.withinMs);
	return budget.attempts === 0
		? "its recovery budget is 0 attempts; look at the incident, then start it"
		: `it failed again after ${used} recoveries within ${window}; its disks and all evidence are kept; look at the incidents, then start it`;
}
