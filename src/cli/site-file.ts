import { open as openFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { BulkheadError } from "../api/errors.ts";

/** The API takes no longer ones, in characters; a character is at most four bytes. */
const longestText = 1_000_000;

/** @throws BulkheadError when it cannot be read, is too large for a site, or is not UTF-8 */
export async function readSite(file: string): Promise<string> {
	const text = decode(file, await readBounded(file));
	if (text.length <= longestText) return text;
	throw tooLarge(file);
}

/** Replaces a site file as a whole, or makes a new one. @throws BulkheadError */
export async function writeSite(file: string, text: string): Promise<void> {
	const draft = `${file}.${process.pid}.tmp`;
	try {
		const mode = await stat(file).then(
			({ mode }) => mode & 0o777,
			() => 0o644,
		);
		await writeFile(draft, text, { flag: "wx", mode, flush: true });
		await rename(draft, file);
	} catch (error) {
		await rm(draft, { force: true });
		throw new BulkheadError("bad-input", `cannot write ${file}: ${readReason(error)}`, { cause: error });
	}
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

function readReason(error: unknown): string {
	const code = error instanceof Error && "code" in error ? error.code : undefined;
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
