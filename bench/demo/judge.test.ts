import { expect, test } from "vitest";
import type { Sample } from "../steady-client.ts";
import { brokenOf, requestsOf } from "./judge.ts";

const sample = (at: number, ok = true): Sample => ({ at, ms: 5, ok, said: ok ? "page" : "502" });
const clients = (...till: Sample[]) => new Map([["till", { samples: till }]]);
const daemon = { samePid: true, failedRequests: 0, recoveredAfterwards: true };

test("whatever was asked counts, whether during a failure or not", () => {
	const all = new Map([
		...clients(sample(1), sample(3, false)),
		["intranet", { samples: [sample(2, false)] }],
	]);
	const requests = requestsOf(all);
	expect(requests).toEqual({
		sent: 3,
		failed: 2,
		failures: [
			{ server: "intranet", at: 2, said: "502" },
			{ server: "till", at: 3, said: "502" },
		],
	});
	expect(brokenOf(requests, daemon)).toEqual(["2 of 3 requests failed"]);
});

test("all is well when all that was asked was answered, and the daemon's ends harmed nobody", () => {
	expect(brokenOf(requestsOf(clients(sample(1))), daemon)).toEqual([]);
});

test("who was not asked cannot have answered", () => {
	expect(brokenOf(requestsOf(clients()), daemon)).toEqual(["nothing was asked"]);
});

test.each([
	["a session that ended with its daemon", { samePid: false }, /outlive/],
	["a panic that nobody recovered", { recoveredAfterwards: false }, /without a daemon/],
])("%s is told", (_, change, told) => {
	expect(brokenOf(requestsOf(clients(sample(1))), { ...daemon, ...change })).toEqual([
		expect.stringMatching(told),
	]);
});
