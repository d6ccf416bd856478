import { formatDuration } from "../api/units.ts";
import type { Env } from "./env.ts";

/** The time that one wait may take in all, however many steps it has. Disposed of when it is over. */
export class Deadline {
	private readonly time = new AbortController();
	private readonly called = new AbortController();

	constructor(clock: Env["clock"], ms: number) {
		clock.sleep(ms, this.called.signal).then(
			() => this.time.abort(new Error(`it takes longer than ${formatDuration(ms)}`)),
			() => {},
		);
	}

	/** Aborted when the time is over. */
	get signal(): AbortSignal {
		return this.time.signal;
	}

	get isOver(): boolean {
		return this.time.signal.aborted;
	}

	/** Waits for work that fails never, as long as there is time; it goes on after that. */
	async orOver(work: Promise<void>): Promise<void> {
		const { promise: over, resolve } = Promise.withResolvers<void>();
		this.signal.addEventListener("abort", () => resolve(), { once: true });
		await Promise.race([work, over]);
	}

	[Symbol.dispose](): void {
		this.called.abort();
	}
}
