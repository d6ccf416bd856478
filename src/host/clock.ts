import { setTimeout as delay } from "node:timers/promises";

/** Time as the rest of Bulkhead sees it, so that hours can pass in a simulation within seconds. */
export interface Clock {
	/** Milliseconds since the Unix epoch. Follows the system clock, so it may jump. */
	now(): number;
	/** Milliseconds since an arbitrary moment, with a fraction. Never goes backwards. */
	monotonic(): number;
	/** Resolves after `ms` milliseconds of `monotonic` and no earlier; rejects with the signal's reason when aborted before. */
	sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/** Node rings a longer one at once. */
export const longestTimerMs = 2 ** 31 - 1;

export const systemClock: Clock = {
	now: () => Date.now(),
	monotonic: () => performance.now(),
	sleep: async (ms, signal) => {
		const end = performance.now() + ms;
		let left = ms;
		// Node's timers may ring up to a millisecond early: whoever looks at the clock then would go on waiting for nothing.
		do {
			await delay(Math.min(left, longestTimerMs), undefined, signal ? { signal } : {});
			left = end - performance.now();
		} while (left > 0);
	},
};

/** Thrown when something outside did not answer in time. */
export class DeadlineError extends Error {
	override readonly name = "DeadlineError";
	readonly afterMs: number;
	constructor(what: string, afterMs: number) {
		super(`${what} did not finish within ${afterMs} ms`);
		this.afterMs = afterMs;
	}
}

/**
 * Waits for `work` for at most `ms` milliseconds.
 * The work gets a signal that is aborted when the time is up or when `outer` is.
 * @throws DeadlineError when the time is up
 */
export async function withDeadline<T>(
	what: string,
	ms: number,
	work: (signal: AbortSignal) => Promise<T>,
	outer?: AbortSignal,
): Promise<T> {
	const own = new AbortController();
	const signal = outer ? AbortSignal.any([own.signal, outer]) : own.signal;
	const { promise: gone, reject } = Promise.withResolvers<never>();
	const onAbort = () => reject(signal.reason);
	signal.addEventListener("abort", onAbort, { once: true });
	const timer = setTimeout(() => own.abort(new DeadlineError(what, ms)), ms);
	try {
		signal.throwIfAborted();
		return await Promise.race([work(signal), gone]);
	} finally {
		clearTimeout(timer);
		signal.removeEventListener("abort", onAbort);
	}
}
