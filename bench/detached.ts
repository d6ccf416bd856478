import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";

/** Starts a program that outlives this process, and does not keep it from ending. @param log file that its words are added to */
export function startDetached(
	[file = "", ...args]: readonly string[],
	env: NodeJS.ProcessEnv,
	log: string,
): ChildProcess {
	const words = openSync(log, "a");
	const child = spawn(file, args, { env, stdio: ["ignore", words, words], detached: true });
	closeSync(words);
	child.unref();
	return child;
}
