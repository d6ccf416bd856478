import { expect, test } from "vitest";
import type { Entry, Posting } from "./ledger-client.ts";
import { feltOf, judgeLedger } from "./ledger-judge.ts";

function posting(number: number, more: Partial<Posting> = {}): Posting {
	const entry = { key: `client1-${number}`, amount: number, text: `entry client1-${number}` };
	const acknowledged = { number, ...entry };
	return { ...entry, due: number * 100, end: number * 100 + 10, answers: ["201"], acknowledged, ...more };
}

const entryOf = ({ key, amount, text }: Posting, number: number): Entry => ({ number, key, amount, text });
const asked = [posting(1), posting(2), posting(3)];
const there = asked.map((one, i) => entryOf(one, i + 1));

function broken(entries: readonly Entry[], postings: readonly Posting[]): string[] {
	const verdicts = judgeLedger(entries, postings, [], [], 4000);
	return verdicts.flatMap(({ broken }) => (broken ? [broken] : []));
}

test("a ledger with all that was acknowledged is as promised", () => {
	expect(broken(there, asked)).toEqual([]);
});

test.each<[string, readonly Entry[], readonly Posting[], string]>([
	["acknowledged, and not there", there.slice(1), asked, "1: client1-1 is not there"],
	[
		"there under another number",
		there.map((entry) => ({ ...entry, number: entry.number + 1 })),
		asked.slice(2).concat(asked.slice(0, 2).map((one) => ({ ...one, acknowledged: null, answers: ["201"] }))),
		"1: client1-3 is number 4 and was acknowledged as 3",
	],
	[
		"that is there twice",
		[...there, { ...there[0], number: 4 } as Entry],
		asked,
		"2: client1-1 is there twice; entry client1-1 is there twice",
	],
	["nobody posted", [...there, entryOf(posting(4), 4)], asked, "1: nobody posted client1-4"],
	[
		"added anew after it was lost",
		there,
		[posting(1, { answers: ["201", "201"] }), ...asked.slice(1)],
		"1: client1-1 was added twice",
	],
	[
		"never acknowledged",
		there,
		[posting(1, { acknowledged: null, answers: ["502", "503"] }), ...asked.slice(1)],
		"1: client1-1: 502, 503",
	],
])("an entry %s is told", (_, entries, postings, words) => {
	expect(broken(entries, postings)).toContain(words);
});

test("an entry that was not acknowledged may be there or not", () => {
	const cut = posting(4, { answers: ["502", "200"] });
	expect(broken([...there, entryOf(cut, 4)], [...asked, cut])).toEqual([]);
});

test("users felt the longest wait of all that touched the outage, with what had to be asked again", () => {
	const slow = posting(5, { due: 1000, end: 4500, answers: ["502", "201"] });
	const later = posting(6, { due: 9000, end: 19_000 });
	const panic = { session: 1, at: 2000, noticedMs: 20, outageMs: 2200 };
	expect(feltOf([], [slow, later], panic)).toMatchObject({
		feltMs: 3500,
		entryMs: 3500,
		getMs: 0,
		askedAgain: 1,
	});
});
