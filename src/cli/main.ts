import { interruptedCode } from "./failure.ts";
import { Interrupted } from "./interrupted.ts";
import { run } from "./run.ts";
import { Terminal } from "./terminal.ts";

/** Exit codes of a command that was broken off, as a shell says that a signal ended one. */
const codes = { SIGHUP: 129, SIGINT: interruptedCode, SIGPIPE: 141, SIGTERM: 143 } as const;

/** Signals that come within this time mean one thing: `timeout` tells a process and its group. */
const togetherMs = 500;

const interrupt = new AbortController();
let brokenOffCode: number = interruptedCode;

/** What was begun is brought to an end as for Ctrl-C, whatever the cause: files are put back, and how things stand is said. */
function breakOff(cause: keyof typeof codes, words?: string): void {
	if (interrupt.signal.aborted) return;
	brokenOffCode = codes[cause];
	interrupt.abort(new Interrupted(words));
}

const isObeyedAgain = ["SIGINT", "SIGTERM"] as const;

/** The next one ends the process at once; not by `exit`, which waits for a file that is being opened. */
function onSignal(signal: "SIGHUP" | "SIGINT" | "SIGTERM"): void {
	breakOff(signal);
	setTimeout(() => {
		for (const one of isObeyedAgain) process.removeAllListeners(one);
	}, togetherMs).unref();
}

for (const signal of ["SIGHUP", ...isObeyedAgain] as const) process.on(signal, onSignal);

const terminal = new Terminal({
	input: process.stdin,
	output: process.stdout,
	errors: process.stderr,
	environment: process.env,
});
// It stays: whatever is written later fails too.
process.stdout.on("error", ({ code, message }: NodeJS.ErrnoException) => {
	// The reader has gone, as `head` does. Who has said everything by then has done what was asked for.
	breakOff("SIGPIPE", "interrupted: nobody reads its output any more");
	if (code === "EPIPE" || process.exitCode) return;
	terminal.note([`bulkhead: its output cannot be written: ${message}`]);
	process.exitCode = 1;
});
process.stderr.on("error", () => {});

const code = await run(process.argv.slice(2), terminal, interrupt.signal);
process.exitCode ||= code === interruptedCode ? brokenOffCode : code;
