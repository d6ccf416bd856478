import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { type Importance, ServingShare } from "./importance.ts";

let given: [number, number][];
let share: ServingShare;
const log = (error: unknown) => {
	throw error;
};

beforeEach(() => {
	vi.useFakeTimers();
	given = [];
	share = new ServingShare(async (session, weight) => void given.push([session, weight]), log);
});
afterEach(() => {
	vi.useRealTimers();
});

/** @returns the share that a session is given when it becomes this. */
const become = async (session: number, level: Importance) =>
	await share.become(session, level, async (weight) => weight);

test("a session that serves has its share, and a small one while others do its work", async () => {
	expect(await become(1, "serving")).toBe(50);
	await share.setYielding(true);
	await share.setYielding(true);
	await share.setYielding(false);
	expect(given).toEqual([
		[1, 5],
		[1, 50],
	]);
});

test("the session that comes after the failed one has the small share from its start", async () => {
	await become(1, "serving");
	expect(await become(1, "waiting")).toBe(1);
	await share.setYielding(true);
	expect(given).toEqual([]);
	expect(await become(2, "loading")).toBe("idle");
	expect(await become(2, "serving")).toBe(5);
});

test("nobody yields for ever, and each session that comes back does from its beginning", async () => {
	await share.setYielding(true);
	await vi.advanceTimersByTimeAsync(60_000);
	expect(await become(2, "serving")).toBe(5);
	await vi.advanceTimersByTimeAsync(19_999);
	expect(given).toEqual([]);
	await vi.advanceTimersByTimeAsync(1);
	expect(given).toEqual([[2, 50]]);
	await share.setYielding(true);
	await share.setYielding(false);
	expect(await become(3, "serving")).toBe(50);
	expect(given.at(-1)).toEqual([2, 50]);
});

test("a session that was taken over gets the share that is its own now", async () => {
	await share.takeOver(7);
	expect(given).toEqual([[7, 50]]);
});

test("a session that begins to serve while others begin to do its work ends up with the small share", async () => {
	const made = Promise.withResolvers<void>();
	const begins = share.become(2, "serving", async (weight) => {
		// What makes its group takes its time.
		await made.promise;
		given.push([2, Number(weight)]);
	});
	await vi.advanceTimersByTimeAsync(0);
	const yields = share.setYielding(true);
	await vi.advanceTimersByTimeAsync(0);
	made.resolve();
	await Promise.all([begins, yields]);
	expect(given).toEqual([
		[2, 50],
		[2, 5],
	]);
});
