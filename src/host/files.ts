import { constants } from "node:fs";
import { lstat, open, readdir, readFile, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";

/** What `writeFileAtomic` calls a file that it has not finished. */
const halfWritten = /\.\d+\.[a-z0-9]{1,6}\.tmp$/;

/**
 * Writes a file so that after a crash of the machine either the old or the new content is there, whole:
 * a temporary file beside it, fsync, rename, fsync of the folder.
 */
export async function writeFileAtomic(path: string, content: string, mode = 0o640): Promise<void> {
	const temporary = `${path}.${process.pid}.${Math.random().toString(36).slice(2, 8)}.tmp`;
	try {
		const file = await open(temporary, "wx", mode);
		try {
			await file.writeFile(content);
			await file.sync();
		} finally {
			await file.close();
		}
		await rename(temporary, path);
	} catch (error) {
		await rm(temporary, { force: true });
		throw error;
	}
	await syncFolder(dirname(path));
}

/**
 * Removes what a process of ours that was killed had not finished writing, in a folder and all below it. Folders of other
 * users are left alone, with all in them: a session may write to its own, and make of it what it likes.
 * @returns what could not be looked at; the rest is done
 */
export async function removeHalfWritten(folder: string): Promise<unknown[]> {
	try {
		if ((await lstat(folder)).uid !== process.getuid?.()) return [];
		const entries = await readdir(folder, { withFileTypes: true });
		const done = entries.map(async (entry) => {
			const path = join(folder, entry.name);
			if (entry.isDirectory()) return await removeHalfWritten(path);
			if (halfWritten.test(entry.name)) await rm(path, { force: true });
			return [];
		});
		return (await Promise.all(done)).flat();
	} catch (error) {
		return isMissing(error) ? [] : [error];
	}
}

/** Until then what was renamed or removed in it may come back after a power cut. */
export async function syncFolder(path: string): Promise<void> {
	await syncFile(path);
}

/** Until then what was written to it, by whichever program, may be gone after a power cut. */
export async function syncFile(path: string): Promise<void> {
	const file = await open(path, "r");
	try {
		await file.sync();
	} finally {
		await file.close();
	}
}

/** @returns the file's text, or undefined when there is no such file */
export async function readIfThere(path: string): Promise<string | undefined> {
	try {
		return await readFile(path, "utf8");
	} catch (error) {
		if (isMissing(error)) return undefined;
		throw error;
	}
}

/** @returns the names in a folder, sorted; none when there is no such folder */
export async function listIfThere(path: string): Promise<string[]> {
	try {
		return (await readdir(path)).sort();
	} catch (error) {
		if (isMissing(error)) return [];
		throw error;
	}
}

export function errorCode(error: unknown): string | undefined {
	return error instanceof Error && "code" in error ? String(error.code) : undefined;
}

function isMissing(error: unknown): boolean {
	return errorCode(error) === "ENOENT";
}

/**
 * Reads the end of a file that a session can change or replace: links are not followed, and what is no plain file is
 * not read.
 * @returns its last `limit` bytes, or undefined when there is nothing to read
 */
export async function readUntrustedTail(path: string, limit: number): Promise<Buffer | undefined> {
	const file = await openUntrusted(path, constants.O_RDONLY);
	if (!file) return undefined;
	try {
		const { size } = await file.stat();
		const from = Math.max(0, size - limit);
		const buffer = Buffer.alloc(Math.min(size, limit));
		const { bytesRead } = await file.read(buffer, 0, buffer.length, from);
		return buffer.subarray(0, bytesRead);
	} finally {
		await file.close();
	}
}

/** Empties a file that a session appends to, when it has grown beyond `limit` bytes. @returns whether it was emptied */
export async function emptyWhenLarger(path: string, limit: number): Promise<boolean> {
	const file = await openUntrusted(path, constants.O_RDWR);
	if (!file) return false;
	try {
		if ((await file.stat()).size <= limit) return false;
		await file.truncate(0);
		return true;
	} finally {
		await file.close();
	}
}

/**
 * Gives a file that a session could change or replace to others, with a mode of its own.
 * @returns false when it is no plain file, or another's too: then nothing was done
 */
export async function giveUntrusted(path: string, uid: number, gid: number, mode: number): Promise<boolean> {
	const file = await openUntrusted(path, constants.O_RDONLY);
	if (!file) return false;
	try {
		await file.chown(uid, gid);
		await file.chmod(mode);
		return true;
	} finally {
		await file.close();
	}
}

async function openUntrusted(path: string, flags: number) {
	try {
		const file = await open(path, flags | constants.O_NOFOLLOW | constants.O_NONBLOCK);
		const facts = await file.stat();
		// A file with a second name may be another's.
		if (facts.isFile() && facts.nlink <= 1) return file;
		await file.close();
	} catch (error) {
		if (!["ENOENT", "ELOOP", "ENXIO", "EISDIR"].includes(errorCode(error) ?? "")) throw error;
	}
	return undefined;
}
