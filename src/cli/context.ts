import type { Command } from "commander";
import { BulkheadError } from "../api/errors.ts";
import type { Client } from "../client/http.ts";
import { type Line, styled, type Terminal } from "./terminal.ts";

/** What a command works with. */
export interface Context {
	readonly client: Client;
	readonly terminal: Terminal;
	/** Whether the answer is for a machine: one JSON document on standard output. */
	readonly json: boolean;
	/** State directory, absolute. */
	readonly state: string;
	/** Aborts when the user presses Ctrl-C, the terminal or the reader of the output goes away, or somebody ends it. */
	readonly signal: AbortSignal;
}

/** Makes the context from the options that were given. */
export type Open = (command: Command) => Context;

/** Prints the answer: as JSON, or as lines for people. */
export function answer(context: Context, value: unknown, lines: () => Line[]): void {
	if (context.json) context.terminal.json(value);
	else context.terminal.print(...lines());
}

/**
 * Goes on only when a person has said yes.
 * @param question such as `Destroy the disks of dc1?`
 * @throws BulkheadError when nobody can be asked, or the answer is another or none
 */
export async function confirm(context: Context, question: string, yes: boolean | undefined): Promise<void> {
	if (yes) return;
	if (context.json || !context.terminal.interactive) {
		throw new BulkheadError("needs-confirmation", `${question} Nobody can be asked here: say it with --yes`);
	}
	const said = await context.terminal.ask([styled(question, "bold"), " Type yes:"], context.signal);
	if (said !== "yes") throw new BulkheadError("needs-confirmation", "not confirmed; nothing was changed");
}
