import { constants } from "node:fs";
import { mkdir, open, rm, stat } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { BulkheadError } from "../../api/errors.ts";
import {
	type PasswordSetting,
	type PasswordUse,
	windowsPasswordProblem,
} from "../../api/windows-passwords.ts";
import type { Context } from "../context.ts";
import { knownSecret, newSecret } from "../secret.ts";

const largest = 4096;

/** A password that the installation needs. */
export interface Wanted {
	/** As in `the Administrator`. */
	whose: string;
	use: PasswordUse;
	option: string;
	/** The option's value: a file that is there, one that is to be written, or `-` for standard input. */
	given: string | undefined;
}

/** Where a password stands, or will stand. */
export interface Secret {
	file: string;
	/** Undefined when it stands in a file that cannot be read by who asks. */
	password: string | undefined;
	/** Whether the file is to be written. */
	isNew: boolean;
}

/** Where passwords are kept that get no file by an option. */
export interface SecretPlace {
	mayAsk: boolean;
	folder: string;
	server: string;
}

/** @throws BulkheadError bad-input for one that Windows would refuse, in a file that is there, too */
export async function secretFor(
	context: Context,
	wanted: Wanted,
	setting: PasswordSetting,
	{ mayAsk, folder, server }: SecretPlace,
): Promise<Secret> {
	const { given, use, option, whose } = wanted;
	const own = join(folder, `${server}-${use}`);
	const file = given === undefined || given === "-" ? own : resolve(given);
	const wrong = (password: string) => windowsPasswordProblem(use, password, setting);
	if (given !== undefined && given !== "-" && (await isThere(file))) return await kept(file, option, wrong);
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
	const ask = use === "join" ? knownSecret : newSecret;
	const password = await ask(context, whose, given === "-" ? "-" : undefined, { option, wrong });
	return { file, password, isNew: true };
}

async function kept(
	file: string,
	option: string,
	wrong: (password: string) => string | undefined,
): Promise<Secret> {
	const password = await firstLineOf(file);
	const problem = password === undefined ? undefined : wrong(password);
	if (problem !== undefined)
		throw new BulkheadError("bad-input", `${option}: ${file}: ${problem}; nothing was changed`);
	return { file, password, isNew: false };
}

/** @returns undefined for what cannot be read here: `apply` tells what is wrong with it */
async function firstLineOf(file: string): Promise<string | undefined> {
	try {
		await using handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK);
		if (!(await handle.stat()).isFile()) return undefined;
		const { bytesRead, buffer } = await handle.read(Buffer.alloc(largest), 0, largest, 0);
		return buffer.subarray(0, bytesRead).toString("utf8").split(/\r?\n/)[0] || undefined;
	} catch {
		return undefined;
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
		for (const { file, password, isNew } of secrets) {
			if (!isNew) continue;
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
