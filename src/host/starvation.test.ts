import { expect, test } from "vitest";
import { Starvation, starvedShare } from "./starvation.ts";

const before = { ran: 1000, waited: 500 };

test.each([
	["nothing wanted to run", 0, 0, 0],
	["one thread ran all the time", 500, 0, 0],
	["one thread got nothing", 0, 500, 1],
	["one thread got a quarter", 125, 375, 0.75],
	["eight spinning threads on two processors", 1000, 3000, 0.75],
	["eight threads got nothing", 0, 4000, 1],
	["hardly anything wanted to run, and waited for that", 1, 9, 0.018],
	["a thread that had waited for long has ended", 100, -400, 0],
])("%s within 500 ms", (_, ran, waited, expected) => {
	const after = { ran: before.ran + ran, waited: before.waited + waited };
	expect(starvedShare(before, after, 500)).toBeCloseTo(expected, 5);
});

test("two looks in the same moment", () => {
	expect(starvedShare(before, before, 0)).toBe(0);
});

test("a real process, and one that is not there", () => {
	const share = new Starvation(process.pid).since();
	expect(share).toBeGreaterThanOrEqual(0);
	expect(share).toBeLessThanOrEqual(1);
	expect(new Starvation(2 ** 30).since()).toBe(0);
});
