import { median } from "../median.ts";
import {
	errorsOf,
	isOk,
	latencyOf,
	latestTaken,
	outcomesThatHappened,
	round,
	waited,
} from "../open-loop/outcome.ts";
import type { RequestRecord } from "../open-loop/request.ts";

/** What a steady client felt of one panic. */
export interface Felt {
	/** From the panic until the first right answer of a new session to a request that was due after it, milliseconds. */
	outageMs: number;
	/** The longest that a request took that touched the outage, whatever became of it. */
	longestPauseMs: number;
	/** Requests that touched the outage: due before its end, over after its beginning. */
	touched: number;
	failed: number;
}

/** The page `/` of the template tiny says which boot of which session answers. */
export function sessionIn(text: string): string | undefined {
	return /\bsession=\d+ boot=\S+/.exec(text)?.[0];
}

/** Whether a request that was due after the panic was answered by another session than the one that panicked. */
export function isBack(record: RequestRecord, panicAt: number, before: string): boolean {
	const session = isOk(record) ? sessionIn(record.text) : undefined;
	return record.due >= panicAt && session !== undefined && session !== before;
}

/** @returns the session that answered last before a moment. @throws Error when none did */
export function sessionBefore(records: readonly RequestRecord[], moment: number): string {
	const last = records.findLast((record) => record.end < moment && isOk(record));
	const session = last && sessionIn(last.text);
	if (session === undefined) throw new Error("nothing had been answered before the panic");
	return session;
}

/** @param records all of the load's, in any order. @throws Error when the server did not come back */
export function feltOf(records: readonly RequestRecord[], panicAt: number, before: string): Felt {
	const back = Math.min(...records.filter((record) => isBack(record, panicAt, before)).map(({ end }) => end));
	if (!Number.isFinite(back)) throw new Error("no new session has answered");
	const touched = records.filter(({ due, end }) => due <= back && end >= panicAt);
	return {
		outageMs: round(back - panicAt),
		longestPauseMs: round(Math.max(...touched.map(waited))),
		touched: touched.length,
		failed: touched.filter((record) => !isOk(record)).length,
	};
}

export interface WayFigures {
	panics: number;
	outageMs: { median: number; worst: number; all: number[] };
	longestPauseMs: { median: number; worst: number; all: number[] };
	/** All requests of the steady client while this way was measured. */
	sent: number;
	failed: number;
	/** What became of them, where that happened at all. */
	outcomes: Record<string, number>;
	/** How connections ended too early, in the client's words, and how often. */
	errors: Record<string, number>;
	/** The most that the load generator was late by itself, milliseconds. */
	generatorLateMs: number;
	/** Latency of requests that touched no outage, milliseconds. */
	quiet: { p50: number; p99: number; worst: number };
}

/** One round of a way: what its client sent, and each panic in it. */
export interface Round {
	records: readonly RequestRecord[];
	panics: { at: number; before: string }[];
}

export function figuresOf(rounds: readonly Round[]): WayFigures {
	const felt = rounds.flatMap(({ records, panics }) =>
		panics.map(({ at, before }) => feltOf(records, at, before)),
	);
	const records = rounds.flatMap((round) => round.records);
	const quiet = rounds.flatMap(({ records, panics }) => {
		const outages = panics.map(({ at, before }) => ({
			at,
			end: at + feltOf(records, at, before).outageMs + 1000,
		}));
		return records.filter(({ due, end }) => outages.every((outage) => due > outage.end || end < outage.at));
	});
	const spread = (values: number[]) => ({ median: median(values), worst: Math.max(...values), all: values });
	return {
		panics: felt.length,
		outageMs: spread(felt.map(({ outageMs }) => outageMs)),
		longestPauseMs: spread(felt.map(({ longestPauseMs }) => longestPauseMs)),
		sent: records.length,
		failed: records.filter((record) => !isOk(record)).length,
		outcomes: outcomesThatHappened(records),
		errors: errorsOf(records),
		generatorLateMs: latestTaken(records),
		quiet: latencyOf(quiet),
	};
}
