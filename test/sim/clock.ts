interface Timer {
	at: number;
	order: number;
	ring(): void;
}

/**
 * A clock that only moves when it is told to. Between two moments everything that can run does run: an hour takes as
 * long as the code that it wakes.
 */
export class VirtualClock {
	/** Milliseconds since the Unix epoch at which every simulation begins. */
	static readonly begin = Date.UTC(2026, 0, 5, 8);
	private time = VirtualClock.begin;
	private ahead = 0;
	private order = 0;
	private timers: Timer[] = [];

	now(): number {
		return this.time + this.ahead;
	}

	/** The host's clock is set: what waits goes on waiting for as long as it would have. */
	set(byMs: number): void {
		this.ahead += byMs;
	}

	/** Milliseconds since the simulation began. */
	get elapsed(): number {
		return this.time - VirtualClock.begin;
	}

	async sleep(ms: number, signal?: AbortSignal): Promise<void> {
		signal?.throwIfAborted();
		const { promise, resolve, reject } = Promise.withResolvers<void>();
		const cancel = this.after(ms, resolve);
		const onAbort = () => {
			cancel();
			reject(signal?.reason);
		};
		signal?.addEventListener("abort", onAbort, { once: true });
		try {
			await promise;
		} finally {
			signal?.removeEventListener("abort", onAbort);
		}
	}

	/** @returns a function that calls it off */
	after(ms: number, ring: () => void): () => void {
		const timer = { at: this.time + Math.max(0, ms), order: this.order++, ring };
		const place = this.timers.findIndex(({ at }) => at > timer.at);
		this.timers.splice(place < 0 ? this.timers.length : place, 0, timer);
		return () => {
			this.timers = this.timers.filter((other) => other !== timer);
		};
	}

	/** Lets time pass up to `elapsed` milliseconds after the beginning. Nothing beyond that moment happens. */
	async passUntil(elapsed: number): Promise<void> {
		const end = VirtualClock.begin + elapsed;
		await settled();
		for (let next = this.timers[0]; next && next.at <= end; next = this.timers[0]) {
			this.timers.shift();
			this.time = next.at;
			next.ring();
			await settled();
		}
		this.time = end;
	}
}

/** Resolves when nothing is left that could run without time passing: promises run before any macrotask does. */
export async function settled(): Promise<void> {
	const { promise, resolve } = Promise.withResolvers<void>();
	setImmediate(resolve);
	await promise;
}
