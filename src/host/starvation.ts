import { readdirSync, readFileSync } from "node:fs";

/**
 * How much a process's threads waited for a processor of the host: second field of /proc/PID/task/TID/schedstat
 * (nanoseconds on a run queue; Linux Documentation/scheduler/sched-stats). A guest whose host is too busy to run it
 * is slow, not dead.
 */
export class Starvation {
	private readonly pid: number;
	private waited: number;
	private at: number;

	constructor(pid: number) {
		this.pid = pid;
		this.waited = totalWait(pid);
		this.at = performance.now();
	}

	/** @returns the time that its threads together waited, as a share of the time since the last call, at most 1 */
	since(): number {
		const now = performance.now();
		const waited = totalWait(this.pid);
		const share = (waited - this.waited) / Math.max(1, now - this.at);
		this.waited = waited;
		this.at = now;
		return Math.min(1, Math.max(0, share));
	}
}

/** @returns milliseconds, of all threads together: nearly all of it is the virtual processors' */
function totalWait(pid: number): number {
	let sum = 0;
	try {
		for (const thread of readdirSync(`/proc/${pid}/task`)) {
			const [, waited = "0"] = readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "latin1").split(" ");
			sum += Number(waited) / 1e6;
		}
	} catch {
		// The process is ending; that is noticed elsewhere.
	}
	return sum;
}
