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
		if (json) terminal.json(failureView(new BulkheadError("bad-input", messageOf(error))));
		return wrongUse;
	}
}

function endOfOptions(args: readonly string[]): number {
	const end = args.indexOf("--");
	return end < 0 ? args.length : end;
}

function messageOf({ code, message }: CommanderError): string {
	// It has shown how the command is used, and has no words for why.
	if (code === "commander.help") return "no command is given; see --help";
	return message.replace(/^error: /, "").trim();
}

/** Has commander throw instead of ending the process, and speak in our voice; for the commands too, and those within them. */
function prepare(command: Command, terminal: Terminal, json: boolean): void {
	const { output, errors } = terminal.streams;
	command.exitOverride().configureOutput({
		writeOut: (text) => output.write(text),
		writeErr: (text) => json || errors.write(text),
		outputError: (text, write) =>
			write(`${text.replace(/^error: /, "bulkhead: ").trimEnd()}\nSee \`${fullName(command)} --help\`.\n`),
	});
	for (const one of command.commands) prepare(one, terminal, json);
}

function fullName(command: Command): string {
	return command.parent ? `${fullName(command.parent)} ${command.name()}` : "bulkhead";
}
