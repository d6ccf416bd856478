import { readdirSync, readFileSync } from "node:fs";

/** Milliseconds, of all threads of a process together: nearly all of it is the virtual processors'. */
export interface ProcessorTime {
	ran: number;
	/** On a run queue, without a processor. */
	waited: number;
}

/**
 * How much a process's threads waited for a processor of the host: first and second field of
 * /proc/PID/task/TID/schedstat (nanoseconds on a processor, and on a run queue; Linux Documentation/scheduler/sched-stats).
 * A guest whose host is too busy to run it is slow, not dead.
 */
export class Starvation {
	private readonly pid: number;
	private before: ProcessorTime;
	private at: number;

	constructor(pid: number) {
		this.pid = pid;
		this.before = processorTime(pid);
		this.at = performance.now();
	}

	/** @returns how much the process was starved since the last call, 0 to 1 */
	since(): number {
		const now = performance.now();
		const time = processorTime(this.pid);
		const share = starvedShare(this.before, time, now - this.at);
		this.before = time;
		this.at = now;
		return share;
	}
}

/**
 * The share of the time that its threads wanted to run in which they could not. More processors that spin than the host
 * has are slower for it, and not dead: so waiting is set against running, not against the clock. A process that hardly
 * wanted to run was not starved, whatever became of that little: so no more than what waiting took by the clock.
 */
export function starvedShare(before: ProcessorTime, after: ProcessorTime, elapsedMs: number): number {
	// A thread that has ended takes its times with it.
	const waited = Math.max(0, after.waited - before.waited);
	const ran = Math.max(0, after.ran - before.ran);
	if (waited === 0) return 0;
	return Math.min(waited / (waited + ran), waited / Math.max(1, elapsedMs));
}

function processorTime(pid: number): ProcessorTime {
	const sum = { ran: 0, waited: 0 };
	for (const file of threadFiles(pid)) {
		const [ran = "0", waited = "0"] = file.split(" ");
		sum.ran += Number(ran) / 1e6;
		sum.waited += Number(waited) / 1e6;
	}
	return sum;
}

function threadFiles(pid: number): string[] {
	try {
		return readdirSync(`/proc/${pid}/task`).map((thread) =>
			readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "latin1"),
		);
	} catch {
		// The process is ending; that is noticed elsewhere.
		return [];
	}
}
