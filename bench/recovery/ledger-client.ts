import { Agent, request } from "node:http";
import { setTimeout as delay } from "node:timers/promises";
import { hostNow } from "../open-loop/clock.ts";

const answerWithinMs = 60_000;

/** An entry as the ledger keeps it. */
export interface Entry {
	number: number;
	key: string;
	amount: number;
	text: string;
}

/** One entry that a client wants to have in the ledger. Moments are milliseconds of `hostNow`. */
export interface Posting {
	key: string;
	amount: number;
	text: string;
	due: number;
	end: number;
	/** What each request was answered with, in their order: "201", "502", or how its connection ended. */
	answers: string[];
	/** What the ledger acknowledged; null when it never did. */
	acknowledged: Entry | null;
}

export interface Target {
	host: string;
	port: number;
}

interface Answer {
	status: number;
	body: string;
}

/** Sends one request, and never repeats it. @throws Error when its connection ends early, or after a minute */
async function ask(target: Target, agent: Agent, method: string, path: string, body = ""): Promise<Answer> {
	const { promise, resolve, reject } = Promise.withResolvers<Answer>();
	const headers = { "Content-Length": Buffer.byteLength(body) };
	const signal = AbortSignal.timeout(answerWithinMs);
	const sent = request({ ...target, agent, method, path, headers, signal }, (response) => {
		const chunks: Buffer[] = [];
		response.on("data", (chunk: Buffer) => chunks.push(chunk));
		response.on("error", reject);
		response.on("end", () => {
			if (!response.complete) return reject(new Error("the response is short"));
			resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString("utf8") });
		});
	});
	sent.on("error", reject);
	sent.end(body);
	return await promise;
}

/**
 * A client that adds one entry after the other. When a request fails it asks again, with the same key, until it has
 * the ledger's word.
 */
export class LedgerClient implements AsyncDisposable {
	readonly postings: Posting[] = [];
	private readonly name: string;
	private readonly target: Target;
	private readonly everyMs: number;
	private readonly agent = new Agent({ keepAlive: true, maxSockets: 1 });
	private readonly ending = new AbortController();
	private readonly over: Promise<void>;
	private failure: unknown;

	/** @param everyMs pause between an answer and the next entry, or the next request for the same */
	constructor(name: string, target: Target, everyMs: number) {
		this.name = name;
		this.target = target;
		this.everyMs = everyMs;
		this.over = this.run().catch((error: unknown) => {
			this.failure = error;
		});
	}

	/** @throws Error when the client itself has failed */
	check(): void {
		if (this.failure) throw new Error(`client ${this.name} failed`, { cause: this.failure });
	}

	/** Begins nothing more, and waits until what it has begun is acknowledged or given up. */
	async stop(): Promise<readonly Posting[]> {
		this.ending.abort();
		await this.over;
		this.agent.destroy();
		this.check();
		return this.postings;
	}

	async [Symbol.asyncDispose](): Promise<void> {
		this.ending.abort();
		this.agent.destroy();
		await this.over;
	}

	private async run(): Promise<void> {
		for (let number = 1; !this.ending.signal.aborted; number++) {
			await this.post(number);
			await delay(this.everyMs, undefined, { signal: this.ending.signal }).catch(() => {});
		}
	}

	private async post(number: number): Promise<void> {
		const key = `${this.name}-${number}`;
		const due = hostNow();
		const posting: Posting = {
			key,
			amount: number * 100 + 1,
			text: `entry ${key}`,
			due,
			end: due,
			answers: [],
			acknowledged: null,
		};
		this.postings.push(posting);
		while (posting.acknowledged === null && hostNow() - due < 2 * answerWithinMs) {
			if (posting.answers.length > 0) await delay(this.everyMs);
			await this.try(posting);
			posting.end = hostNow();
		}
	}

	private async try(posting: Posting): Promise<void> {
		const { key, amount, text, answers } = posting;
		try {
			const body = JSON.stringify({ key, amount, text });
			const answer = await ask(this.target, this.agent, "POST", "/entries", body);
			answers.push(String(answer.status));
			if (answer.status === 200 || answer.status === 201)
				posting.acknowledged = JSON.parse(answer.body) as Entry;
		} catch (error) {
			answers.push(error instanceof Error ? error.message : String(error));
		}
	}
}

/** @returns all entries of the ledger. @throws Error when it does not answer with them */
export async function readLedger(target: Target): Promise<Entry[]> {
	const agent = new Agent({ keepAlive: true });
	const entries: Entry[] = [];
	try {
		for (;;) {
			const after = entries.at(-1)?.number ?? 0;
			const { status, body } = await ask(target, agent, "GET", `/entries?after=${after}`);
			if (status !== 200) throw new Error(`the ledger was asked for its entries and said ${status}`);
			const { entries: page } = JSON.parse(body) as { entries: Entry[] };
			if (page.length === 0) return entries;
			entries.push(...page);
		}
	} finally {
		agent.destroy();
	}
}
