import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

const answersWithinMs = 10_000;
const message = /Debugger listening on (ws:\/\/127\.0\.0\.1:\d+\/\S+)/g;

/** Lets the inspector of daemons that are started from here on choose a free port. */
export function chooseInspectorPort(): void {
	process.env.NODE_OPTIONS = `${process.env.NODE_OPTIONS ?? ""} --inspect-port=127.0.0.1:0`.trim();
}

/**
 * What a daemon's JavaScript still holds after all garbage was collected, asked through Node's own inspector. How much
 * memory a process takes says little about that: garbage is collected when there is reason to.
 */
export class Heap {
	private readonly url: string;

	private constructor(url: string) {
		this.url = url;
	}

	/** Opens the daemon's inspector. @throws Error when it does not say where it listens */
	static async open(pid: number, state: string): Promise<Heap> {
		process.kill(pid, "SIGUSR1");
		const end = Date.now() + answersWithinMs;
		for (;;) {
			const said = await readFile(join(state, "daemon.log"), "utf8");
			const url = [...said.matchAll(message)].at(-1)?.[1];
			if (url) return new Heap(url);
			if (Date.now() > end) throw new Error("the daemon's inspector does not open");
			await delay(50);
		}
	}

	/** @returns bytes, after a collection: objects, and buffers beside them. @throws Error without an answer */
	async inUse(): Promise<number> {
		const socket = new WebSocket(this.url);
		try {
			await opened(socket);
			// What was only just let go of may take a second round.
			for (let i = 0; i < 2; i++) await ask(socket, "HeapProfiler.collectGarbage");
			const usage = (await ask(socket, "Runtime.getHeapUsage")) as {
				usedSize: number;
				backingStorageSize?: number;
			};
			return usage.usedSize + (usage.backingStorageSize ?? 0);
		} finally {
			socket.close();
		}
	}
}

async function opened(socket: WebSocket): Promise<void> {
	await answer<void>("the inspector", (resolve, reject) => {
		socket.addEventListener("open", () => resolve());
		socket.addEventListener("error", () => reject(new Error("the inspector refuses the connection")));
	});
}

let asked = 0;

async function ask(socket: WebSocket, method: string): Promise<unknown> {
	const id = ++asked;
	return await answer(method, (resolve, reject) => {
		socket.addEventListener("message", ({ data }) => {
			const said = JSON.parse(String(data)) as { id?: number; result?: unknown; error?: { message: string } };
			if (said.id !== id) return;
			if (said.error) reject(new Error(`${method}: ${said.error.message}`));
			else resolve(said.result);
		});
		socket.addEventListener("close", () => reject(new Error(`${method}: the daemon's inspector closed`)));
		socket.send(JSON.stringify({ id, method }));
	});
}

/** Waits for one answer. @throws Error when there is none in time */
async function answer<T>(
	what: string,
	begin: (resolve: (value: T) => void, reject: (error: Error) => void) => void,
): Promise<T> {
	const { promise, resolve, reject } = Promise.withResolvers<T>();
	const late = () => reject(new Error(`${what}: no answer in ${answersWithinMs} ms`));
	const timer = setTimeout(late, answersWithinMs);
	try {
		begin(resolve, reject);
		return await promise;
	} finally {
		clearTimeout(timer);
	}
}
