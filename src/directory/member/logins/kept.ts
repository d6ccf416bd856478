import { chmod, chown, open, readFile, realpath, rename, rm, stat, utimes } from "node:fs/promises";
import { z } from "zod";
import { errorCode, readIfThere, writeFileAtomic } from "../../../host/files.ts";
import type { Edit } from "./edits.ts";

/** A file's content is kept as base64: it is put back byte for byte. */
const fileSchema = z.object({
	content: z.string(),
	mode: z.number(),
	uid: z.number(),
	gid: z.number(),
	/** Seconds since 1970. */
	times: z.tuple([z.number(), z.number()]),
});
type KeptFile = z.infer<typeof fileSchema>;

const keptSchema = z.array(
	z.object({
		/** As the edit calls it; `path` is where that leads. */
		name: z.string(),
		path: z.string(),
		/** Null when there was none. */
		before: fileSchema.nullable(),
		/** As we left it. */
		after: z.string(),
	}),
);
type Kept = z.infer<typeof keptSchema>;

const unfinished = (path: string) => `${path}.bulkhead.tmp`;

/**
 * Changes files of the host. What they were is on disk before the first of them changes, so that `putBack` can be called
 * at any moment after that, whatever was interrupted. @param record file that keeps it
 * @throws BulkheadError when one is not as it has to be; then none has changed
 */
export async function change(record: string, edits: readonly Edit[]): Promise<void> {
	const kept: Kept = [];
	for (const edit of edits) {
		const path = await realpath(edit.path).catch(() => edit.path);
		const before = await look(path);
		const text = before && Buffer.from(before.content, "base64").toString("utf8");
		const after = edit.apply(text);
		if (after !== text) kept.push({ name: edit.path, path, before, after: encoded(after) });
	}
	await writeFileAtomic(record, `${JSON.stringify(kept)}\n`, 0o600);
	const fresh = { mode: 0o644, uid: 0, gid: 0 };
	for (const { path, before, after } of kept)
		await write(path, { ...fresh, ...before, content: after, times: null });
}

/**
 * Puts back what `change` found: byte for byte where nobody else has changed the file since, and else without our lines.
 * May be called again when it was interrupted.
 * @returns files that somebody else had changed
 */
export async function putBack(record: string, edits: readonly Edit[]): Promise<string[]> {
	const text = await readIfThere(record);
	if (text === undefined) return [];
	const edited: string[] = [];
	for (const { name, path, before, after } of keptSchema.parse(JSON.parse(text))) {
		await rm(unfinished(path), { force: true });
		const now = await look(path);
		if (now?.content === before?.content) continue;
		if (now?.content === after) {
			await (before ? write(path, before) : rm(path));
			continue;
		}
		edited.push(path);
		const edit = edits.find((one) => one.path === name);
		if (now && edit) await retract(path, edit, now, before);
	}
	await rm(record);
	return edited;
}

async function retract(path: string, edit: Edit, now: KeptFile, before: KeptFile | null): Promise<void> {
	const plain = (file: KeptFile) => Buffer.from(file.content, "base64").toString("utf8");
	const rest = edit.retract(plain(now), before && plain(before));
	if (before === null && rest.trim() === "") await rm(path);
	else if (rest !== plain(now)) await write(path, { ...now, content: encoded(rest), times: null });
}

function encoded(text: string): string {
	return Buffer.from(text).toString("base64");
}

async function look(path: string): Promise<KeptFile | null> {
	try {
		const { mode, uid, gid, atimeMs, mtimeMs } = await stat(path);
		const content = (await readFile(path)).toString("base64");
		return { content, mode: mode & 0o7777, uid, gid, times: [atimeMs / 1000, mtimeMs / 1000] };
	} catch (error) {
		if (errorCode(error) === "ENOENT") return null;
		throw error;
	}
}

/** Whole or not at all: with half of such a file nobody could log in. */
async function write(path: string, wanted: Omit<KeptFile, "times"> & { times: KeptFile["times"] | null }) {
	const temporary = unfinished(path);
	const file = await open(temporary, "w", 0o600);
	try {
		await file.writeFile(Buffer.from(wanted.content, "base64"));
		await file.sync();
	} finally {
		await file.close();
	}
	await chown(temporary, wanted.uid, wanted.gid);
	await chmod(temporary, wanted.mode);
	if (wanted.times) await utimes(temporary, ...wanted.times);
	await rename(temporary, path);
}
