import { setTimeout as delay } from "node:timers/promises";

/** What was to be looked at hangs. */
export class Hanging extends Error {}

/**
 * Looks at things that may hang, as files on a disk that does: who asks is answered within the deadline, and while a look
 * hangs no second one begins, so that it holds one thread and not all.
 */
export class Looks {
	readonly #hanging = new Map<string, Promise<unknown>>();
	readonly #deadlineMs: number;

	constructor(deadlineMs: number) {
		this.#deadlineMs = deadlineMs;
	}

	/** @param what is looked at, in words. @throws Hanging, and whatever the look throws */
	async take<T>(what: string, look: () => Promise<T>): Promise<T> {
		const slow = () =>
			new Hanging(`${what} does not answer within ${this.#deadlineMs / 1000} s; does its disk hang?`);
		if (this.#hanging.has(what)) throw slow();
		const looking = look();
		this.#hanging.set(what, looking);
		const done = () => this.#hanging.delete(what);
		looking.then(done, done);
		const enough = new AbortController();
		try {
			return await Promise.race([
				looking,
				delay(this.#deadlineMs, undefined, { signal: enough.signal }).then(() => {
					throw slow();
				}),
			]);
		} finally {
			enough.abort();
		}
	}
}
