import { type Command, CommanderError } from "commander";
import { BulkheadError } from "../api/errors.ts";
import { failureView, reportFailure } from "./failure.ts";
import { createProgram } from "./program.ts";
import type { Terminal } from "./terminal.ts";

const wrongUse = 2;

/**
 * Runs one command line.
 * @param args without the program's own name
 * @returns the exit code
 */
export async function run(args: readonly string[], terminal: Terminal, signal: AbortSignal): Promise<number> {
	// Wrong use is found before the options are known, and has to be told as JSON all the same.
	const json = args.slice(0, endOfOptions(args)).includes("--json");
	const program = createProgram(terminal, signal);
	prepare(program, terminal, json);
	try {
		await program.parseAsync(args, { from: "user" });
		return 0;
	} catch (error) {
		if (!(error instanceof CommanderError)) return reportFailure(error, terminal, json);
		if (error.exitCode === 0) return 0;
		const message = error.message.replace(/^error: /, "").trim();
		if (json) terminal.json(failureView(new BulkheadError("bad-input", message)));
		return wrongUse;
	}
}

function endOfOptions(args: readonly string[]): number {
	const end = args.indexOf("--");
	return end < 0 ? args.length : end;
}

/** Has commander throw instead of ending the process, and speak in our voice; for the commands too. */
function prepare(program: Command, terminal: Terminal, json: boolean): void {
	const { output, errors } = terminal.streams;
	for (const command of [program, ...program.commands]) {
		command.exitOverride().configureOutput({
			writeOut: (text) => output.write(text),
			writeErr: (text) => json || errors.write(text),
			outputError: (text, write) =>
				write(`${text.replace(/^error: /, "bulkhead: ").trimEnd()}\n${hint(command)}`),
		});
	}
}

function hint(command: Command): string {
	const name = command.parent ? `bulkhead ${command.name()}` : "bulkhead";
	return `See \`${name} --help\`.\n`;
}
