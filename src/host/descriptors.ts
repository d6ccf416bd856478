import { closeSync, readdirSync, readFileSync } from "node:fs";

const closeOnExec = 0o2000000;

/**
 * Closes what this process has inherited beyond standard input, output and error. Node.js marks its own descriptors as
 * close-on-exec (O_CLOEXEC, open(2)), and the low ones that it inherits; one without that mark came from whoever
 * started us, and would go on to every session.
 */
export function closeInherited(): void {
	for (const name of readdirSync("/proc/self/fd")) {
		const descriptor = Number(name);
		if (descriptor <= 2 || isOwn(descriptor)) continue;
		try {
			closeSync(descriptor);
		} catch {
			// It was the one that listed them.
		}
	}
}

function isOwn(descriptor: number): boolean {
	try {
		const flags = /^flags:\s*([0-7]+)/m.exec(readFileSync(`/proc/self/fdinfo/${descriptor}`, "latin1"))?.[1];
		return flags === undefined || (Number.parseInt(flags, 8) & closeOnExec) !== 0;
	} catch {
		return true;
	}
}
