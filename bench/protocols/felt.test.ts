import { expect, test } from "vitest";
import { type Drill, feltOf, judge, mostEndMs, type Use } from "./felt.ts";

const drill: Drill = { session: 1, at: 1000, noticedMs: 50, outageMs: 400, over: 9000 };

const use = (kind: Use["kind"], began: number, ended: number, how = "ok", client = 0): Use => ({
	...{ protocol: "ldap", client, kind, began, ended, how },
});

/** One client: answered, cut in flight, connected again, answered. */
const usual = [
	use("request", 900, 910),
	use("request", 990, 1080, "closed"),
	use("connect", 1100, 1400),
	use("request", 1500, 1510),
];

const brokenOf = (uses: readonly Use[], warm = true) =>
	judge(uses, [feltOf(uses, "ldap", drill)], [drill], warm).flatMap(({ promise, broken }) =>
		broken === null ? [] : [`${promise}: ${broken}`],
	);

test("a client that is cut off at once and served again has nothing to complain about", () => {
	expect(feltOf(usual, "ldap", drill)).toMatchObject({
		done: 2,
		failed: { closed: 1 },
		inFlight: { answered: 0, ended: 1, lastAnswerMs: null, lastEndMs: 80 },
		connects: { opened: 1, failed: 0, longestMs: 300 },
		failedAfterwards: 0,
		servedAgainMs: 400,
	});
	expect(brokenOf(usual)).toEqual([]);
});

test("a request that was answered by the next session was in flight, and waited", () => {
	const repeated = [use("request", 990, 1600)];
	expect(feltOf(repeated, "ldap", drill).inFlight).toEqual({
		...{ answered: 1, ended: 0, lastAnswerMs: 600, lastEndMs: null },
	});
	expect(brokenOf(repeated)).toEqual([]);
});

test("a connection that was idle is told of its end, which is no failure", () => {
	const idle = [use("idle", 1070, 1070, "closed"), ...usual.slice(2)];
	expect(feltOf(idle, "ldap", drill)).toMatchObject({ failed: {}, idle: { ended: 1, lastMs: 70 } });
	expect(brokenOf(idle)).toEqual([]);
});

const late = 1000 + mostEndMs + 1;
test.each<[string, Use[], RegExp]>([
	["a request that waits", [use("request", 990, late, "reset"), use("connect", late, late + 10)], /timeout/],
	["a late answer", [use("request", 990, late)], /timeout/],
	[
		"a connection that fails while the server is away",
		[use("connect", 1100, 1200, "closed"), use("connect", 1210, 1400)],
		/opened while/,
	],
	["a client that is never served again", [use("request", 990, 1080, "closed")], /served again/],
	["what fails afterwards", [...usual, use("request", 1600, 1610, "502")], /next session/],
	["what fails between the drills", [...usual, use("request", 9500, 9510, "closed")], /between/],
	["a GET", [{ ...use("request", 990, 1080, "502"), protocol: "http" }, ...usual], /no GET/],
])("%s breaks a promise", (_, uses, promise) => {
	expect(brokenOf(uses)).toEqual([expect.stringMatching(promise)]);
});

test("cold, an answer may take as long as a boot", () => {
	expect(brokenOf([use("request", 990, late)], false)).toEqual([]);
});
