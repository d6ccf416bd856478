import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A unix socket whose other end says what a test tells it to. */
export class ScriptedSocket implements AsyncDisposable {
	readonly path: string;
	/** Everything that was received, as latin1. */
	received = "";
	private readonly folder: string;
	private readonly server: Server;
	private readonly sockets: Socket[] = [];
	private wake: () => void = () => {};

	private constructor(folder: string, onConnection: (socket: Socket) => void) {
		this.folder = folder;
		this.path = join(folder, "socket");
		this.server = createServer((socket) => {
			this.sockets.push(socket);
			socket.on("data", (chunk) => {
				this.received += chunk.toString("latin1");
				this.wake();
			});
			socket.on("error", () => {});
			onConnection(socket);
			this.wake();
		});
	}

	static async open(onConnection: (socket: Socket) => void = () => {}): Promise<ScriptedSocket> {
		const scripted = new ScriptedSocket(await mkdtemp(join(tmpdir(), "bulkhead-socket-")), onConnection);
		const { promise, resolve } = Promise.withResolvers<void>();
		scripted.server.listen(scripted.path, resolve);
		await promise;
		return scripted;
	}

	get connections(): number {
		return this.sockets.length;
	}

	say(text: string | Buffer): void {
		this.sockets.at(-1)?.write(text);
	}

	/** Hangs up on everybody. */
	hangUp(): void {
		for (const socket of this.sockets) socket.destroy();
	}

	/** Resolves when enough was received. */
	async until(enough: (received: string) => boolean): Promise<void> {
		while (!enough(this.received)) {
			const { promise, resolve } = Promise.withResolvers<void>();
			this.wake = resolve;
			await promise;
		}
	}

	async [Symbol.asyncDispose](): Promise<void> {
		this.hangUp();
		const { promise, resolve } = Promise.withResolvers<void>();
		this.server.close(() => resolve());
		await promise;
		await rm(this.folder, { recursive: true });
	}
}
