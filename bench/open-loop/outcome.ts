import type { RequestRecord } from "./request.ts";

export const outcomes = [
	"ok",
	"error before the response",
	"error in the response",
	"short without an error",
	"other bytes",
	"502",
	"503",
	"other status",
] as const;
/** What became of a request, as its client can tell. */
export type Outcome = (typeof outcomes)[number];

export function outcomeOf({ error, firstByte, status, wrong }: RequestRecord): Outcome {
	if (error !== null) return firstByte === null ? "error before the response" : "error in the response";
	if (status === 502) return "502";
	if (status === 503) return "503";
	if (status !== 200) return "other status";
	if (wrong === "short") return "short without an error";
	return wrong === null ? "ok" : "other bytes";
}

export function isOk(record: RequestRecord): boolean {
	return outcomeOf(record) === "ok";
}

/** How long its user waited, counted from when it was due. */
export function waited({ due, end }: RequestRecord): number {
	return end - due;
}

export function countOutcomes(records: readonly RequestRecord[]): Record<Outcome, number> {
	const counts = Object.fromEntries(outcomes.map((outcome) => [outcome, 0])) as Record<Outcome, number>;
	for (const record of records) counts[outcomeOf(record)]++;
	return counts;
}

/** The same without those that never happened. */
export function outcomesThatHappened(records: readonly RequestRecord[]): Record<string, number> {
	return Object.fromEntries(Object.entries(countOutcomes(records)).filter(([, count]) => count > 0));
}

/** @returns how often connections ended too early in which way, as the client was told */
export function errorsOf(records: readonly RequestRecord[]): Record<string, number> {
	const counts: Record<string, number> = {};
	for (const { error } of records) if (error !== null) counts[error] = (counts[error] ?? 0) + 1;
	return counts;
}

export interface Latency {
	p50: number;
	p99: number;
	worst: number;
}

/** @returns milliseconds from due to end; zeros when there are no records */
export function latencyOf(records: readonly RequestRecord[]): Latency {
	const sorted = records.map(waited).sort((a, b) => a - b);
	const at = (share: number) =>
		round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0);
	return { p50: at(0.5), p99: at(0.99), worst: round(sorted.at(-1) ?? 0) };
}

/** The most that the generator itself was late, milliseconds: a figure below that says nothing about the server. */
export function latestTaken(records: readonly RequestRecord[]): number {
	return round(records.reduce((most, { due, taken }) => Math.max(most, taken - due), 0));
}

export function round(ms: number): number {
	return Math.round(ms * 10) / 10;
}
