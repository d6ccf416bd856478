import { readFile } from "node:fs/promises";
import { text as textOf } from "node:stream/consumers";
import { BulkheadError } from "../api/errors.ts";
import type { Context } from "./context.ts";

const largestSecret = 4096;

/** A password: never an argument, which everybody on the host could read. */
export async function secretOf(
	{ terminal, json, signal }: Context,
	user: string,
	file: string | undefined,
): Promise<string> {
	if (file === "-") return firstLine(await textOf(terminal.streams.input), "standard input");
	if (file !== undefined) return firstLine(await readFile(file, "utf8").catch(unreadable(file)), file);
	if (json || !terminal.interactive)
		throw new BulkheadError(
			"bad-input",
			`nobody can be asked for ${user}'s password here: say --password-file`,
		);
	return await terminal.askSecret([`Password of ${user}:`], signal);
}

/** Asked for twice: nobody sees what is typed, and nobody else knows it. */
export async function newSecret(context: Context, user: string, file: string | undefined): Promise<string> {
	const first = await secretOf(context, user, file);
	if (file !== undefined) return first;
	const again = await context.terminal.askSecret(["The same once more:"], context.signal);
	if (again !== first) throw new BulkheadError("bad-input", "the two passwords differ; nothing was changed");
	return first;
}

function unreadable(file: string): (error: unknown) => never {
	return (error) => {
		throw new BulkheadError("bad-input", `--password-file: ${file} cannot be read`, { cause: error });
	};
}

function firstLine(text: string, where: string): string {
	const line = text.slice(0, largestSecret).split(/\r?\n/)[0] ?? "";
	if (line === "") throw new BulkheadError("bad-input", `--password-file: ${where} is empty`);
	return line;
}
