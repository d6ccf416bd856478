import { readFile } from "node:fs/promises";
import { addAbortSignal } from "node:stream";
import { text as textOf } from "node:stream/consumers";
import { BulkheadError } from "../api/errors.ts";
import type { Context } from "./context.ts";
import { styled } from "./terminal.ts";

const largestSecret = 4096;
const mostTries = 3;

/** What a password has to be like, and how it is said without being asked for. */
export interface SecretRules {
	/** The option with its file; `--password-file`. */
	option?: string;
	/** What is wrong with it, in one sentence without it; undefined when it will do. */
	wrong?: (password: string) => string | undefined;
}

/** A password: never an argument, which everybody on the host could read. */
export async function secretOf(context: Context, user: string, file: string | undefined): Promise<string> {
	const { terminal, json, signal } = context;
	if (file !== undefined) return await secretIn(context, file, "--password-file");
	if (json || !terminal.interactive)
		throw new BulkheadError(
			"bad-input",
			`nobody can be asked for ${user}'s password here: say --password-file`,
		);
	return await terminal.askSecret([`Password of ${user}:`], signal);
}

/**
 * The first line of a file, or of standard input when that is `-`.
 * @param option that names it
 * @throws BulkheadError bad-input; the signal's reason when it aborts
 */
export async function secretIn(context: Context, file: string, option: string): Promise<string> {
	const isInput = file === "-";
	const text = isInput
		? await inputOf(context)
		: await readFile(file, "utf8").catch((cause) => {
				throw new BulkheadError("bad-input", `${option}: ${file} cannot be read`, { cause });
			});
	const line = text.slice(0, largestSecret).split(/\r?\n/)[0] ?? "";
	if (line === "")
		throw new BulkheadError("bad-input", `${option}: ${isInput ? "standard input" : file} is empty`);
	return line;
}

async function inputOf({ terminal, signal }: Context): Promise<string> {
	try {
		return await textOf(addAbortSignal(signal, terminal.streams.input));
	} catch (error) {
		signal.throwIfAborted();
		throw error;
	}
}

/**
 * Asked for twice: nobody sees what is typed, and nobody else knows it. A slip costs only itself: it is asked for again.
 * @throws BulkheadError bad-input when nothing came that will do
 */
export async function newSecret(
	context: Context,
	user: string,
	file: string | undefined,
	rules: SecretRules = {},
): Promise<string> {
	return await fitting(context, user, file, rules, true);
}

/** As `newSecret`, for one that somebody else has chosen: whether it was typed rightly is seen when it is used. */
export async function knownSecret(
	context: Context,
	user: string,
	file: string | undefined,
	rules: SecretRules = {},
): Promise<string> {
	return await fitting(context, user, file, rules, false);
}

async function fitting(
	context: Context,
	user: string,
	file: string | undefined,
	{ option = "--password-file", wrong }: SecretRules,
	isNew: boolean,
): Promise<string> {
	for (let left = mostTries; ; left--) {
		const password = await secretOf(context, user, file);
		const problem =
			(password === "" ? "it is empty" : wrong?.(password)) ??
			(isNew && file === undefined ? await differs(context, password) : undefined);
		if (problem === undefined) return password;
		if (file !== undefined || left <= 1)
			throw new BulkheadError("bad-input", `${option}: ${problem}; nothing was changed`);
		context.terminal.note([styled(problem, "yellow")]);
	}
}

async function differs({ terminal, signal }: Context, first: string): Promise<string | undefined> {
	const again = await terminal.askSecret(["The same once more:"], signal);
	return again === first ? undefined : "the two passwords differ";
}
