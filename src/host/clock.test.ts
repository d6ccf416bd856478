import { expect, test } from "vitest";
import { DeadlineError, systemClock, withDeadline } from "./clock.ts";

const never = async () => await new Promise<never>(() => {});

test("work that ends in time is passed on", async () => {
	expect(await withDeadline("work", 10_000, async () => 7)).toBe(7);
	await expect(withDeadline("work", 10_000, async () => Promise.reject(new Error("own")))).rejects.toThrow(
		"own",
	);
});

test("work that does not end is left at the deadline, and told", async () => {
	let told: AbortSignal | undefined;
	const work = withDeadline("the monitor", 10, async (signal) => {
		told = signal;
		await never();
	});
	const failure = await work.catch((error: unknown) => error);
	expect(failure).toBeInstanceOf(DeadlineError);
	expect(failure).toMatchObject({ message: "the monitor did not finish within 10 ms", afterMs: 10 });
	expect(told?.aborted).toBe(true);
});

test("work is left when the caller no longer wants it", async () => {
	const caller = new AbortController();
	const work = withDeadline("work", 10_000, never, caller.signal);
	caller.abort(new Error("no longer wanted"));
	await expect(work).rejects.toThrow("no longer wanted");
});

test("work is not begun for a caller that is gone already", async () => {
	const begun: string[] = [];
	const work = withDeadline(
		"work",
		10_000,
		async () => begun.push("work"),
		AbortSignal.abort(new Error("gone")),
	);
	await expect(work).rejects.toThrow("gone");
	expect(begun).toEqual([]);
});

test("nothing is left behind that would keep the process alive", async () => {
	const before = process.getActiveResourcesInfo().filter((name) => name === "Timeout").length;
	await withDeadline("work", 3_600_000, async () => {});
	expect(process.getActiveResourcesInfo().filter((name) => name === "Timeout").length).toBeLessThanOrEqual(
		before,
	);
});

test("a sleep is cut short by its signal", async () => {
	const caller = new AbortController();
	const sleep = systemClock.sleep(3_600_000, caller.signal);
	caller.abort();
	await expect(sleep).rejects.toThrow();
});

test("a sleep of months does not end at once", async () => {
	const caller = new AbortController();
	const sleep = systemClock.sleep(100 * 86_400_000, caller.signal).then(
		() => "ended",
		() => "cut short",
	);
	setTimeout(() => caller.abort(), 50);
	expect(await sleep).toBe("cut short");
});

test("a sleep is never shorter than was asked for", async () => {
	const slept = async (ms: number) => {
		const begin = systemClock.monotonic();
		await systemClock.sleep(ms);
		return systemClock.monotonic() - begin - ms;
	};
	for (let round = 0; round < 5; round++) {
		const many = Array.from({ length: 100 }, (_, i) => slept(i / 3));
		expect(Math.min(...(await Promise.all(many)))).toBeGreaterThanOrEqual(0);
	}
});
