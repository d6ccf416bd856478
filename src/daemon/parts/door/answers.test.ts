import { expect, test } from "vitest";
import { answersOfAll, feltOfAll, healthOfAll } from "./answers.ts";

test("health: each service's own; of one that is published twice the worse that is known", () => {
	expect(healthOfAll([{ http: "up" }, { ssh: "down" }, { ldap: "unknown" }])).toEqual({
		http: "up",
		ssh: "down",
		ldap: "unknown",
	});
	expect(healthOfAll([{ http: "up" }, { http: "down" }, { http: "unknown" }])).toEqual({ http: "down" });
	expect(healthOfAll([{ http: "unknown" }, { http: "up" }])).toEqual({ http: "up" });
	expect(healthOfAll([])).toEqual({});
	const name = "constructor";
	expect(healthOfAll([{ [name]: "up" as const }])).toEqual({ [name]: "up" });
});

test("answers: of a service that is published twice, what is known of the port that tells less", () => {
	const [fresh, old] = [
		{ ageMs: 500, late: false },
		{ ageMs: 4000, late: true },
	];
	expect(answersOfAll([{ http: fresh }, { http: old, ssh: fresh }])).toEqual({ http: old, ssh: fresh });
	expect(answersOfAll([])).toEqual({});
	expect(answersOfAll([{ constructor: old }])).toEqual({ constructor: old });
});

test("felt: counted together, and the longest pause of all; nothing where nothing is published", () => {
	const one = { requests: 10, held: 3, failed: 1, longestPauseMs: 900 };
	expect(feltOfAll([one, { requests: 5, held: 5, failed: 0, longestPauseMs: 1400 }])).toEqual({
		...{ requests: 15, held: 8, failed: 1, longestPauseMs: 1400 },
	});
	expect(feltOfAll([one])).toEqual(one);
	expect(feltOfAll([])).toBeNull();
});
