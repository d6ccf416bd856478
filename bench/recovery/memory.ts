import { readFile } from "node:fs/promises";

/** Memory of one process, bytes; see proc_pid_smaps(5). */
export interface ProcessMemory {
	/** All that it has in memory, what it shares with others included. */
	rss: number;
	/** The same, with what is shared by n processes counted as one n-th. */
	pss: number;
	/** Of `pss`: memory that no file stands behind, such as heaps. */
	anonymous: number;
}

/** @returns undefined when the process has ended. @throws Error for a file of another shape */
export async function memoryOfProcess(pid: number): Promise<ProcessMemory | undefined> {
	const text = await readProc(pid, "smaps_rollup");
	// A process that is ending has no memory any more.
	if (!text) return undefined;
	return { rss: field(text, "Rss"), pss: field(text, "Pss"), anonymous: field(text, "Pss_Anon") };
}

/** @returns undefined when the process has ended */
export async function readProc(pid: number, file: string): Promise<string | undefined> {
	try {
		return await readFile(`/proc/${pid}/${file}`, "latin1");
	} catch (error) {
		if (isGone(error)) return undefined;
		throw error;
	}
}

/** Whether an error says that a process or a file is not there any more. */
export function isGone(error: unknown): boolean {
	const { code } = error as NodeJS.ErrnoException;
	return code === "ENOENT" || code === "ESRCH";
}

/** Bytes of a line of smaps or meminfo. @throws Error when there is none */
export function field(text: string, name: string): number {
	const found = new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(text)?.[1];
	if (found === undefined) throw new Error(`the kernel does not tell ${name}`);
	return Number(found) * 1024;
}
