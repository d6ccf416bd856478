import { readFile } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";

const lookEveryMs = 500;
/** Of one processor. */
const enough = 0.5;

/** Time of all of a host's processors since it began, in ticks: how many there are, what they had nothing to do, and all of it. */
export interface ProcessorTime {
	processors: number;
	idle: number;
	all: number;
}

/** Pure. @param text of /proc/stat (proc_stat(5)): user nice system idle iowait irq softirq steal, and guests' time, which is in user's */
export function processorTimeIn(text: string): ProcessorTime {
	const ticks = (/^cpu +(.*)$/m.exec(text)?.[1] ?? "").split(" ").map(Number).slice(0, 8);
	const [, , , idle = 0, waiting = 0] = ticks;
	const processors = text.match(/^cpu\d+ /gm)?.length ?? 0;
	return { processors, idle: idle + waiting, all: ticks.reduce((sum, one) => sum + one, 0) };
}

/** Whether half a processor, or more, had nothing to do between two times. Pure. */
export function areFree(before: ProcessorTime, after: ProcessorTime): boolean {
	const all = after.all - before.all;
	return all > 0 && ((after.idle - before.idle) / all) * after.processors >= enough;
}

/**
 * Waits until this host has half a processor to spare for half a second, and not longer than that many milliseconds.
 * @throws DOMException when aborted
 */
export async function untilProcessorsAreFree(withinMs: number, signal: AbortSignal): Promise<void> {
	const end = performance.now() + withinMs;
	let before = await processorTime();
	while (performance.now() < end) {
		await delay(Math.min(lookEveryMs, end - performance.now()), undefined, { signal });
		const now = await processorTime();
		if (areFree(before, now)) return;
		before = now;
	}
}

async function processorTime(): Promise<ProcessorTime> {
	return processorTimeIn(await readFile("/proc/stat", "utf8"));
}
