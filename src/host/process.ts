import { readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";

/** One process of this boot: a pid alone may be given to another process after the first has ended. */
export interface ProcessIdentity {
	readonly pid: number;
	/** Start time in clock ticks since boot: field 22 of /proc/PID/stat, see proc(5). */
	readonly startTime: number;
}

/** State letter of proc(5): T is stopped by a signal, D cannot be interrupted, Z has ended but is not yet reaped. */
export type ProcessState = "R" | "S" | "D" | "T" | "t" | "Z" | "X" | "I";

interface Stat {
	state: ProcessState;
	startTime: number;
}

function readStat(pid: number): Stat | undefined {
	let text: string;
	try {
		text = readFileSync(`/proc/${pid}/stat`, "latin1");
	} catch {
		return undefined;
	}
	// The second field is the name in brackets and may itself hold spaces and brackets.
	const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
	return { state: fields[0] as ProcessState, startTime: Number(fields[19]) };
}

/** @returns the identity of a running process, or undefined when there is none with this pid */
export function identify(pid: number): ProcessIdentity | undefined {
	const stat = readStat(pid);
	return stat && stat.state !== "Z" ? { pid, startTime: stat.startTime } : undefined;
}

/** @returns the state of exactly this process, or undefined once it has ended */
export function stateOf(id: ProcessIdentity): ProcessState | undefined {
	const stat = readStat(id.pid);
	if (!stat || stat.startTime !== id.startTime) return undefined;
	return stat.state === "Z" || stat.state === "X" ? undefined : stat.state;
}

export function isAlive(id: ProcessIdentity): boolean {
	return stateOf(id) !== undefined;
}

/** Sends a signal to exactly this process. @returns false when it has already ended */
export function sendSignal(id: ProcessIdentity, signal: NodeJS.Signals): boolean {
	if (!isAlive(id)) return false;
	try {
		return process.kill(id.pid, signal);
	} catch {
		return false;
	}
}

/** Waits until the process has ended. @returns false when it still runs after `deadlineMs` milliseconds */
export async function waitForEnd(id: ProcessIdentity, deadlineMs: number): Promise<boolean> {
	const end = performance.now() + deadlineMs;
	for (let pause = 1; isAlive(id); pause = Math.min(pause * 2, 20)) {
		if (performance.now() >= end) return false;
		await delay(pause);
	}
	return true;
}

/** Ends a process: asks with SIGTERM when `graceMs` is positive, then SIGKILL. @returns false when even that did not end it within 5 s */
export async function endProcess(id: ProcessIdentity, graceMs: number): Promise<boolean> {
	if (graceMs > 0) {
		sendSignal(id, "SIGTERM");
		if (await waitForEnd(id, graceMs)) return true;
	}
	sendSignal(id, "SIGKILL");
	return await waitForEnd(id, 5000);
}
