const firstPauseMs = 2000;
const longestPauseMs = 60_000;
const tellAfter = 3;

/**
 * When what ends by itself is begun again: at once the first time, and ever less often while it ends again and again. By a
 * clock that nobody sets: after the host's was set back by hours, nothing would be begun for as long.
 */
export class Restarts {
	#count = 0;
	#nextAt = Number.NEGATIVE_INFINITY;
	readonly #now: () => number;

	constructor(now: () => number = () => performance.now()) {
		this.#now = now;
	}

	/** Whether it has ended by itself lately. */
	get lately(): boolean {
		return this.#count > 0;
	}

	/** It runs; when it has done so for as long as the last pause, all is well. */
	runs(): void {
		if (this.#now() > this.#nextAt) this.forget();
	}

	/** It does not run. @returns whether it is to be begun now, and "tell" once, when it has ended often */
	due(): "no" | "begin" | "tell" {
		if (this.#now() < this.#nextAt) return "no";
		this.#nextAt = this.#now() + Math.min(firstPauseMs * 2 ** this.#count, longestPauseMs);
		this.#count++;
		return this.#count === tellAfter ? "tell" : "begin";
	}

	forget(): void {
		this.#count = 0;
		this.#nextAt = Number.NEGATIVE_INFINITY;
	}
}
