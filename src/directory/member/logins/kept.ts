import { chmod, chown, lstat, open, readFile, realpath, rename, rm, stat, utimes } from "node:fs/promises";
import { dirname } from "node:path";
import { z } from "zod";
import { BulkheadError, explain } from "../../../api/errors.ts";
import { errorCode, readIfThere, syncFolder, writeFileAtomic } from "../../../host/files.ts";
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
		const path = await placeOf(edit.path);
		const before = await look(path);
		const text = before && decoded(before.content);
		const after = edit.apply(text);
		if (after !== text) kept.push({ name: edit.path, path, before, after: encoded(after) });
	}
	await writeFileAtomic(record, `${JSON.stringify(kept)}\n`, 0o600);
	const fresh = { mode: 0o644, uid: 0, gid: 0 };
	for (const { path, before, after } of kept)
		await write(path, { ...fresh, ...before, content: after, times: null });
}

/** @returns whether files were changed that this record keeps, and are still */
export async function isChanged(record: string): Promise<boolean> {
	return (await readIfThere(record)) !== undefined;
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
	for (const { name, path, before, after } of recordFrom(text, record)) {
		await rm(unfinished(path), { force: true });
		const now = await look(path);
		if (now?.content === before?.content) continue;
		if (now?.content === after) {
			await (before ? write(path, before) : remove(path));
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
	const text = decoded(now.content);
	const rest = edit.retract(text, before && decoded(before.content));
	if (before === null && rest.trim() === "") await remove(path);
	else if (rest !== text) await write(path, { ...now, content: encoded(rest), times: null });
}

/** @throws Error with what a person can do instead */
function recordFrom(text: string, record: string): Kept {
	try {
		return keptSchema.parse(JSON.parse(text));
	} catch (error) {
		throw new Error(
			`what files of the host were before cannot be read from ${record} (${explain(error)}); put it right, or take the lines from "# bulkhead: begin" to "# bulkhead: end" out of /etc/pam.d, /etc/security/pam_winbind.conf and /etc/resolv.conf yourself and delete it`,
		);
	}
}

/** @returns where a link leads, so that it stays one. @throws BulkheadError when that is nowhere */
async function placeOf(path: string): Promise<string> {
	const found = await realpath(path).catch(() => undefined);
	if (found !== undefined) return found;
	const isLink = await lstat(path).then(
		(facts) => facts.isSymbolicLink(),
		() => false,
	);
	if (isLink)
		throw new BulkheadError("host-lacks", `${path} is a link that leads nowhere; put it right first`);
	return path;
}

/** Each byte is a character of its own: files of others are in any encoding, and are to come out as they went in. */
function decoded(content: string): string {
	return Buffer.from(content, "base64").toString("latin1");
}

function encoded(text: string): string {
	return Buffer.from(text, "latin1").toString("base64");
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
	// Before the record goes: after a power cut that would be gone, and this not done.
	await syncFolder(dirname(path));
}

async function remove(path: string): Promise<void> {
	await rm(path);
	await syncFolder(dirname(path));
}
