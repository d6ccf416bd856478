import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { DeadlineError, systemClock } from "../host/clock.ts";
import { inside } from "./hardware.ts";
import type { QmpConnection } from "./qmp/connection.ts";
import { QmpError, QmpGone } from "./qmp/errors.ts";

const lookEveryMs = 500;
const file = "memory.dump";
/** What the dump of a Windows needs (a driver that tells QEMU of its structures) is there or not; kdump works with any guest. */
const formats = ["win-dmp", "kdump-zlib"] as const;

/**
 * Writes a guest's memory into its session's folder, while the monitor goes on answering. One that is under way already, as
 * an earlier daemon began it, is waited for.
 * @param folder the session's own, on the host
 * @param onProgress how far it is, in percent, at every look
 * @returns the host path of the file, which is the session's own and to be taken away; when it fails while the monitor
 * answers, nothing is left there
 * @throws QmpError, DeadlineError, QmpGone
 */
export async function dumpMemory(
	monitor: QmpConnection,
	folder: string,
	deadlineMs: number,
	onProgress: (percent: number) => void = () => {},
): Promise<string> {
	const path = join(folder, file);
	const end = performance.now() + deadlineMs;
	const work = { monitor, end, deadlineMs, onProgress };
	try {
		const { status } = await monitor.execute("query-dump", {});
		// The guest was paused before that one began, and QEMU takes no `stop` until it has ended.
		if (status === "active" && (await isDone(work))) return path;
		await monitor.execute("stop", {});
		if (status === "completed" && existsSync(path)) return path;
		for (const format of formats) {
			// QEMU makes the file one that is only read, and cannot open it a second time.
			await rm(path, { force: true });
			if (await began(work, format)) return path;
		}
		throw new QmpError("dump-guest-memory", "GenericError", "the dump could not be made");
	} catch (error) {
		// When only the connection has ended, as with the daemon, QEMU goes on writing.
		if (!(error instanceof QmpGone)) await rm(path, { force: true });
		throw error;
	}
}

interface Work {
	monitor: QmpConnection;
	/** As performance.now() says it. */
	end: number;
	deadlineMs: number;
	onProgress: (percent: number) => void;
}

/** @returns false when QEMU cannot make one of this format */
async function began(work: Work, format: (typeof formats)[number]): Promise<boolean> {
	const target = { paging: false, protocol: `file:${inside.dump}`, detach: true, format };
	try {
		await work.monitor.execute("dump-guest-memory", target);
	} catch (error) {
		if (error instanceof QmpError && format !== formats.at(-1)) return false;
		throw error;
	}
	return await isDone(work);
}

/** @returns false when QEMU could not make it */
async function isDone({ monitor, end, deadlineMs, onProgress }: Work): Promise<boolean> {
	for (;;) {
		const { status, completed, total } = await monitor.execute("query-dump", {});
		if (status !== "active") return status === "completed";
		if (performance.now() > end) throw new DeadlineError("the dump of the guest's memory", deadlineMs);
		if (total > 0) onProgress(Math.min(100, Math.max(0, Math.floor((100 * completed) / total))));
		await systemClock.sleep(lookEveryMs);
	}
}
