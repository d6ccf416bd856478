import { connect } from "node:net";
import { setTimeout as delay } from "node:timers/promises";

/** A service of a Windows server, and the least that its clients ask of it; see services/*.yaml for what is said. */
export interface Asked {
	name: string;
	/** On the host. */
	port: number;
	/** What a client says first, and how an answer begins, in hexadecimal. */
	say: Buffer;
	answer: RegExp;
}

/** Moments of `performance.now()`. */
interface Asking {
	at: number;
	tookMs: number;
	ok: boolean;
}

const everyMs = 250;
const patienceMs = 120_000;

/** A client that asks again and again, each time by a connection of its own, until it is ended. */
export class Repeating {
	readonly askings: Asking[] = [];
	private readonly asked: Asked;
	private readonly gone = new AbortController();
	private readonly running: Promise<void>;

	constructor(asked: Asked) {
		this.asked = asked;
		this.running = this.run();
	}

	get name(): string {
		return this.asked.name;
	}

	async end(): Promise<void> {
		this.gone.abort();
		await this.running;
	}

	/** The longest that one waited, and how many had no answer, of those that were under way in a span of time. */
	between(from: number, to: number): { longestMs: number; failed: number; asked: number } {
		const touched = this.askings.filter(({ at, tookMs }) => at + tookMs >= from && at <= to);
		return {
			longestMs: Math.round(Math.max(0, ...touched.map(({ tookMs }) => tookMs))),
			failed: touched.filter(({ ok }) => !ok).length,
			asked: touched.length,
		};
	}

	private async run(): Promise<void> {
		const { signal } = this.gone;
		const open = new Set<Promise<void>>();
		while (!signal.aborted) {
			const one = this.ask().finally(() => open.delete(one));
			open.add(one);
			await delay(everyMs, undefined, { signal }).catch(() => {});
		}
		await Promise.all(open);
	}

	private async ask(): Promise<void> {
		const at = performance.now();
		const ok = await answers(
			this.asked,
			AbortSignal.any([this.gone.signal, AbortSignal.timeout(patienceMs)]),
		);
		this.askings.push({ at, tookMs: performance.now() - at, ok });
	}
}

async function answers({ port, say, answer }: Asked, signal: AbortSignal): Promise<boolean> {
	const { promise, resolve } = Promise.withResolvers<boolean>();
	const socket = connect(port, "127.0.0.1", () => socket.write(say));
	const onAbort = () => resolve(false);
	signal.addEventListener("abort", onAbort, { once: true });
	let said = "";
	socket.on("data", (bytes: Buffer) => {
		said = (said + bytes.toString("hex")).slice(0, 512);
		if (answer.test(said)) resolve(true);
	});
	socket.on("error", () => resolve(false));
	socket.on("close", () => resolve(false));
	try {
		return await promise;
	} finally {
		signal.removeEventListener("abort", onAbort);
		socket.destroy();
	}
}
