import { get } from "node:http";

export interface Sample {
	/** When it was sent, milliseconds since the Unix epoch. */
	at: number;
	/** How long it took. */
	ms: number;
	ok: boolean;
	/** What was answered, or why nothing was. */
	said: string;
}

/**
 * Asks for a page at a steady rate, whether earlier requests have been answered or not: an outage is felt by as many
 * requests as fall into it.
 */
export class SteadyClient implements AsyncDisposable {
	readonly samples: Sample[] = [];
	private readonly url: string;
	private readonly timer: NodeJS.Timeout;
	private readonly open = new Set<{ at: number }>();
	private sent = 0;

	constructor(url: string, everyMs: number) {
		this.url = url;
		this.timer = setInterval(() => this.ask(), everyMs);
	}

	/** Requests that wait for their answer at the moment, oldest first. */
	get waiting(): { at: number }[] {
		return [...this.open];
	}

	/** @returns what requests felt that were sent, or waited, between two moments */
	felt(from: number, to: number): { sent: number; failed: number; longestPauseMs: number } {
		const touched = this.samples.filter(({ at, ms }) => at <= to && at + ms >= from);
		const failed = touched.filter(({ ok }) => !ok).length;
		return {
			sent: touched.length,
			failed,
			longestPauseMs: Math.round(Math.max(0, ...touched.map(({ ms }) => ms))),
		};
	}

	/** Sends nothing more, and waits for what is under way. */
	async stop(): Promise<void> {
		clearInterval(this.timer);
		while (this.open.size > 0) await new Promise((resolve) => setTimeout(resolve, 10));
	}

	async [Symbol.asyncDispose](): Promise<void> {
		await this.stop();
	}

	private ask(): void {
		const started = { at: Date.now(), number: ++this.sent };
		this.open.add(started);
		const done = (ok: boolean, said: string) => {
			if (!this.open.delete(started)) return;
			this.samples.push({ at: started.at, ms: Date.now() - started.at, ok, said });
		};
		const request = get(this.url, { agent: false, timeout: 120_000 }, (response) => {
			let body = "";
			response.setEncoding("utf8");
			response.on("data", (chunk: string) => {
				body = (body + chunk).slice(0, 2000);
			});
			response.on("end", () => done(response.statusCode === 200 && response.complete, body));
			response.on("error", (error) => done(false, error.message));
		});
		request.on("timeout", () => request.destroy(new Error("no answer within two minutes")));
		request.on("error", (error) => done(false, error.message));
	}
}
