import { expect, test } from "vitest";
import { type Attempt, isSuspect, nextStep, youngDeaths } from "./recovery.ts";

const minute = 60_000;
const budget = { attempts: 5, withinMs: 10 * minute };
const now = 100 * minute;

/** Attempts so many minutes ago; `+` became ready. */
function made(text: string): Attempt[] {
	return text
		.split(" ")
		.filter(Boolean)
		.map((word) => ({
			at: now - Number.parseFloat(word) * minute,
			ready: word.endsWith("+"),
			way: word.includes("w") ? "warm" : "cold",
		}));
}

test.each([
	["no recovery before", "", "attempt 1 after 0 ms"],
	["one that became ready", "5+", "attempt 2 after 0 ms"],
	["one that did not", "1", "attempt 2 after 1000 ms"],
	["two that did not", "2 1", "attempt 3 after 2000 ms"],
	["three that did not", "3 2 1", "attempt 4 after 4000 ms"],
	["four that did not", "4 3 2 1", "attempt 5 after 8000 ms"],
	["some that did not, then one that did", "4 3 2+", "attempt 4 after 0 ms"],
	["one that did, then one that did not", "4+ 1", "attempt 3 after 1000 ms"],
	["five within the window", "9 8 7 6 5", "give up"],
	["five within the window, all ready", "9+ 8+ 7+ 6+ 5+", "give up"],
	["five, the first just out of the window", "10 8+ 7+ 6+ 5+", "attempt 5 after 0 ms"],
	["many, long ago", "99+ 98+ 97+ 96+ 95+ 94+", "attempt 1 after 0 ms"],
	["stillborn ones, long ago", "50 40 30 20", "attempt 1 after 0 ms"],
	["five before the clock was set back by an hour", "-55 -56 -57 -58 -59", "attempt 1 after 0 ms"],
])("after %s (%s)", (_, attempts, expected) => {
	const step = nextStep(made(attempts), now, budget, false);
	expect(step.kind === "cold" ? `attempt ${step.attempt} after ${step.afterMs} ms` : "give up").toBe(
		expected,
	);
});

test.each([
	["no recovery before", "", "warm after 0 ms"],
	["warm ones that became ready", "5w+ 4w+ 3w+", "warm after 0 ms"],
	["one from the seal that did not become ready", "5+ 1w", "warm after 0 ms"],
	["two of them", "2w 1w", "cold after 0 ms"],
	["two of them, then a boot that did not either", "3w 2w 1", "cold after 1000 ms"],
	["two of them, then a boot that did", "3w 2w 1+", "warm after 0 ms"],
	["one of them, long ago", "30w 20w", "warm after 0 ms"],
])("with a seal, after %s (%s)", (_, attempts, expected) => {
	const step = nextStep(made(attempts), now, budget, true);
	expect(step.kind === "give-up" ? "give up" : `${step.kind} after ${step.afterMs} ms`).toBe(expected);
});

test("a seal is suspect when its sessions die young again and again", () => {
	const deaths = [5000, 4000].reduce(youngDeaths, 0);
	expect(isSuspect(deaths)).toBe(true);
	expect([5000, 60_000, 4000].reduce(youngDeaths, 0)).toBe(1);
});

test("the pause grows to a minute and no further", () => {
	const many = made(Array.from({ length: 30 }, (_, i) => `${(30 - i) / 10}`).join(" "));
	expect(nextStep(many, now, { attempts: 100, withinMs: budget.withinMs }, false)).toMatchObject({
		afterMs: minute,
	});
});

test("giving up says why, and what to do", () => {
	expect(nextStep(made("5 4 3 2 1"), now, budget, true)).toEqual({
		kind: "give-up",
		reason:
			"it failed again after 5 recoveries within 10 min; its disks and all evidence are kept; look at the incidents, then start it",
	});
	expect(nextStep([], now, { attempts: 0, withinMs: minute }, true)).toEqual({
		kind: "give-up",
		reason: "its recovery budget is 0 attempts; look at the incident, then start it",
	});
});
