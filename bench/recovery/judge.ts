import { median } from "../median.ts";
import {
	errorsOf,
	isOk,
	latencyOf,
	outcomeOf,
	outcomesThatHappened,
	round,
	waited,
} from "../open-loop/outcome.ts";
import type { RequestRecord } from "../open-loop/request.ts";

/** One panic of the storm. Moments are milliseconds of `hostNow`. */
export interface Panic {
	/** The session that panicked. */
	session: number;
	at: number;
	/** From the panic until it was known, and until the next session was ready, milliseconds. */
	noticedMs: number;
	outageMs: number;
}

export interface PanicFigures extends Panic {
	/** The longest that a right answer to a request that touched the outage took to begin, from when it was due. */
	pauseMs: number;
	/** The request that had it. */
	pausedRequest: string;
	/** The same, until its end: with the time that a large body takes anyway. */
	untilEndMs: number;
	/** Requests due before the next session was ready and over after the panic. */
	touched: number;
	/** POSTs that had been sent before the failure was known, and were not over when the panic was made. */
	postsInFlight: { answered: number; with502: number; otherwise: number };
	/** Responses that had begun and were cut: their clients saw an error. */
	cut: number;
}

/** What the connections to a failed session need to be cut once it is known to have failed, milliseconds. */
const cutWithinMs = 250;

export function panicFigures(records: readonly RequestRecord[], panic: Panic): PanicFigures {
	const { at, outageMs, noticedMs } = panic;
	const touched = records.filter(({ due, end }) => due <= at + outageMs && end >= at);
	const right = touched.filter(isOk);
	const paused = right.reduce<RequestRecord | undefined>(
		(most, record) => (!most || pauseOf(record) > pauseOf(most) ? record : most),
		undefined,
	);
	const flying = touched.filter(
		({ method, sent }) => method === "POST" && sent !== null && sent <= at + noticedMs + cutWithinMs,
	);
	const answered = flying.filter(isOk).length;
	const with502 = flying.filter((record) => outcomeOf(record) === "502").length;
	return {
		...panic,
		pauseMs: paused ? round(pauseOf(paused)) : 0,
		pausedRequest: paused ? `${paused.method} ${paused.path}` : "",
		untilEndMs: round(Math.max(0, ...right.map(waited))),
		touched: touched.length,
		postsInFlight: { answered, with502, otherwise: flying.length - answered - with502 },
		cut: touched.filter((record) => outcomeOf(record) === "error in the response").length,
	};
}

function pauseOf({ due, firstByte, end }: RequestRecord): number {
	return (firstByte ?? end) - due;
}

export interface Verdict {
	promise: string;
	/** What was found instead; null when it was kept, undefined when it could not be judged. */
	broken: string | null | undefined;
}

export interface Limits {
	worstPauseMs: number;
	medianPauseMs: number;
}

/** @param ran see Notes; undefined when the guest notes nothing */
export function judge(
	records: readonly RequestRecord[],
	panics: readonly PanicFigures[],
	ran: ReadonlyMap<string, readonly number[]> | undefined,
	limits: Limits | undefined,
): Verdict[] {
	const gets = records.filter(({ method }) => method === "GET");
	const posts = records.filter(({ method }) => method === "POST");
	const failed = gets.filter((record) => !["ok", "error in the response"].includes(outcomeOf(record)));
	const short = records.filter(({ wrong }) => wrong !== null);
	const pauses = panics.map(({ pauseMs }) => pauseMs);
	const badPosts = posts.filter((record) => !isRightForPost(record, panics));
	const twice = ran && [...ran].filter(([, sessions]) => sessions.length > 1);
	const some = (list: readonly RequestRecord[]) => (list.length === 0 ? null : listed(list));
	const over = (value: number, limit: number | undefined) =>
		limit === undefined ? undefined : value < limit ? null : `${round(value)} ms`;
	return [
		{ promise: "no GET fails whose response had not begun", broken: some(failed) },
		{ promise: "no response is short, or other than it should be, without an error", broken: some(short) },
		{
			promise: "each POST in flight at a panic gets a 502 or its answer; no other fails",
			broken: some(badPosts),
		},
		{
			promise: "no POST runs twice",
			broken:
				twice &&
				(twice.length === 0 ? null : twice.map(([id, at]) => `${id} in ${at.join(", ")}`).join("; ")),
		},
		{
			promise: `the worst pause is under ${limits?.worstPauseMs ?? "(no limit)"} ms`,
			broken: over(Math.max(...pauses), limits?.worstPauseMs),
		},
		{
			promise: `the median pause is under ${limits?.medianPauseMs ?? "(no limit)"} ms`,
			broken: over(median(pauses), limits?.medianPauseMs),
		},
	];
}

/** A POST is answered, or it was under way while a session failed and its client was told so. */
function isRightForPost(record: RequestRecord, panics: readonly Panic[]): boolean {
	if (isOk(record)) return true;
	const { sent, end } = record;
	const inFlight = panics.some(
		({ at, noticedMs }) => sent !== null && sent <= at + noticedMs + cutWithinMs && end >= at,
	);
	return outcomeOf(record) === "502" && inFlight;
}

export function listed(records: readonly RequestRecord[]): string {
	const one = ({ method, path, status, error }: RequestRecord) => `${method} ${path}: ${error ?? status}`;
	const more = records.length > 3 ? `; and ${records.length - 3} more` : "";
	return `${records.length}: ${records.slice(0, 3).map(one).join("; ")}${more}`;
}

/** What a load felt as a whole. */
export function summaryOf(records: readonly RequestRecord[]) {
	const right = records.filter(isOk);
	const begun = right.map((record) => ({ ...record, end: record.firstByte ?? record.end }));
	return {
		sent: records.length,
		outcomes: outcomesThatHappened(records),
		errors: errorsOf(records),
		/** From when they were due until their answers began, and until these ended. */
		untilFirstByteMs: latencyOf(begun),
		untilEndMs: latencyOf(right),
		bytes: records.reduce((sum, { received }) => sum + received, 0),
		idleConnectionsLost: records.reduce((sum, { stale }) => sum + stale, 0),
	};
}
