import { connect, type Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { explain } from "../api/errors.ts";
import type { GuestDisk } from "../api/guest-disks.ts";
import { formatSize } from "../api/units.ts";
import { DeadlineError } from "../host/clock.ts";
import { AgentLines } from "./agent-lines.ts";
import { parseObject } from "./qmp/connection.ts";
import { Share } from "./share.ts";
import { wordsOf } from "./words.ts";

/** Bytes of an answer; what is larger is refused, never cut. */
const answerLimit = 64 * 1024;
/**
 * Bytes of one that brings what a program wrote, as base64: more than a hundred thousand users. The agent itself keeps
 * 16 MiB of that (QEMU's qga/commands.c).
 */
const outputLimit = 4 * 2 ** 20;
/** What is larger than 64 KiB is few long words. Of many small ones, 4 MiB were seen to take 185 MiB and 0.6 s to read. */
const mostParts = 100;
const mostDisks = 100;
/** Questions without an answer that are remembered. */
const mostLate = 50;
const longestWords = 1000;
/** Read at a time: a guest can make each few bytes of it cost as much as a whole answer. */
const readBytes = 4096;
/** After this long without an answer the question is asked anew: the guest may have been reset in between. */
const askAgainMs = 4000;
/** The agent writes each question into the guest's log. */
const exitEveryMs = 50;

/** Thrown when the guest's agent refuses, or what it was to run fails; the words are the guest's. */
export class AgentError extends Error {
	override readonly name = "AgentError";
}

/** How a program inside the guest ended, and what it wrote to standard output, as the guest says. */
export interface GuestRun {
	code: number;
	output: string;
}

export interface GuestRunOptions {
	/** Given to it on standard input. */
	input?: string;
	/** A code other than 0 that is an answer as well, when it wrote something to standard output: that of checks that found something. */
	findingsCode?: number;
}

interface Pending {
	/** What was asked. */
	readonly command: string;
	/** Bytes of the largest answer that is taken. */
	readonly largest: number;
	/** Nobody waits for its answer any more. */
	late?: true;
	resolve(value: unknown): void;
	reject(error: Error): void;
}

/**
 * Talks to a guest's agent (qemu-guest-agent's protocol, docs/interop/qemu-ga-ref).
 * One question whether it lives is under way at a time; an answer counts when it arrives, however late.
 * All that arrives is the guest's word: bounded, parsed, and believed only as far as its shape is checked.
 */
export class GuestAgent {
	private readonly path: string;
	private readonly onAnswer: (at: number) => void;
	private readonly share = new Share();
	private socket: Socket | undefined;
	private askedId = 0;
	/** By the monotonic clock. */
	private askedAt = 0;
	private answeredId = 0;
	private waiting = false;
	private closed = false;
	/** What has been asked, in that order; also what nobody waits for any more, until it is answered. */
	private readonly pending = new Map<string, Pending>();
	private commands = 0;

	/** @param onAnswer gets the time of each right answer, milliseconds since the Unix epoch */
	constructor(path: string, onAnswer: (at: number) => void) {
		this.path = path;
		this.onAnswer = onAnswer;
	}

	/** Asks, when no question is under way. Never waits and never throws. */
	ask(): void {
		if (this.closed) return;
		const now = performance.now();
		if (this.waiting && now - this.askedAt < askAgainMs) return;
		const connection = this.connection();
		// Nobody in the guest reads: what is asked would be kept here for as long as the session runs.
		if (connection.writableLength > 0) return;
		this.waiting = true;
		this.askedAt = now;
		this.askedId += 1;
		// 0xff makes the agent drop whatever half a message it may hold: guest-sync-delimited's rule.
		const question = { execute: "guest-sync-delimited", arguments: { id: this.askedId } };
		connection.write(Buffer.concat([Buffer.from([0xff]), Buffer.from(`${JSON.stringify(question)}\n`)]));
	}

	/**
	 * @param largest bytes of its answer
	 * @returns what the agent answers
	 * @throws AgentError when it refuses, or answers with more; DeadlineError
	 */
	async execute(
		command: string,
		args: Record<string, unknown>,
		deadlineMs: number,
		largest = answerLimit,
	): Promise<unknown> {
		if (this.closed) throw new AgentError("the session has ended");
		this.commands += 1;
		const id = `c${this.commands}`;
		const { promise, resolve, reject } = Promise.withResolvers<unknown>();
		this.pending.set(id, { command, largest, resolve, reject });
		const timer = setTimeout(
			() => reject(new DeadlineError(`the guest agent's ${command}`, deadlineMs)),
			deadlineMs,
		);
		this.connection().write(`${JSON.stringify({ execute: command, arguments: args, id })}\n`);
		try {
			return await promise;
		} finally {
			clearTimeout(timer);
			this.endWaiting(id);
		}
	}

	/** What is answered too late is known as that, and not taken for the answer to what was asked after it. */
	private endWaiting(id: string): void {
		const asked = this.pending.get(id);
		if (!asked) return;
		asked.late = true;
		const late = [...this.pending].filter(([, { late }]) => late);
		for (const [oldest] of late.slice(0, -mostLate)) this.pending.delete(oldest);
	}

	/**
	 * Runs a program inside the guest to its end.
	 * @throws AgentError when it cannot be run, writes more than 3 MiB, or ends with another code than 0 and `findingsCode`,
	 * with what it wrote; DeadlineError
	 */
	async run(
		path: string,
		args: readonly string[],
		deadlineMs: number,
		{ input, findingsCode }: GuestRunOptions = {},
	): Promise<GuestRun> {
		const end = performance.now() + deadlineMs;
		const left = () => Math.max(1, Math.ceil(end - performance.now()));
		const given = input === undefined ? {} : { "input-data": Buffer.from(input).toString("base64") };
		const asked = { path, arg: args, "capture-output": true, ...given };
		const { pid } = objectOf(await this.execute("guest-exec", asked, left()));
		if (typeof pid !== "number") throw new AgentError(`the guest agent does not say how it runs ${path}`);
		for (;;) {
			const status = objectOf(await this.execute("guest-exec-status", { pid }, left(), outputLimit));
			if (status.exited === true) return endOf(path, status, findingsCode);
			if (left() === 1) throw new DeadlineError(`${path} in the guest`, deadlineMs);
			await delay(exitEveryMs);
		}
	}

	/**
	 * Reads a file of the guest's, up to a limit in bytes.
	 * @returns undefined when it cannot be opened, mostly as it is not there
	 * @throws AgentError, DeadlineError
	 */
	async readFile(path: string, limit: number, deadlineMs: number): Promise<Buffer | undefined> {
		const end = performance.now() + deadlineMs;
		const left = () => Math.max(1, Math.ceil(end - performance.now()));
		const handle = await this.execute("guest-file-open", { path, mode: "r" }, left()).catch((error) => {
			if (error instanceof AgentError) return undefined;
			throw error;
		});
		if (typeof handle !== "number") return undefined;
		try {
			const largest = answerLimit + Math.ceil(limit / 3) * 4;
			const asked = { handle, count: limit };
			const read = objectOf(await this.execute("guest-file-read", asked, left(), largest));
			return decoded(read["buf-b64"]).subarray(0, limit);
		} finally {
			await this.execute("guest-file-close", { handle }, left());
		}
	}

	/**
	 * The disks that the guest sees; partitions, and what its own system puts together of them, are left out.
	 * @throws AgentError, also of an agent of before QEMU 5.2, which does not know the question; DeadlineError
	 */
	async disks(deadlineMs: number): Promise<GuestDisk[]> {
		const all = await this.execute("guest-get-disks", {}, deadlineMs);
		if (!Array.isArray(all)) return [];
		return all.slice(0, mostDisks).flatMap((one) => {
			const { partition, address } = objectOf(one);
			if (partition === true || typeof address !== "object" || address === null) return [];
			const { serial, "bus-type": bus } = objectOf(address);
			const word = (value: unknown) => (typeof value === "string" ? value.trim().slice(0, 100) : null);
			return [{ serial: word(serial), bus: word(bus) }];
		});
	}

	close(): void {
		this.closed = true;
		this.socket?.destroy();
		for (const { reject } of this.pending.values()) reject(new AgentError("the session has ended"));
		this.pending.clear();
	}

	private connection(): Socket {
		if (this.socket && !this.socket.destroyed) return this.socket;
		const lines = this.listen();
		const buffer = Buffer.alloc(readBytes);
		const callback = (length: number) => this.takeIn(lines, buffer.subarray(0, length), socket);
		const socket: Socket = connect({ path: this.path, onread: { buffer, callback } });
		// A session that ends takes its agent's socket with it; the session's end is noticed elsewhere.
		socket.on("error", () => socket.destroy());
		this.socket = socket;
		return socket;
	}

	/**
	 * Whatever a guest finds to send: it costs this connection, and never the daemon with all other servers. One that sends
	 * without end is read now and then; QEMU keeps it waiting meanwhile.
	 * @returns whether more is to be read at once
	 */
	private takeIn(lines: AgentLines, chunk: Buffer, socket: Socket): boolean {
		let restMs = 0;
		try {
			restMs = this.share.spend(() => lines.take(chunk));
		} catch (error) {
			socket.destroy();
			const words = `what the guest's agent sent could not be taken in: ${explain(error)}`;
			for (const { reject } of this.pending.values()) reject(new AgentError(words));
			this.pending.clear();
		}
		if (restMs > 0) setTimeout(() => socket.resume(), restMs).unref();
		return restMs === 0;
	}

	private listen(): AgentLines {
		return new AgentLines({
			onLine: (line) => this.receive(line),
			onTooLong: () => this.refuseAnswer(),
			largest: () => Math.max(answerLimit, ...[...this.pending.values()].map(({ largest }) => largest)),
		});
	}

	private receive(line: string): void {
		// The reader's error for what is no answer costs more than a hundred times what this does.
		if (!/^[\xff\s]*\{/.test(line) || (line.length > answerLimit && hasManyParts(line))) return;
		const message = parseObject(line.replaceAll("\xff", ""));
		if (!message) return;
		const pending = typeof message.id === "string" ? this.pending.get(message.id) : undefined;
		if (!pending) {
			this.hear(message.return);
			return;
		}
		this.pending.delete(`${message.id}`);
		if (line.length > pending.largest) pending.reject(tooLarge(pending));
		else settle(pending, message);
	}

	/** The agent answers one command after the other: it is the answer to the oldest. */
	private refuseAnswer(): void {
		const [oldest] = this.pending;
		if (!oldest) return;
		const [id, asked] = oldest;
		this.pending.delete(id);
		asked.reject(tooLarge(asked));
	}

	private hear(id: unknown): void {
		// A slow guest answers an earlier question when the next has long been asked: it lives all the same.
		if (typeof id !== "number" || id <= this.answeredId || id > this.askedId) return;
		this.answeredId = id;
		if (id === this.askedId) this.waiting = false;
		this.onAnswer(Date.now());
	}
}

function settle({ resolve, reject }: Pending, message: Record<string, unknown>): void {
	if ("return" in message) resolve(message.return);
	else
		reject(new AgentError(`the guest agent refuses: ${wordsOf(objectOf(message.error).desc, longestWords)}`));
}

function hasManyParts(line: string): boolean {
	const part = /[[{,]/g;
	for (let count = 0; part.test(line); count++) if (count >= mostParts) return true;
	return false;
}

function tooLarge({ command, largest }: Pending): AgentError {
	return new AgentError(
		`the guest agent's answer to ${command} is larger than ${formatSize(largest)}; it is not taken`,
	);
}

/** @throws AgentError as `run` does */
function endOf(path: string, status: Record<string, unknown>, findingsCode: number | undefined): GuestRun {
	const { exitcode: code } = status;
	if (status["out-truncated"] === true)
		throw new AgentError(`${path} in the guest wrote more than its agent keeps`);
	const output = decoded(status["out-data"]).toString("utf8");
	if (code === 0 || (typeof code === "number" && code === findingsCode && output.trim() !== ""))
		return { code, output };
	const said = decoded(status["err-data"]).toString("utf8").trim() || output.trim();
	const how = typeof code === "number" ? code : `signal ${wordsOf(status.signal, longestWords)}`;
	throw new AgentError(said ? said.slice(-1000) : `${path} in the guest ended with ${how}`);
}

function decoded(data: unknown): Buffer {
	return Buffer.from(typeof data === "string" ? data : "", "base64");
}

function objectOf(value: unknown): Record<string, unknown> {
	return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}
