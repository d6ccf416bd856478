import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createLog } from "../../host/log.ts";
import { hurryAfter } from "./hurry.ts";

let given: string[];

beforeEach(() => {
	vi.useFakeTimers();
	given = [];
});
afterEach(() => {
	vi.useRealTimers();
});

const hurried = (answer: () => Promise<unknown> = async () => {}) => {
	const setImportance = async (number: number, level: string) => {
		given.push(`${number} ${level}`);
		return await answer();
	};
	const launcher = { server: { name: "web" }, setImportance };
	const all = { number: 7, launcher, log: createLog("silent") };
	return hurryAfter(1000, all as unknown as Parameters<typeof hurryAfter>[1]);
};

test("what takes too long gets a share of its own, once", async () => {
	await using _ = hurried();
	await vi.advanceTimersByTimeAsync(999);
	expect(given).toEqual([]);
	await vi.advanceTimersByTimeAsync(5000);
	expect(given).toEqual(["7 late"]);
});

test("what is over gets none any more, and one that is being given is waited for", async () => {
	await hurried()[Symbol.asyncDispose]();
	await vi.advanceTimersByTimeAsync(5000);
	expect(given).toEqual([]);
	const { promise, resolve } = Promise.withResolvers<void>();
	const slow = hurried(async () => await promise);
	await vi.advanceTimersByTimeAsync(1000);
	let over = false;
	const disposed = slow[Symbol.asyncDispose]().then(() => {
		over = true;
	});
	await vi.advanceTimersByTimeAsync(1000);
	expect(over).toBe(false);
	resolve();
	await disposed;
});

test("a share that cannot be given ends nothing", async () => {
	const failing = hurried(async () => {
		throw new Error("no control groups");
	});
	await vi.advanceTimersByTimeAsync(1000);
	await failing[Symbol.asyncDispose]();
	expect(given).toEqual(["7 late"]);
});
