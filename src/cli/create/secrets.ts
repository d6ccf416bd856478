import { mkdir, open, rm, stat } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { BulkheadError } from "../../api/errors.ts";
import { isOld, type WindowsVersion } from "../../api/windows.ts";
import { oldPasswordProblem, passwordProblem } from "../../api/windows-passwords.ts";
import type { Context } from "../context.ts";
import { newSecret } from "../secret.ts";
import { styled } from "../terminal.ts";

const mostTries = 3;

/** A password that the installation needs. */
export interface Wanted {
	/** As in `the Administrator`. */
	whose: string;
	/** Ending of its file's name, as `administrator`. */
	name: string;
	option: string;
	/** The option's value: a file that is there, one that is to be written, or `-` for standard input. */
	given: string | undefined;
	/** Whether Windows's policy has a say: not for an account of a domain that is there already. */
	isNew: boolean;
}

/** Where a password stands, or will stand when `password` is not null. */
export interface Secret {
	file: string;
	password: string | null;
}

/** @param folder for those that get no file by an option */
export async function secretFor(
	context: Context,
	mayAsk: boolean,
	wanted: Wanted,
	version: WindowsVersion,
	folder: string,
	server: string,
): Promise<Secret> {
	const { given, name, option, whose } = wanted;
	const own = join(folder, `${server}-${name}`);
	const file = given === undefined || given === "-" ? own : resolve(given);
	if (given !== undefined && given !== "-" && (await isThere(file))) return { file, password: null };
	if (given !== "-" && !mayAsk)
		throw new BulkheadError(
			"bad-input",
			`${option}: nobody can be asked for the password of ${whose} here; name a file that has it on its first line`,
		);
	if (await isThere(file))
		throw new BulkheadError(
			"bad-input",
			`${file} is there already; say ${option} ${file} to use it, or remove it`,
		);
	return { file, password: await passwordOf(context, wanted, version) };
}

async function passwordOf(context: Context, wanted: Wanted, version: WindowsVersion): Promise<string> {
	const { given, whose, option, isNew } = wanted;
	const input = given === "-" ? "-" : undefined;
	for (let left = mostTries; ; left--) {
		const password = await newSecret(context, whose, input);
		const problem =
			(isNew ? passwordProblem(password) : undefined) ??
			(isOld(version) ? oldPasswordProblem(password) : undefined);
		if (problem === undefined && password !== "") return password;
		const why = problem ?? "it is empty";
		if (input !== undefined || left <= 1) throw new BulkheadError("bad-input", `${option}: ${why}`);
		context.terminal.note([styled(why, "yellow")]);
	}
}

async function isThere(file: string): Promise<boolean> {
	return await stat(file).then(
		() => true,
		() => false,
	);
}

/** Writes passwords that are new. @returns what undoes it */
export async function writeSecrets(secrets: readonly Secret[]): Promise<() => Promise<void>> {
	const made: string[] = [];
	const undo = async () => {
		for (const file of made) await rm(file, { force: true });
	};
	try {
		for (const { file, password } of secrets) {
			if (password === null) continue;
			await mkdir(dirname(file), { recursive: true, mode: 0o700 });
			const handle = await open(file, "wx", 0o600);
			made.push(file);
			try {
				await handle.writeFile(`${password}\n`);
				await handle.sync();
			} finally {
				await handle.close();
			}
		}
	} catch (cause) {
		await undo();
		throw new BulkheadError("bad-input", "a file for a password could not be written; nothing was changed", {
			cause,
		});
	}
	return undo;
}
