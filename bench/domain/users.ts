import { setTimeout as delay } from "node:timers/promises";

/** One thing that somebody asked of the domain: when, for how long, and whether it was done. Milliseconds of this process. */
export interface Ask {
	from: number;
	to: number;
	ok: boolean;
	/** What was said when it was not done. */
	why?: string;
}

/** From an answer to the next question, milliseconds. */
const usualPauseMs = 250;
/** What comes so soon after a panic had been sent before it, milliseconds. */
export const stillMs = 50;

/**
 * Asks for the same thing again and again, one after the other, as somebody who works. From a moment that is told on, until
 * it is served: questions that nobody needs would only keep an emulated server from others.
 */
export class Repeated {
	readonly asks: Ask[] = [];
	private moment = Number.POSITIVE_INFINITY;
	private readonly stopping = new AbortController();
	private readonly running: Promise<void>;

	constructor(ask: () => Promise<unknown>, pauseMs = usualPauseMs) {
		this.running = this.run(ask, pauseMs);
	}

	/** @param moment when what is asked for went away */
	untilServedAfter(moment: number): void {
		this.moment = moment;
	}

	async stop(): Promise<void> {
		this.stopping.abort();
		await this.running;
	}

	/**
	 * Milliseconds from a moment until something that was asked for is done; the asking may have begun before.
	 * @param moment when what is asked for went away, and not when that was known here
	 */
	servedAfter(moment: number): number | null {
		const served = this.asks.find(({ to, ok }) => ok && to > moment + stillMs);
		return served ? served.to - moment : null;
	}

	/** Those that came after one moment, and until another, and were refused or had no answer: when, how long, and why. */
	refusedBetween(from: number, to: number): string[] {
		return this.asks
			.filter((ask) => !ask.ok && ask.from > from && ask.from < to)
			.map((ask) => {
				const [after, took] = [ask.from - from, ask.to - ask.from].map((ms) => (ms / 1000).toFixed(2));
				return `after ${after} s, for ${took} s: ${ask.why ?? "no words"}`;
			});
	}

	private async run(ask: () => Promise<unknown>, pauseMs: number): Promise<void> {
		const { signal } = this.stopping;
		while (!signal.aborted) {
			const from = performance.now();
			const why = await ask().then(
				() => undefined,
				(error: unknown) => String(error).replaceAll(/\s+/g, " ").slice(0, 200),
			);
			const to = performance.now();
			const ok = why === undefined;
			this.asks.push({ from, to, ok, ...(ok ? {} : { why }) });
			if (ok && to > this.moment + stillMs) return;
			await delay(pauseMs, undefined, { signal }).catch(() => {});
		}
	}
}
