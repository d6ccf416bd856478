import { once } from "node:events";
import { Worker } from "node:worker_threads";
import type { Seen } from "../../api/screen.ts";
import { DeadlineError, withDeadline } from "../../host/clock.ts";

/** A picture that was looked at, as PPM, and what stood on it. */
export interface LookedPicture {
	picture: Uint8Array<ArrayBuffer>;
	seen: Seen;
}

/** What the worker is asked. Pictures go to it and come back: neither side copies them, and it remembers nothing. */
export interface ScreenRequest {
	id: number;
	picture: Uint8Array<ArrayBuffer>;
	last: LookedPicture | undefined;
}

export type ScreenAnswer = { id: number } & (Reading | { error: string });

/** What was read off a picture; `looked` goes into the next question. */
export interface Reading {
	looked: LookedPicture;
	/** Whether it is as it was at the look before, but for a clock or the like; a blue screen never is. */
	still: boolean;
	/** Milliseconds of a processor's time. */
	tookMs: number;
}

const limits = {
	/** Busy screens take 40 ms, the worst that a guest can draw most of a second; a busy host takes longer for them. */
	workMs: 1000,
	/** It has to load its modules first, which is no picture's fault. */
	startMs: 10_000,
	/** Of the worker's JavaScript objects; pictures are not among them. */
	heapMb: 256,
} as const;

/**
 * Has screens recognised, in a worker: a guest can draw what takes a second, and nothing else of the daemon's is to
 * wait for that. One at a time; one that takes too long takes the worker with it, and the next one gets another.
 */
export class ScreenReader {
	private readonly workMs: number;
	private readonly program: URL;
	private worker: Worker | undefined;
	private turn: Promise<unknown> = Promise.resolve();
	private nextId = 1;

	/**
	 * @param workMs milliseconds that one picture may take
	 * @param program what runs in the worker
	 */
	constructor(workMs: number = limits.workMs, program = new URL("./screen-worker.ts", import.meta.url)) {
		this.workMs = workMs;
		this.program = program;
	}

	/**
	 * @param picture as PPM; it is the worker's from here on, like the one in `last`
	 * @param signal who asks does not wait any longer: what is not begun yet is left
	 * @throws ReadingTooLong; DeadlineError when its worker does not begin; Error when it is no picture, or the signal's reason
	 */
	async read(
		picture: Uint8Array<ArrayBuffer>,
		last: LookedPicture | undefined,
		signal: AbortSignal,
	): Promise<Reading> {
		const reading = this.turn.then(async () => {
			signal.throwIfAborted();
			return await this.readNow({ id: this.nextId++, picture, last });
		});
		this.turn = reading.catch(() => {});
		return await reading;
	}

	/** Ends the worker. */
	async close(): Promise<void> {
		const { worker } = this;
		this.worker = undefined;
		await worker?.terminate();
	}

	private async readNow(request: ScreenRequest): Promise<Reading> {
		this.worker ??= await this.begin();
		const { worker } = this;
		try {
			return await withDeadline("the recognition of a screen", this.workMs, (signal) =>
				ask(worker, request, signal),
			);
		} catch (error) {
			if (!(error instanceof PictureError)) await this.close();
			throw error instanceof DeadlineError ? new ReadingTooLong(error.afterMs) : error;
		}
	}

	private async begin(): Promise<Worker> {
		const worker = new Worker(this.program, {
			resourceLimits: { maxOldGenerationSizeMb: limits.heapMb },
		});
		// The daemon may end whenever it likes, and is not to end with it.
		worker.unref();
		const onEnd = () => {
			if (this.worker === worker) this.worker = undefined;
		};
		worker.on("error", onEnd).on("exit", onEnd);
		try {
			await withDeadline("the start of the recognition of screens", limits.startMs, async (signal) => {
				await once(worker, "message", { signal });
			});
			return worker;
		} catch (error) {
			await worker.terminate();
			throw error;
		}
	}
}

/** The picture is at fault, and nothing that happened before it was read. */
export class ReadingTooLong extends Error {
	readonly afterMs: number;

	constructor(afterMs: number) {
		super(`a screen was not recognised within ${afterMs} ms`);
		this.afterMs = afterMs;
	}
}

/** The picture is none: the worker is well. */
class PictureError extends Error {}

async function ask(worker: Worker, request: ScreenRequest, signal: AbortSignal): Promise<Reading> {
	const { promise, resolve, reject } = Promise.withResolvers<Reading>();
	const onMessage = (answer: ScreenAnswer) => {
		if (answer.id !== request.id) return;
		if ("error" in answer) reject(new PictureError(answer.error));
		else resolve(answer);
	};
	const onExit = () => reject(new Error("the recognition of screens has ended"));
	worker.on("message", onMessage).on("error", reject).on("exit", onExit);
	signal.addEventListener("abort", () => reject(signal.reason), { once: true });
	const pictures = [request.picture, ...(request.last ? [request.last.picture] : [])];
	worker.postMessage(
		request,
		pictures.map(({ buffer }) => buffer),
	);
	try {
		return await promise;
	} finally {
		worker.off("message", onMessage).off("error", reject).off("exit", onExit);
	}
}
