import { connect, type Socket } from "node:net";
import { explain } from "../../api/errors.ts";
import { DeadlineError } from "../../host/clock.ts";
import { wordsOf } from "../words.ts";
import { deadlineOf } from "./deadlines.ts";
import { QmpError, QmpGone } from "./errors.ts";
import type { Commands, Events } from "./schema.generated.ts";
import { Transcript } from "./transcript.ts";

/** A QEMU that sends more than this without a line end is not speaking QMP. */
const lineLimit = 2 * 1024 * 1024;
/** Of what it says, in an error's message. */
const longestWords = 1000;

export type QmpEvent = {
	[E in keyof Events]: { event: E; data: Events[E]; receivedAt: number };
}[keyof Events];

export interface QmpListener {
	onEvent(event: QmpEvent): void;
	/** Called once, whichever way the connection ended. */
	onDisconnect(why: string): void;
	/** Called for whatever QEMU says: it is alive. */
	onHeard?(): void;
}

interface Pending {
	command: string;
	resolve(value: unknown): void;
	reject(error: Error): void;
	timer: NodeJS.Timeout;
}

/**
 * One connection to one QEMU's monitor (QEMU's docs/interop/qmp-spec.rst).
 *
 * INVARIANTS
 * - Every command ends: with its answer, with QMP's error, at its deadline, or when the connection ends.
 * - `onDisconnect` is called exactly once, after every pending command has been rejected.
 * - What comes from QEMU is believed only as far as its shape is checked: a captured QEMU may send anything.
 */
export class QmpConnection {
	readonly transcript = new Transcript();
	private readonly socket: Socket;
	private readonly listener: QmpListener;
	private readonly pending = new Map<number, Pending>();
	private readonly greeted = Promise.withResolvers<void>();
	/** Never 0. */
	private nextId = 1;
	private partial = "";
	private ended = false;

	private constructor(socket: Socket, listener: QmpListener) {
		this.socket = socket;
		this.listener = listener;
		socket.setEncoding("utf8");
		socket.on("data", (chunk) => this.receiveSafely(String(chunk)));
		socket.on("error", (error) => this.end(error.message));
		socket.on("close", () => this.end("QEMU closed its monitor"));
	}

	/**
	 * Connects to a monitor socket that QEMU listens on, and negotiates.
	 * @throws QmpGone when nobody listens or the greeting is not QMP's; DeadlineError
	 */
	static async open(path: string, listener: QmpListener, deadlineMs = 5000): Promise<QmpConnection> {
		const connection = new QmpConnection(connect(path), listener);
		const timer = setTimeout(() => connection.end(`no greeting within ${deadlineMs} ms`), deadlineMs);
		try {
			await connection.greeted.promise;
			await connection.execute("qmp_capabilities", {});
			return connection;
		} catch (error) {
			connection.close();
			throw error;
		} finally {
			clearTimeout(timer);
		}
	}

	/** @throws QmpError when QEMU refuses, QmpGone when the connection ends, DeadlineError */
	async execute<C extends keyof Commands>(
		command: C,
		args: Commands[C]["arguments"],
		deadlineMs = deadlineOf(command),
	): Promise<Commands[C]["return"]> {
		if (this.ended) throw new QmpGone(`the monitor is gone; ${command} was not sent`);
		const id = this.nextId++;
		const { promise, resolve, reject } = Promise.withResolvers<unknown>();
		const timer = setTimeout(() => {
			this.pending.delete(id);
			reject(new DeadlineError(`QMP ${command}`, deadlineMs));
		}, deadlineMs);
		this.pending.set(id, { command, resolve, reject, timer });
		const line = JSON.stringify({ execute: command, arguments: args, id });
		this.transcript.sent(line);
		this.socket.write(`${line}\n`);
		return (await promise) as Commands[C]["return"];
	}

	close(): void {
		this.end("closed by us");
	}

	/** Whatever a captured QEMU finds to send: it costs this connection, and never the daemon with all other servers. */
	private receiveSafely(chunk: string): void {
		try {
			this.receive(chunk);
		} catch (error) {
			this.end(`what QEMU sent could not be taken in: ${explain(error)}`);
		}
	}

	private receive(chunk: string): void {
		this.listener.onHeard?.();
		const lines = (this.partial + chunk).split("\n");
		this.partial = lines.pop() ?? "";
		if (this.partial.length > lineLimit) this.end("QEMU sent a line without end");
		else for (const line of lines) if (line.trim() && !this.ended) this.handle(line);
	}

	private handle(line: string): void {
		const message = parseObject(line);
		if (!message) {
			this.end("QEMU sent something that is not QMP");
			return;
		}
		this.transcript.received(line);
		if ("QMP" in message) this.greeted.resolve();
		else if (typeof message.event === "string") this.announce(message.event, parseEvent(line).data);
		else this.settle(message);
	}

	private announce(event: string, data: unknown): void {
		// Names that Bulkhead does not know fall through every switch of the listener.
		const received = { event, data: data ?? {}, receivedAt: Date.now() };
		this.listener.onEvent(received as unknown as QmpEvent);
	}

	private settle(message: Record<string, unknown>): void {
		const id = typeof message.id === "number" ? message.id : 0;
		const pending = this.pending.get(id);
		if (!pending) return;
		this.pending.delete(id);
		clearTimeout(pending.timer);
		if ("return" in message) pending.resolve(message.return);
		else pending.reject(refusal(pending.command, message.error));
	}

	private end(why: string): void {
		if (this.ended) return;
		this.ended = true;
		this.socket.destroy();
		const gone = new QmpGone(why);
		this.greeted.promise.catch(() => {});
		this.greeted.reject(gone);
		for (const { reject, timer } of this.pending.values()) {
			clearTimeout(timer);
			reject(gone);
		}
		this.pending.clear();
		this.listener.onDisconnect(why);
	}
}

/**
 * Reads an event, with whole numbers that a number of JavaScript does not hold as bigint: QEMU's are 64 bits long, and
 * a crashed guest's are addresses. Only for events: what commands return is reckoned with.
 */
export function parseEvent(line: string): Record<string, unknown> {
	const event = parseObject(line, (_key, value, { source = "" }) =>
		typeof value === "number" && !Number.isSafeInteger(value) && /^-?\d{1,20}$/.test(source)
			? BigInt(source)
			: value,
	);
	return event ?? {};
}

type Reviver = (key: string, value: unknown, context: { source?: string }) => unknown;

/** @returns the message, or undefined when the line is not a JSON object */
export function parseObject(line: string, reviver?: Reviver): Record<string, unknown> | undefined {
	try {
		const value: unknown = JSON.parse(line, reviver as Parameters<typeof JSON.parse>[1]);
		return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : undefined;
	} catch {
		return undefined;
	}
}

function refusal(command: string, error: unknown): QmpError {
	const { class: kind, desc } = (error ?? {}) as { class?: unknown; desc?: unknown };
	return new QmpError(command, wordsOf(kind, longestWords), wordsOf(desc, longestWords));
}
