import { once } from "node:events";
import { connect as connectPlain, type Socket } from "node:net";
import { connect as connectEncrypted } from "node:tls";

/** How a connection ended that was still wanted. A timeout is the bench's own: nothing came for a minute. */
export type Ending = "reset" | "closed" | "timeout";

/** The other side ended it, or said nothing. */
export class Cut extends Error {
	readonly how: Ending;

	constructor(how: Ending, options?: ErrorOptions) {
		super(`the connection ended: ${how}`, options);
		this.how = how;
	}
}

/** The longest that a client waits for anything: as long as a front door holds users, as a rule. */
const deadlineMs = 60_000;

/** A connection to a service: what is sent, and what has come and was not read yet. */
export class Conversation {
	private readonly socket: Socket;
	private unread = Buffer.alloc(0);
	private ending: { how: Ending; at: number } | undefined;
	private wake = () => {};

	private constructor(socket: Socket) {
		this.socket = socket;
		socket.setNoDelay(true);
		socket.on("data", (chunk: Buffer) => {
			this.unread = Buffer.concat([this.unread, chunk]);
			this.wake();
		});
		socket.on("error", () => this.end("reset"));
		socket.on("end", () => this.end("closed"));
		socket.on("close", () => this.end("closed"));
	}

	/** @throws Cut when no connection comes about; TLS: when its handshake does not */
	static async open(port: number, encrypted = false): Promise<Conversation> {
		const target = { host: "127.0.0.1", port };
		// The certificate is made by the guest itself. A new connection each time: nothing is resumed.
		const socket = encrypted
			? connectEncrypted({ ...target, rejectUnauthorized: false, session: undefined })
			: connectPlain(target);
		const conversation = new Conversation(socket);
		await conversation.opened(encrypted ? "secureConnect" : "connect");
		return conversation;
	}

	/** How and when (`performance.now()`) the other side ended it, when it has. */
	get cut(): { how: Ending; at: number } | undefined {
		return this.ending;
	}

	/**
	 * Sends something, and waits for an answer.
	 * @param complete how many of the bytes that have come are the answer; undefined when more has to come
	 * @throws Cut
	 */
	async ask(request: string | Buffer, complete: (bytes: Buffer) => number | undefined): Promise<Buffer> {
		if (request.length > 0 && !this.ending) this.socket.write(request);
		const end = performance.now() + deadlineMs;
		for (;;) {
			const length = complete(this.unread);
			if (length !== undefined) {
				const answer = this.unread.subarray(0, length);
				this.unread = this.unread.subarray(length);
				return answer;
			}
			if (this.ending) throw new Cut(this.ending.how);
			await this.change(end);
		}
	}

	close(): void {
		this.ending ??= { how: "closed", at: performance.now() };
		this.socket.destroy();
	}

	private async opened(event: "connect" | "secureConnect"): Promise<void> {
		const gone = new AbortController();
		this.wake = () => gone.abort();
		const signal = AbortSignal.any([gone.signal, AbortSignal.timeout(deadlineMs)]);
		try {
			await once(this.socket, event, { signal });
		} catch (cause) {
			const how = this.ending?.how ?? (gone.signal.aborted ? "closed" : "timeout");
			this.close();
			throw new Cut(how, { cause });
		} finally {
			this.wake = () => {};
		}
	}

	private async change(end: number): Promise<void> {
		const { promise, resolve } = Promise.withResolvers<void>();
		this.wake = resolve;
		const timer = setTimeout(resolve, Math.max(0, end - performance.now()));
		await promise;
		clearTimeout(timer);
		this.wake = () => {};
		if (performance.now() < end || this.ending) return;
		this.ending = { how: "timeout", at: performance.now() };
		this.socket.destroy();
	}

	private end(how: Ending): void {
		this.ending ??= { how, at: performance.now() };
		this.wake();
	}
}
