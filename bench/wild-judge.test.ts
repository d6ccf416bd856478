import { expect, test } from "vitest";
import { type Beside, verdictsOf } from "./wild-judge.ts";

const beside = (change: Partial<Beside> = {}): Beside => ({
	host: { median: 1, worst: 90 },
	daemon: { median: 4, worst: 300 },
	calm: { sent: 200, failed: 0, median: 6, worst: 900 },
	...{ burntMs: 20_000, incidents: [], ...change },
});
const brokenOf = (one: Beside, incidentsOfCalm = 0) =>
	verdictsOf({ cpu: beside(), memory: one }, incidentsOfCalm).flatMap(({ broken }) => broken ?? []);

test("beside a guest that burned all of the time, or panicked after a while, others were well", () => {
	expect(brokenOf(beside())).toEqual([]);
	const incidents = [{ id: "wild-2", cause: "panic", afterMs: 9000 }];
	expect(brokenOf(beside({ burntMs: 9000, incidents }))).toEqual([]);
});

test("a guest that was gone at once has shown nothing", () => {
	const incidents = [{ id: "wild-2", cause: "panic", afterMs: 800 }];
	expect(brokenOf(beside({ burntMs: 800, incidents }))).toEqual(["memory: 800 ms (panic)"]);
});

test("whoever else has an incident, fails or is slow is told, with what burned", () => {
	const one = beside({
		host: { median: 1, worst: 1000 },
		daemon: { median: 4, worst: 2000 },
		calm: { sent: 200, failed: 3, median: 6, worst: 5000 },
	});
	expect(brokenOf(one, 1)).toEqual([
		...["1", "memory: 3 of 200", "memory: 5000 ms", "memory: 2000 ms", "memory: 1000 ms"],
	]);
});
