import { median } from "../median.ts";
import { inWords } from "../recovery/plot.ts";
import type { Felt } from "./felt.ts";

export interface Spread {
	median: number;
	worst: number;
}

/** Median and worst of what there was; null when there was nothing. */
export function spreadOf(values: readonly (number | null)[]): Spread | null {
	const there = values.filter((value) => value !== null);
	return there.length === 0 ? null : { median: median(there), worst: Math.max(...there) };
}

/** What the clients of one protocol felt of all drills. Milliseconds. */
export function summaryOf(felt: readonly Felt[]) {
	const sum = (value: (one: Felt) => number) => felt.reduce((all, one) => all + value(one), 0);
	const failed: Record<string, number> = {};
	for (const [how, count] of felt.flatMap((one) => Object.entries(one.failed)))
		failed[how] = (failed[how] ?? 0) + count;
	return {
		done: sum(({ done }) => done),
		failed,
		inFlight: {
			answered: sum(({ inFlight }) => inFlight.answered),
			ended: sum(({ inFlight }) => inFlight.ended),
			untilAnswer: spreadOf(felt.map(({ inFlight }) => inFlight.lastAnswerMs)),
			untilEnd: spreadOf(felt.map(({ inFlight }) => inFlight.lastEndMs)),
		},
		idle: { ended: sum(({ idle }) => idle.ended), untilEnd: spreadOf(felt.map(({ idle }) => idle.lastMs)) },
		connects: {
			opened: sum(({ connects }) => connects.opened),
			failed: sum(({ connects }) => connects.failed),
			longest: spreadOf(felt.map(({ connects }) => connects.longestMs)),
		},
		servedAgain: spreadOf(felt.map(({ servedAgainMs }) => servedAgainMs)),
	};
}
export type Summary = ReturnType<typeof summaryOf>;

/** A row a protocol, medians and worst cases. */
export function tableOf(summaries: Readonly<Record<string, Summary>>): string {
	const both = (spread: Spread | null) =>
		spread ? `${inWords(spread.median)} / ${inWords(spread.worst)}` : "-";
	const head = [
		...["", "DONE", "FAILED", "IN FLIGHT: ANSWERED", "AFTER", "ENDED", "AFTER"],
		...["IDLE ENDED", "AFTER", "NEW", "FAILED", "WAITED", "SERVED AGAIN"],
	];
	const rows = Object.entries(summaries).map(
		([name, { done, failed, inFlight, idle, connects, servedAgain }]) => [
			name,
			`${done}`,
			Object.entries(failed)
				.map(([how, count]) => `${count} ${how}`)
				.join(", ") || "0",
			...[`${inFlight.answered}`, both(inFlight.untilAnswer), `${inFlight.ended}`, both(inFlight.untilEnd)],
			...[`${idle.ended}`, both(idle.untilEnd)],
			...[`${connects.opened}`, `${connects.failed}`, both(connects.longest), both(servedAgain)],
		],
	);
	const widths = head.map((title, column) =>
		Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)),
	);
	const line = (cells: readonly string[]) =>
		`  ${cells.map((cell, column) => cell.padStart(widths[column] ?? 0)).join("  ")}`;
	return [line(head), ...rows.map(line)].join("\n");
}
