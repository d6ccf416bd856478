import { chmod, rm } from "node:fs/promises";
import { createServer, type Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { DeadlineError, withDeadline } from "../host/clock.ts";
import { inside } from "./hardware.ts";
import type { QmpConnection } from "./qmp/connection.ts";
import { wordsOf } from "./words.ts";

/** Without memory a machine's state is below 2 MiB; more means that the memory was not left out. */
const mostBytes = 64 * 2 ** 20;
const longestWords = 1000;
const savedWithinMs = 20_000;
const loadedWithinMs = 10_000;

/** Memory that lies in a shared file is left out (x-ignore-shared, QEMU's docs/devel/migration). */
const leaveOutMemory = { capabilities: [{ capability: "x-ignore-shared", state: true }] } as const;

/**
 * What has loaded a state sends RARP frames as its guest, at up to 550 ms of real time after it, for switches that might
 * look for the guest elsewhere (`announce-rounds`, QEMU's qapi/migration.json). A session is where its bridge expects it,
 * and sends nothing but what its guest sends.
 */
const silent = { "announce-rounds": 0 } as const;

/**
 * Saves the state of a machine's devices. The machine has to be paused, and must not run again: its memory belongs to
 * the saved state from here on.
 * @param socket where `inside.state` is on the host
 * @throws Error with QEMU's own words; DeadlineError
 */
export async function saveState(monitor: QmpConnection, socket: string): Promise<Buffer> {
	const sink = await listen(socket);
	try {
		await monitor.execute("migrate-set-capabilities", leaveOutMemory);
		await monitor.execute("migrate", { uri: `unix:${inside.state}` });
		await until("saving the state", savedWithinMs, async () => {
			const { status, "error-desc": why } = await monitor.execute("query-migrate", {});
			if (status === "failed" || status === "cancelled")
				throw new Error(
					`QEMU could not save its state: ${wordsOf(sink.trouble() ?? why ?? status, longestWords)}`,
				);
			return status === "completed";
		});
		return await withDeadline("the end of the saved state", 2000, () => sink.whole);
	} finally {
		sink.close();
		await rm(socket, { force: true });
	}
}

/**
 * Loads a saved state into a machine that was started to wait for one; it stays paused.
 * @param descriptor under which the machine has the file with the state
 * @throws QmpGone when QEMU does not take it: it ends then, and says why on standard error; DeadlineError
 */
export async function loadState(monitor: QmpConnection, descriptor: number): Promise<void> {
	await monitor.execute("migrate-set-capabilities", leaveOutMemory);
	await monitor.execute("migrate-set-parameters", silent);
	await monitor.execute("migrate-incoming", { uri: `fd:${descriptor}` });
	await until("loading the state", loadedWithinMs, async () => {
		const { status } = await monitor.execute("query-status", {});
		return status !== "inmigrate";
	});
}

async function listen(path: string) {
	const { promise: whole, resolve, reject } = Promise.withResolvers<Buffer>();
	whole.catch(() => {});
	let trouble: string | undefined;
	let bytes = 0;
	const parts: Buffer[] = [];
	const receive = (socket: Socket) => {
		socket.on("data", (chunk: Buffer) => {
			bytes += chunk.length;
			if (bytes <= mostBytes) return void parts.push(chunk);
			trouble = `more than ${mostBytes} bytes came: the guest's memory was not left out`;
			socket.destroy(new Error(trouble));
		});
		socket.on("end", () => resolve(Buffer.concat(parts)));
		socket.on("error", reject);
	};
	const server = createServer({ pauseOnConnect: false }, receive);
	server.maxConnections = 1;
	const { promise: listening, resolve: onListening, reject: onError } = Promise.withResolvers<void>();
	server.once("error", onError);
	server.listen(path, onListening);
	await listening;
	// The folder that it is in lets nobody in but root and the session's own user.
	await chmod(path, 0o666);
	return { whole, trouble: () => trouble, close: () => void server.close() };
}

async function until(what: string, deadlineMs: number, done: () => Promise<boolean>): Promise<void> {
	const end = performance.now() + deadlineMs;
	for (let pause = 1; !(await done()); pause = Math.min(pause * 2, 20)) {
		if (performance.now() > end) throw new DeadlineError(what, deadlineMs);
		await delay(pause);
	}
}
