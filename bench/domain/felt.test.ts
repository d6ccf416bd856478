import { expect, test } from "vitest";
import { type After, type Drill, feltOf, judge } from "./felt.ts";
import { type Ask, Repeated } from "./users.ts";

const asked = (asks: readonly Ask[]) => {
	const asking = new Repeated(async () => {});
	asking.asks.push(...asks);
	return asking;
};

test("who is refused and asks again has waited since the first question", async () => {
	const asking = asked([
		{ from: 0, to: 80, ok: true },
		{ from: 940, to: 1010, ok: true },
		{ from: 1020, to: 1100, ok: false },
		{ from: 1400, to: 1500, ok: false },
		{ from: 2000, to: 3000, ok: true },
		{ from: 3200, to: 3300, ok: true },
	]);
	expect(feltOf(asking, 1000)).toEqual({ answer: 2000, wait: 1980, quiet: 80 });
	expect(feltOf(asking, 4000)).toBeUndefined();
	await asking.stop();
});

const each = (ms: number) => ({ ldap: ms, kerberos: ms, dns: ms, logon: ms });
const drill = (change: Partial<Drill> = {}): Drill => ({
	...{ server: "dc1", mode: "warm", answers: each(4000), waits: each(900), quiet: each(100) },
	...{ refused: 0, users: 3, trustOk: true, replicates: true, ...change },
});
const after = (change: Partial<After> = {}): After => ({
	...{ acknowledged: 9, missing: [], twice: [], tools: { dbcheck: null }, ...change },
});
const broken = (drills: readonly Drill[], then: After, several: boolean) =>
	judge(drills, then, several).flatMap((verdict) => (verdict.broken === null ? [] : [verdict.promise]));

test("all is kept; one that recovers cold may refuse", () => {
	expect(broken([drill(), drill({ mode: "cold", refused: 1 })], after(), false)).toEqual([]);
	expect(broken([drill(), drill()], after(), false)).toEqual([]);
	expect(broken([drill(), drill()], after(), true)).toEqual([]);
});

test.each<[string, Drill, After, boolean, RegExp]>([
	["a lost user", drill(), after({ missing: ["new1 on dc1"] }), false, /acknowledged is there/],
	["a user twice", drill(), after({ twice: ["new1 on dc1"] }), false, /twice/],
	["a directory with errors", drill(), after({ tools: { dbcheck: "(1 errors)" } }), false, /dbcheck/],
	["an account that is not believed", drill({ trustOk: false }), after(), false, /believed/],
	["a slow controller", drill({ answers: each(5001) }), after(), false, /within 5.00 s/],
	[
		"a refusal by one that is warm",
		drill({ refused: 1, mode: "warm" }),
		after(),
		false,
		/waited, and was served/,
	],
	["a slow other", drill({ waits: { ...each(1), dns: 1001 } }), after(), true, /for dns/],
	["a slow logon", drill({ waits: { ...each(1), logon: 1001 } }), after(), true, /for logon/],
	["one that knows less", drill({ replicates: false }), after(), true, /both know/],
	[
		"a single lost user of few",
		drill(),
		after({ acknowledged: 1, missing: ["new1 on dc1"] }),
		false,
		/is there/,
	],
])("%s breaks a promise, and no other", (_, one, then, several, promise) => {
	const found = broken([one], then, several);
	expect(found).toHaveLength(1);
	expect(found[0]).toMatch(promise);
});

test("a slow other is told beside what the machine needs anyway", () => {
	const slow = [
		drill({ quiet: each(300) }),
		drill({ waits: { ...each(900), ldap: 1400 }, quiet: { ...each(100), ldap: 1200 } }),
	];
	const told = judge(slow, after(), true).find(({ promise }) => promise.endsWith("ldap"))?.broken;
	expect(told).toBe("median 1.15 s, worst 1.40 s; while both were there up to 1.20 s");
});

test("nothing is kept that nothing tried", () => {
	const found = (drills: readonly Drill[], acknowledged: number) =>
		judge(drills, after({ acknowledged, tools: {} }), false).map(({ broken }) => broken);
	expect(found([drill(), drill()], 1)).toEqual([
		...["too few to tell, in 2 drills", undefined],
		...[null, null, null],
	]);
	expect(found([drill({ mode: "cold" })], 1)).toEqual([null, null, null, undefined, undefined]);
	expect(found([], 0)).toEqual(["too few to tell, in 0 drills", ...Array(4).fill(undefined)]);
});
