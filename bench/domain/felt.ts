import { median } from "../median.ts";
import type { Verdict } from "../recovery/judge.ts";
import { type Repeated, stillMs } from "./users.ts";

/** What somebody asks of a domain who works in it. */
export const questions = ["ldap", "kerberos", "dns", "logon"] as const;
export type Question = (typeof questions)[number];

/** What became of one panic. Milliseconds. */
export interface Drill {
	server: string;
	mode: "warm" | "cold";
	/** From the panic until the first answer. */
	answers: Record<Question, number>;
	/** The longest that somebody waited for an answer, who had asked before the first one; refusals included, as one asks again. */
	waits: Record<Question, number>;
	/** The longest that an answer took in the seconds before the panic. */
	quiet: Record<Question, number>;
	/** Questions that came during the outage and were refused, or had no answer. */
	refused: number;
	refusals?: string[];
	/** Users whose creation was acknowledged since the panic before. */
	users: number;
	/** The host's account is believed (`wbinfo -t`). */
	trustOk: boolean;
	/** With several controllers: whether this one knew afterwards what the others know. */
	replicates: boolean | null;
}

/** What the whole campaign came to, besides the drills. */
export interface After {
	acknowledged: number;
	/** Names of acknowledged users that are not there, and of users that are there twice; of each controller. */
	missing: readonly string[];
	twice: readonly string[];
	/** What tools that no one here wrote say of the domain and its members; null is "in order". */
	tools: Record<string, string | null>;
}

/** @param moment when the controller panicked. @returns undefined while nobody has been served again */
export function feltOf(
	asking: Repeated,
	moment: number,
): { answer: number; wait: number; quiet: number } | undefined {
	const served = asking.asks.find(({ to, ok }) => ok && to > moment + stillMs);
	if (!served) return undefined;
	const waiting = asking.asks.filter(({ from, to }) => to > moment + stillMs && from <= served.from);
	const before = asking.asks.filter(({ to }) => to <= moment + stillMs).map(({ from, to }) => to - from);
	return {
		answer: served.to - moment,
		wait: Math.max(...waiting.map(({ from }) => served.to - from)),
		quiet: Math.max(0, ...before),
	};
}

export const seconds = (ms: number) => `${(ms / 1000).toFixed(2)} s`;

export interface Summary {
	median: number;
	worst: number;
}

export function summaryOf(values: readonly number[]): Summary | null {
	return values.length === 0
		? null
		: { median: Math.round(median(values)), worst: Math.round(Math.max(...values)) };
}

/** Limits in milliseconds: of the median outage of a single controller, and of what anybody waits while there is another. */
const single = 5000;
const another = 1000;

type Each = (promise: string, kept: (drill: Drill) => boolean, tries?: (drill: Drill) => boolean) => Verdict;

export function judge(drills: readonly Drill[], after: After, several: boolean): Verdict[] {
	/** Not judged where no drill tries it. */
	const each: Each = (promise, kept, tries = () => true) => {
		if (!drills.some(tries)) return { promise, broken: undefined };
		const broken = drills.flatMap((drill, i) => (!tries(drill) || kept(drill) ? [] : [i + 1]));
		return {
			promise,
			broken: broken.length === 0 ? null : `not in ${broken.length}: drill ${broken.slice(0, 20).join(", ")}`,
		};
	};
	// With fewer than one a panic nobody knows what a panic does to them.
	const few = after.acknowledged < Math.max(1, drills.length);
	return [
		{
			promise: `every one of ${after.acknowledged} users whose creation was acknowledged is there`,
			broken:
				after.missing.length > 0
					? after.missing.slice(0, 10).join(", ")
					: few
						? `too few to tell, in ${drills.length} drills`
						: null,
		},
		{
			promise: "nobody is there twice",
			broken: after.twice.length > 0 ? after.twice.join(", ") : few ? undefined : null,
		},
		each("the host is a member, and believed", ({ trustOk }) => trustOk),
		...(several ? withAnother(drills, each) : alone(drills, each)),
		...Object.entries(after.tools).map(([tool, broken]) => ({
			promise: `${tool} finds all in order`,
			broken,
		})),
	];
}

function alone(drills: readonly Drill[], each: Each): Verdict[] {
	const warm = drills.filter(({ mode }) => mode === "warm").map(({ answers }) => answers.ldap);
	const found = summaryOf(warm);
	return [
		{
			promise: `warm: the directory answers within ${seconds(single)} of the panic (median)`,
			broken: found === null ? undefined : found.median <= single ? null : seconds(found.median),
		},
		each(
			"warm: who came meanwhile waited, and was served",
			({ refused }) => refused === 0,
			({ mode }) => mode === "warm",
		),
	];
}

function withAnother(drills: readonly Drill[], each: Each): Verdict[] {
	const worst = (question: Question): Verdict => {
		const found = summaryOf(drills.map(({ waits }) => waits[question]));
		const promise = `while one is away nobody waits longer than ${seconds(another)} for ${question}`;
		// What a machine needs longer for anyway is nothing that the panic did.
		const usual = Math.max(0, ...drills.map(({ quiet }) => quiet[question]));
		const told =
			found &&
			`median ${seconds(found.median)}, worst ${seconds(found.worst)}; while both were there up to ${seconds(usual)}`;
		return { promise, broken: found === null ? undefined : found.worst <= another ? null : told };
	};
	return [
		...questions.map(worst),
		each("both know afterwards what happened meanwhile", ({ replicates }) => replicates === true),
	];
}
