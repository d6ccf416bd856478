import { Interrupted } from "./interrupted.ts";
import { run } from "./run.ts";
import { Terminal } from "./terminal.ts";

const interrupt = new AbortController();
const interruptedCode = 130;

process.on("SIGINT", () => {
	// A second Ctrl-C does not wait for anything.
	if (interrupt.signal.aborted) process.exit(interruptedCode);
	interrupt.abort(new Interrupted());
});
// The reader has gone, as `head` does: nobody is left to tell.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
	process.exit(error.code === "EPIPE" ? 0 : 1);
});

const terminal = new Terminal({
	input: process.stdin,
	output: process.stdout,
	errors: process.stderr,
	environment: process.env,
});
process.exitCode = await run(process.argv.slice(2), terminal, interrupt.signal);
