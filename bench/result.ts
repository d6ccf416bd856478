import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { explain } from "../src/api/errors.ts";

const out = fileURLToPath(new URL("../out", import.meta.url));

/** Writes a result as out/NAME.json. @returns its path */
export async function writeResult(name: string, result: unknown, folder = out): Promise<string> {
	await mkdir(folder, { recursive: true });
	const path = join(folder, `${name}.json`);
	await writeFile(path, `${JSON.stringify(result, null, 2)}\n`);
	return path;
}

/**
 * Does what has its result in out/NAME.json. That of an earlier run is gone from the beginning; of what fails, also
 * after its result was written, the file says `ok: false` and the error.
 * @throws whatever `work` throws
 */
export async function withResult<T>(name: string, work: () => Promise<T>, folder = out): Promise<T> {
	const path = join(folder, `${name}.json`);
	await rm(path, { force: true });
	try {
		return await work();
	} catch (error) {
		const written = await readFile(path, "utf8").then(
			(text) => JSON.parse(text) as object,
			() => ({}),
		);
		await writeResult(name, { ...written, ok: false, error: explain(error) }, folder);
		throw error;
	}
}
