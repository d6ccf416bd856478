import { median } from "../median.ts";
import { isOk, outcomeOf, round, waited } from "../open-loop/outcome.ts";
import type { RequestRecord } from "../open-loop/request.ts";
import type { Panic, Verdict } from "./judge.ts";
import type { Entry, Posting } from "./ledger-client.ts";

export interface LedgerPanic extends Panic {
	/** The longest that a GET that touched the outage took, from when it was due until its end. */
	getMs: number;
	/** The same of an entry, until it was acknowledged: with the requests for it that failed. */
	entryMs: number;
	/** The longer of both: what users felt. */
	feltMs: number;
	/** Entries that had to be asked for again. */
	askedAgain: number;
}

/** What clients felt of one panic. */
export function feltOf(
	gets: readonly RequestRecord[],
	postings: readonly Posting[],
	panic: Panic,
): LedgerPanic {
	const { at, outageMs } = panic;
	const touches = ({ due, end }: { due: number; end: number }) => due <= at + outageMs && end >= at;
	const entries = postings.filter(touches);
	const getMs = round(Math.max(0, ...gets.filter(touches).map(waited)));
	const entryMs = round(Math.max(0, ...entries.map(({ due, end }) => end - due)));
	const askedAgain = entries.filter(({ answers }) => answers.length > 1).length;
	return { ...panic, getMs, entryMs, feltMs: Math.max(getMs, entryMs), askedAgain };
}

/** Judges what is in the ledger by what its clients were told, and how long they waited. */
export function judgeLedger(
	entries: readonly Entry[],
	postings: readonly Posting[],
	gets: readonly RequestRecord[],
	panics: readonly LedgerPanic[],
	limitMs: number,
): Verdict[] {
	const failed = gets.filter((record) => !isOk(record));
	const outages = panics.map(({ feltMs, outageMs }) => Math.max(feltMs, outageMs));
	const outage = outages.length > 0 ? median(outages) : undefined;
	const unanswered = postings.filter(({ acknowledged }) => acknowledged === null);
	return [
		{
			promise: "every acknowledged entry is there as it was acknowledged",
			broken: listed(lost(entries, postings)),
		},
		{
			promise: "no entry is there twice, and none that nobody posted",
			broken: listed(strange(entries, postings)),
		},
		{
			promise: "a client that asks again, with the same key, gets its answer",
			broken: listed(unanswered.map(({ key, answers }) => `${key}: ${answers.join(", ")}`)),
		},
		{
			promise: "no GET fails",
			broken: listed(failed.map((record) => `${record.path}: ${record.error ?? outcomeOf(record)}`)),
		},
		{
			promise: `the median outage is under ${limitMs} ms`,
			broken: outage === undefined ? undefined : outage < limitMs ? null : `${round(outage)} ms`,
		},
	];
}

/** Acknowledged, and not there, or not like that. */
function lost(entries: readonly Entry[], postings: readonly Posting[]): string[] {
	const there = new Map(entries.map((entry) => [entry.key, entry]));
	return postings.flatMap(({ key, amount, text, acknowledged }) => {
		if (!acknowledged) return [];
		const entry = there.get(key);
		if (!entry) return [`${key} is not there`];
		const same = entry.number === acknowledged.number && entry.amount === amount && entry.text === text;
		return same ? [] : [`${key} is number ${entry.number} and was acknowledged as ${acknowledged.number}`];
	});
}

function strange(entries: readonly Entry[], postings: readonly Posting[]): string[] {
	const posted = new Set(postings.map(({ key }) => key));
	const unknown = entries.filter(({ key }) => !posted.has(key)).map(({ key }) => `nobody posted ${key}`);
	const twice = [...repeated(entries.map(({ key }) => key)), ...repeated(entries.map(({ text }) => text))];
	const numbers = repeated(entries.map(({ number }) => `number ${number}`));
	// Added anew although it had been acknowledged as added before: the first was lost in between.
	const anew = postings.filter(({ answers }) => answers.filter((answer) => answer === "201").length > 1);
	return [...unknown, ...twice, ...numbers, ...anew.map(({ key }) => `${key} was added twice`)];
}

function repeated(values: readonly string[]): string[] {
	return values.filter((value, i) => values.indexOf(value) !== i).map((value) => `${value} is there twice`);
}

function listed(found: readonly string[]): string | null {
	if (found.length === 0) return null;
	const more = found.length > 3 ? `; and ${found.length - 3} more` : "";
	return `${found.length}: ${found.slice(0, 3).join("; ")}${more}`;
}
