import { connect, type Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import type { GuestDisk } from "../api/guest-disks.ts";
import { DeadlineError } from "../host/clock.ts";
import { parseObject } from "./qmp/connection.ts";

const answerLimit = 64 * 1024;
const mostDisks = 100;
/** After this long without an answer the question is asked anew: the guest may have been reset in between. */
const askAgainMs = 4000;
/** The agent writes each question into the guest's log. */
const exitEveryMs = 50;

/** Thrown when the guest's agent refuses, or what it was to run fails; the words are the guest's. */
export class AgentError extends Error {
	override readonly name = "AgentError";
}

interface Pending {
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
	private socket: Socket | undefined;
	private partial = "";
	private askedId = 0;
	/** By the monotonic clock. */
	private askedAt = 0;
	private answeredId = 0;
	private waiting = false;
	private closed = false;
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
		this.waiting = true;
		this.askedAt = now;
		this.askedId += 1;
		// 0xff makes the agent drop whatever half a message it may hold: guest-sync-delimited's rule.
		const question = { execute: "guest-sync-delimited", arguments: { id: this.askedId } };
		this.connection().write(
			Buffer.concat([Buffer.from([0xff]), Buffer.from(`${JSON.stringify(question)}\n`)]),
		);
	}

	/** @returns what the agent answers. @throws AgentError when it refuses; DeadlineError */
	async execute(command: string, args: Record<string, unknown>, deadlineMs: number): Promise<unknown> {
		if (this.closed) throw new AgentError("the session has ended");
		this.commands += 1;
		const id = `c${this.commands}`;
		const { promise, resolve, reject } = Promise.withResolvers<unknown>();
		this.pending.set(id, { resolve, reject });
		const timer = setTimeout(
			() => reject(new DeadlineError(`the guest agent's ${command}`, deadlineMs)),
			deadlineMs,
		);
		this.connection().write(`${JSON.stringify({ execute: command, arguments: args, id })}\n`);
		try {
			return await promise;
		} finally {
			clearTimeout(timer);
			this.pending.delete(id);
		}
	}

	/**
	 * Runs a program inside the guest to its end.
	 * @returns what it wrote to standard output, as the guest says
	 * @throws AgentError when it cannot be run or ends with another code than 0, with what it wrote; DeadlineError
	 */
	async run(path: string, args: readonly string[], deadlineMs: number, input?: string): Promise<string> {
		const end = performance.now() + deadlineMs;
		const left = () => Math.max(1, Math.ceil(end - performance.now()));
		const given = input === undefined ? {} : { "input-data": Buffer.from(input).toString("base64") };
		const asked = { path, arg: args, "capture-output": true, ...given };
		const pid = Number(objectOf(await this.execute("guest-exec", asked, left())).pid);
		for (;;) {
			const status = objectOf(await this.execute("guest-exec-status", { pid }, left()));
			if (status.exited === true) {
				refuseFailure(path, status);
				return wordsOf(status["out-data"]);
			}
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
			const read = objectOf(await this.execute("guest-file-read", { handle, count: limit }, left()));
			return Buffer.from(String(read["buf-b64"] ?? ""), "base64").subarray(0, limit);
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
		const socket = connect(this.path);
		socket.setEncoding("latin1");
		socket.on("data", (chunk) => this.receive(String(chunk)));
		// A session that ends takes its agent's socket with it; the session's end is noticed elsewhere.
		socket.on("error", () => socket.destroy());
		this.partial = "";
		this.socket = socket;
		return socket;
	}

	private receive(chunk: string): void {
		const lines = (this.partial + chunk).split("\n");
		this.partial = (lines.pop() ?? "").slice(-answerLimit);
		for (const line of lines) {
			const message = parseObject(line.replaceAll("\xff", ""));
			if (!message) continue;
			const pending = typeof message.id === "string" ? this.pending.get(message.id) : undefined;
			if (pending) settle(pending, message);
			else this.hear(message.return);
		}
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
	else reject(new AgentError(`the guest agent refuses: ${textOf(objectOf(message.error).desc)}`));
}

function refuseFailure(path: string, status: Record<string, unknown>): void {
	if (status.exitcode === 0) return;
	const said = wordsOf(status["err-data"]).trim();
	const code = typeof status.exitcode === "number" ? status.exitcode : `signal ${textOf(status.signal)}`;
	throw new AgentError(said ? said.slice(-1000) : `${path} in the guest ended with ${code}`);
}

function wordsOf(data: unknown): string {
	return Buffer.from(textOf(data), "base64").toString("utf8");
}

function objectOf(value: unknown): Record<string, unknown> {
	return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}

function textOf(value: unknown): string {
	return String(value ?? "").slice(0, answerLimit);
}
