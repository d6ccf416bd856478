import { spawn } from "node:child_process";
import { once } from "node:events";
import { availableParallelism } from "node:os";
import { setTimeout as delay } from "node:timers/promises";
import { expect, test } from "vitest";
import { areFree, processorTimeIn, untilProcessorsAreFree } from "./processors.ts";

const stat = (user: number, idle: number, waiting: number) =>
	`cpu  ${user} 0 10 ${idle} ${waiting} 0 0 5 ${user} 0\ncpu0 1 0 0 1 0 0 0 0 0 0\ncpu1 1 0 0 1 0 0 0 0 0 0\nintr 5 1\nctxt 7\n`;

test("what waits for a disk is idle, too, and guests' time counts once", () => {
	expect(processorTimeIn(stat(100, 40, 2))).toEqual({ processors: 2, idle: 42, all: 157 });
	expect(processorTimeIn("")).toEqual({ processors: 0, idle: 0, all: 0 });
});

test.each([
	["half a processor of two", 75, 25, true],
	["less", 76, 24, false],
	["nothing that has passed", 0, 0, false],
])("free is half a processor: %s", (_, busy, idle, free) => {
	const before = processorTimeIn(stat(0, 0, 0));
	expect(areFree(before, processorTimeIn(stat(busy, idle, 0)))).toBe(free);
});

test("on a host that is busy it is waited for, and not for ever", async () => {
	const busy = Array.from({ length: availableParallelism() }, () =>
		spawn(process.execPath, ["-e", "console.log(1); while (true);"], { stdio: ["ignore", "pipe", "ignore"] }),
	);
	try {
		await Promise.all(busy.map(async ({ stdout }) => await once(stdout, "data")));
		let over = false;
		const waited = untilProcessorsAreFree(3000, new AbortController().signal).then(() => {
			over = true;
		});
		await delay(1500);
		expect(over).toBe(false);
		await waited;
		await expect(untilProcessorsAreFree(3000, AbortSignal.abort())).rejects.toThrow("aborted");
	} finally {
		for (const one of busy) one.kill("SIGKILL");
	}
});
