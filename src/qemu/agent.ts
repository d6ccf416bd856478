import { connect, type Socket } from "node:net";
import { parseObject } from "./qmp/connection.ts";

const answerLimit = 64 * 1024;
/** After this long without an answer the question is asked anew: the guest may have been reset in between. */
const askAgainMs = 4000;

/**
 * Hears whether a guest's agent (qemu-guest-agent's protocol, docs/interop/qemu-ga-ref) still answers.
 * One question is under way at a time; an answer counts when it arrives, however late.
 * All that arrives is the guest's word: bounded, parsed, and used for nothing but the time of its arrival.
 */
export class AgentEar {
	private readonly path: string;
	private readonly onAnswer: (at: number) => void;
	private socket: Socket | undefined;
	private partial = "";
	private askedId = 0;
	private askedAt = 0;
	private answeredId = 0;
	private waiting = false;
	private closed = false;

	/** @param onAnswer gets the time of each right answer, milliseconds since the Unix epoch */
	constructor(path: string, onAnswer: (at: number) => void) {
		this.path = path;
		this.onAnswer = onAnswer;
	}

	/** Asks, when no question is under way. Never waits and never throws. */
	ask(): void {
		if (this.closed) return;
		const now = Date.now();
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

	close(): void {
		this.closed = true;
		this.socket?.destroy();
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
			const id = parseObject(line.replaceAll("\xff", ""))?.return;
			// A slow guest answers an earlier question when the next has long been asked: it lives all the same.
			if (typeof id !== "number" || id <= this.answeredId || id > this.askedId) continue;
			this.answeredId = id;
			if (id === this.askedId) this.waiting = false;
			this.onAnswer(Date.now());
		}
	}
}
