import type { Stats } from "node:fs";
import { type FileHandle, lstat, open as openFile, realpath, rename, rm, stat } from "node:fs/promises";
import { BulkheadError } from "../api/errors.ts";

/** The API takes no longer ones, in characters; a character is at most four bytes. */
const longestText = 1_000_000;

/** @throws BulkheadError when it cannot be read, is too large for a site, or is not UTF-8 */
export async function readSite(file: string): Promise<string> {
	const text = decode(file, await readBounded(file));
	if (text.length <= longestText) return text;
	throw tooLarge(file);
}

/** As `readSite`. @returns undefined when there is no such file yet */
export async function readSiteIfThere(file: string): Promise<string | undefined> {
	const target = await targetOf(file);
	return (await factsOf(target)) === undefined ? undefined : await readSite(target);
}

/**
 * Replaces a site file as a whole, or makes a new one. A link to it stays one; its owner and its mode stay what they are.
 * @param before what was read of it; undefined when it was not there
 * @throws BulkheadError changed-meanwhile when it says something else by now; bad-input when it cannot be written
 */
export async function replaceSite(file: string, before: string | undefined, after: string): Promise<void> {
	const target = await targetOf(file);
	const draft = `${target}.${process.pid}.tmp`;
	try {
		await writeDraft(draft, target, after);
		// As late as can be: people take minutes to answer, and edit the file meanwhile.
		if ((await readSiteIfThere(target)) !== before) throw changedMeanwhile(file);
		await rename(draft, target);
	} catch (error) {
		await rm(draft, { force: true });
		if (error instanceof BulkheadError) throw error;
		const message = `cannot write ${file}: ${readReason(error)}; nothing was changed`;
		throw new BulkheadError("bad-input", message, { cause: error });
	}
}

/** Follows links, so that what they lead to is changed. @returns the file itself, whether it is there or not */
async function targetOf(file: string): Promise<string> {
	try {
		return await realpath(file);
	} catch (error) {
		if (codeOf(error) === "ENOENT" && !(await isLink(file))) return file;
		const reason =
			codeOf(error) === "ENOENT" ? "it is a link to a file that is not there" : readReason(error);
		throw new BulkheadError("bad-input", `cannot read ${file}: ${reason}`, { cause: error });
	}
}

async function isLink(file: string): Promise<boolean> {
	return await lstat(file).then(
		(facts) => facts.isSymbolicLink(),
		() => false,
	);
}

async function factsOf(file: string): Promise<Stats | undefined> {
	return await stat(file).catch((error: unknown) => {
		if (codeOf(error) === "ENOENT") return undefined;
		throw error;
	});
}

async function writeDraft(draft: string, target: string, text: string): Promise<void> {
	const old = await factsOf(target);
	await using handle = await openFile(draft, "wx", old ? 0o600 : 0o640);
	if (old) {
		await keepOwner(handle, target, old);
		await handle.chmod(old.mode & 0o777);
	}
	await handle.writeFile(text);
	await handle.sync();
}

/** @throws BulkheadError when the file would become another's */
async function keepOwner(draft: FileHandle, target: string, { uid, gid }: Stats): Promise<void> {
	const own = await draft.stat();
	if (own.uid === uid && own.gid === gid) return;
	await draft.chown(uid, gid).catch((cause: unknown) => {
		const message = `cannot write ${target}: its owner and group could not be kept; nothing was changed; run it with sudo`;
		throw new BulkheadError("bad-input", message, { cause });
	});
}

function changedMeanwhile(file: string): BulkheadError {
	return new BulkheadError(
		"changed-meanwhile",
		`${file} was changed meanwhile; nothing was changed; run it again`,
	);
}

async function readBounded(file: string): Promise<Buffer> {
	try {
		await using handle = await openFile(file);
		const chunks: Buffer[] = [];
		let size = 0;
		for await (const chunk of handle.createReadStream({ autoClose: false })) {
			size += chunk.length;
			if (size > longestText * 4) throw tooLarge(file);
			chunks.push(chunk);
		}
		return Buffer.concat(chunks);
	} catch (error) {
		if (error instanceof BulkheadError) throw error;
		throw new BulkheadError("bad-input", `cannot read ${file}: ${readReason(error)}`, { cause: error });
	}
}

function codeOf(error: unknown): unknown {
	return error instanceof Error && "code" in error ? error.code : undefined;
}

function readReason(error: unknown): string {
	const code = codeOf(error);
	if (code === "ENOENT") return "there is no such file";
	if (code === "EACCES") return "it is not allowed to you";
	if (code === "EISDIR") return "it is a folder; name the site file in it";
	return error instanceof Error ? error.message : String(error);
}

function decode(file: string, bytes: Buffer): string {
	try {
		return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
	} catch (error) {
		throw new BulkheadError("bad-input", `${file} is not UTF-8 text; is it a site file?`, { cause: error });
	}
}

function tooLarge(file: string): BulkheadError {
	return new BulkheadError("bad-input", `${file} is longer than a million characters; is it a site file?`);
}
