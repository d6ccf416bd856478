import type { Felt } from "../../../api/incident.ts";
import { named } from "../../../api/named.ts";
import type { Answer } from "../../../network/front-door/freshness.ts";
import type { Health } from "../../../network/front-door/health.ts";

/** By services' names. */
export type Healths = Record<string, Health>;

/** Worst first: a service that is published twice is as well as the worse of its two ports, as far as that is known. */
const ranks: readonly Health[] = ["down", "up", "unknown"];

/** What several front doors found, together. Pure. */
export function healthOfAll(found: readonly Healths[]): Healths {
	const all: Healths = {};
	for (const [service, health] of found.flatMap((healths) => Object.entries(healths))) {
		const before = named(all, service) ?? "unknown";
		all[service] = ranks.indexOf(health) < ranks.indexOf(before) ? health : before;
	}
	return all;
}

/**
 * How fresh what several front doors found is, together: of a service that is published twice, what is known of the port
 * that tells less. Pure.
 */
export function answersOfAll(found: readonly Record<string, Answer>[]): Record<string, Answer> {
	const all: Record<string, Answer> = {};
	for (const [service, answer] of found.flatMap((answers) => Object.entries(answers))) {
		const before = named(all, service) ?? answer;
		all[service] = { ageMs: Math.max(before.ageMs, answer.ageMs), late: before.late || answer.late };
	}
	return all;
}

/** What the users of several front doors felt, together; null when there is none. Pure. */
export function feltOfAll(felt: readonly Felt[]): Felt | null {
	if (felt.length === 0) return null;
	return felt.reduce((all, one) => ({
		requests: all.requests + one.requests,
		held: all.held + one.held,
		failed: all.failed + one.failed,
		longestPauseMs: Math.max(all.longestPauseMs, one.longestPauseMs),
	}));
}
