import { rename } from "node:fs/promises";
import { Worker } from "node:worker_threads";
import type { Event, NewEvent } from "../api/event.ts";
import { withDeadline } from "../host/clock.ts";
import { errorCode } from "../host/files.ts";
import type { TrafficDay, TrafficSample } from "./traffic-tables.ts";

/** What is asked of the worker. */
export type HistoryRequest =
	| { do: "append"; event: Event }
	| { do: "read"; after: number; limit: number; id: number }
	| { do: "add-traffic"; at: number; samples: readonly TrafficSample[]; id: number }
	| { do: "forget-traffic"; server: string; id: number }
	| { do: "read-traffic"; server: string; since: number; id: number }
	| { do: "close"; id: number };

export interface HistoryAnswer {
	id: number;
	value?: Event[];
	traffic?: TrafficDay[];
	error?: string;
}

/** SQLITE_NOTADB and SQLITE_CORRUPT in words: their numbers do not come out of the worker. */
function isDamaged(error: unknown): error is Error {
	return error instanceof Error && /file is not a database|malformed/.test(error.message);
}

async function moveIfThere(from: string, to: string): Promise<void> {
	try {
		await rename(from, to);
	} catch (error) {
		if (errorCode(error) !== "ENOENT") throw error;
	}
}

/** The journal belongs to the damaged file; beside a new one SQLite might believe it. */
async function moveAside(file: string, onMoved: (aside: string) => void): Promise<void> {
	const aside = `${file}.broken-${Date.now()}`;
	onMoved(aside);
	for (const part of ["-wal", "-shm", ""]) await moveIfThere(`${file}${part}`, `${aside}${part}`);
}

/** SQLite's name for a database of no file. */
const inMemory = ":memory:";

/** Who is told what becomes of events. */
export interface HistoryTold {
	/** One could not be kept. */
	onFailure: (error: Error) => void;
	/** @param aside where the damaged file is now */
	onMoved: (error: Error, aside: string) => void;
	/** They are kept in memory alone, until the daemon is started anew. */
	onMemory: (error: unknown) => void;
}

/**
 * The events, in SQLite. SQLite is synchronous here, so it lives in a worker: nothing that waits for a disk runs beside
 * a recovery. Ids are given on this side, so that an event can be published before it is on disk.
 */
export class History {
	private readonly worker: Worker;
	private readonly waiting = new Map<number, (answer: HistoryAnswer) => void>();
	private readonly listeners = new Set<(event: Event) => void>();
	private nextId: number;
	private nextRequest = 1;

	private constructor(worker: Worker, onFailure: (error: Error) => void, firstId: number) {
		this.worker = worker;
		this.nextId = firstId;
		worker.on("error", (error) => {
			const failure = error instanceof Error ? error : new Error(String(error));
			onFailure(failure);
			// Nobody waits for an answer that cannot come any more.
			for (const [id, answer] of this.waiting) answer({ id, error: failure.message });
		});
		worker.on("message", (answer: HistoryAnswer) => {
			if (answer.id === 0) onFailure(new Error(answer.error ?? "history failed"));
			this.waiting.get(answer.id)?.(answer);
		});
	}

	/**
	 * @param onFailure is told when events can no longer be kept
	 * @param firstId the lowest id of an event that is appended from now on
	 */
	static async open(file: string, onFailure: (error: Error) => void, firstId = 1): Promise<History> {
		const worker = new Worker(new URL("./history-worker.ts", import.meta.url), { workerData: { file } });
		const history = new History(worker, onFailure, firstId);
		try {
			const last = await history.last(1);
			history.nextId = Math.max(firstId, (last[0]?.id ?? 0) + 1);
			return history;
		} catch (error) {
			// The file may be moved now: nothing may still write to it.
			await worker.terminate();
			throw error;
		}
	}

	/**
	 * As `open`; a file that SQLite calls damaged is moved aside, and a new one begun. Any other failure, such as a full
	 * disk, says nothing about the events in it: they stay where they are, and those to come are in memory alone.
	 * Ids go on at the time in milliseconds, above all that were given before, those of events that could not be kept too:
	 * who follows asks for what has a higher one than the last that was seen.
	 */
	static async openOrBegin(file: string, told: HistoryTold): Promise<History> {
		const firstId = Date.now();
		try {
			return await History.open(file, told.onFailure, firstId);
		} catch (error) {
			if (isDamaged(error)) await moveAside(file, (aside) => told.onMoved(error, aside));
			else told.onMemory(error);
			return await History.open(isDamaged(error) ? file : inMemory, told.onFailure, firstId);
		}
	}

	/** Publishes an event at once, and keeps it. */
	append(event: NewEvent): Event {
		const numbered = { ...event, id: this.nextId++ };
		for (const listener of this.listeners) listener(numbered);
		this.worker.postMessage({ do: "append", event: numbered } satisfies HistoryRequest);
		return numbered;
	}

	/** @returns events with a higher id, oldest first */
	async after(id: number, limit: number): Promise<Event[]> {
		return await this.read(id, limit);
	}

	/** @returns the newest events, oldest first */
	async last(limit: number): Promise<Event[]> {
		return await this.read(-1, limit);
	}

	/** Keeps what went in and out of servers. @throws Error when it cannot be kept; then nothing of it is */
	async addTraffic(at: number, samples: readonly TrafficSample[]): Promise<void> {
		await this.ask((id) => ({ do: "add-traffic", at, samples, id }));
	}

	/** Forgets what went in and out of a server that is gone. @throws Error when that cannot be written */
	async forgetTraffic(server: string): Promise<void> {
		await this.ask((id) => ({ do: "forget-traffic", server, id }));
	}

	/** @returns what went in and out of a server since a day, oldest first */
	async trafficOf(server: string, since: number): Promise<TrafficDay[]> {
		return (await this.ask((id) => ({ do: "read-traffic", server, since, id }))).traffic ?? [];
	}

	/** @returns a function that ends the subscription */
	subscribe(listener: (event: Event) => void): () => void {
		this.listeners.add(listener);
		return () => this.listeners.delete(listener);
	}

	/** Resolves when everything appended so far is on disk. */
	async close(): Promise<void> {
		await this.ask((id) => ({ do: "close", id }));
		await this.worker.terminate();
	}

	private async read(after: number, limit: number): Promise<Event[]> {
		return (await this.ask((id) => ({ do: "read", after, limit, id }))).value ?? [];
	}

	private async ask(request: (id: number) => HistoryRequest): Promise<HistoryAnswer> {
		const id = this.nextRequest++;
		const { promise, resolve } = Promise.withResolvers<HistoryAnswer>();
		this.waiting.set(id, resolve);
		this.worker.postMessage(request(id));
		try {
			const answer = await withDeadline("the history", 10_000, () => promise);
			if (answer.error) throw new Error(answer.error);
			return answer;
		} finally {
			this.waiting.delete(id);
		}
	}
}
