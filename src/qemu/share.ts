/**
 * So much of a daemon's only thread one guest may have, in the long run: what was spent on it is waited for so many times
 * as long.
 */
const restFactor = 20;
/** What is spent now and then, as on a large answer or on a busy host, costs nobody a pause. Milliseconds. */
const freeMs = 200;
/** The host may have slept meanwhile. */
const longestRestMs = 10_000;

/** Keeps account of the time that what one guest sends takes to be read. */
export class Share {
	private readonly now: () => number;
	/** Milliseconds that were spent and not rested for yet, at `at`. */
	private spentMs = 0;
	private at: number;

	/** @param now milliseconds since an arbitrary moment */
	constructor(now: () => number = () => performance.now()) {
		this.now = now;
		this.at = now();
	}

	/**
	 * Does some work for the guest.
	 * @returns milliseconds for which nothing more is to be done for it; 0 for a guest that behaves
	 */
	spend(work: () => void): number {
		const began = this.now();
		this.spentMs = Math.max(0, this.spentMs - (began - this.at) / restFactor);
		try {
			work();
		} finally {
			this.at = this.now();
			const most = freeMs + longestRestMs / restFactor;
			this.spentMs = Math.min(most, this.spentMs + this.at - began);
		}
		return Math.max(0, this.spentMs - freeMs) * restFactor;
	}
}
