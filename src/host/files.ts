import { open, readdir, readFile, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";

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

async function syncFolder(path: string): Promise<void> {
	const folder = await open(path, "r");
	try {
		await folder.sync();
	} finally {
		await folder.close();
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
