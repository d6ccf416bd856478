import { spawn } from "node:child_process";
import { setTimeout as delay } from "node:timers/promises";
import { expect } from "vitest";
import { run } from "../../src/host/command.ts";

/** A TCP connection to somebody who says everything back. */
export interface Talk extends AsyncDisposable {
	/** @returns whether it came back within a second */
	say(what: string): Promise<boolean>;
}

/** Opens one from inside a namespace. */
export async function talk(namespace: string, address: string, port: number): Promise<Talk> {
	const script = `
		const c = require("node:net").connect(${port}, "${address}", () => console.log("ready"));
		process.stdin.pipe(c); c.pipe(process.stdout);`;
	const child = spawn("nsenter", [`--net=/run/netns/${namespace}`, process.execPath, "-e", script]);
	let heard = "";
	child.stdout.on("data", (chunk: Buffer) => {
		heard += String(chunk);
	});
	const hears = async (what: string, withinMs: number) => {
		const end = performance.now() + withinMs;
		while (!heard.includes(what) && performance.now() < end) await delay(10);
		return heard.includes(what);
	};
	const end = async () => {
		child.kill("SIGKILL");
		// What it still had to say would be counted as what later tests send.
		const own = ["ss", "-K", "-t", "-n", "dst", address.includes(":") ? `[${address}]` : address];
		await run("nsenter", [`--net=/run/netns/${namespace}`, ...own], { deadlineMs: 10_000 });
	};
	if (!(await hears("ready", 5000))) {
		await end();
		expect.fail(`${address} port ${port} was not reached`);
	}
	return {
		say: async (what) => {
			child.stdin.write(`${what}\n`);
			return await hears(what, 1000);
		},
		[Symbol.asyncDispose]: end,
	};
}
