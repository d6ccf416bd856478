import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { ServingShare } from "./importance.ts";

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

test("a session that serves has its share, and a small one while others do its work", async () => {
	expect(share.weightOf(1, "serving")).toBe(50);
	await share.setYielding(true);
	await share.setYielding(true);
	await share.setYielding(false);
	expect(given).toEqual([
		[1, 5],
		[1, 50],
	]);
});

test("the session that comes after the failed one has the small share from its start", async () => {
	share.weightOf(1, "serving");
	expect(share.weightOf(1, "waiting")).toBe(1);
	await share.setYielding(true);
	expect(given).toEqual([]);
	expect(share.weightOf(2, "loading")).toBe("idle");
	expect(share.weightOf(2, "serving")).toBe(5);
});

test("nobody yields for ever, and each session that comes back does from its beginning", async () => {
	await share.setYielding(true);
	await vi.advanceTimersByTimeAsync(60_000);
	expect(share.weightOf(2, "serving")).toBe(5);
	await vi.advanceTimersByTimeAsync(19_999);
	expect(given).toEqual([]);
	await vi.advanceTimersByTimeAsync(1);
	expect(given).toEqual([[2, 50]]);
	await share.setYielding(true);
	await share.setYielding(false);
	expect(share.weightOf(3, "serving")).toBe(50);
	expect(given.at(-1)).toEqual([2, 50]);
});

test("a session that was taken over gets the share that is its own now", async () => {
	await share.takeOver(7);
	expect(given).toEqual([[7, 50]]);
});
