import { rm } from "node:fs/promises";
import { z } from "zod";
import { readIfThere, writeFileAtomic } from "../host/files.ts";
import type { StoredServer } from "../store/servers.ts";
import type { Context } from "./context.ts";

const names = z.array(z.string().regex(/^[a-z][a-z0-9-]*$/));

/**
 * Writes down which data disks are about to be added or taken away: a daemon that is killed meanwhile would leave files
 * that nobody asks for, and that keep a disk of their name from being made. What an earlier daemon wrote down, and nobody
 * could remove yet, stays written down.
 * @param stored as it is before the change
 */
export async function beginDiskChanges(
	stored: StoredServer,
	disks: readonly string[],
	context: Context,
): Promise<void> {
	if (disks.length > 0) await write(stored, [...(await leftOf(stored, context)), ...disks], context);
}

/** They were added or taken away, or nothing has changed. What else is written down is no matter of this change. */
export async function endDiskChanges(
	stored: StoredServer,
	disks: readonly string[],
	context: Context,
): Promise<void> {
	if (disks.length === 0) return;
	const marked = await read(stored, context);
	await write(
		stored,
		marked.filter((disk) => !disks.includes(disk)),
		context,
	);
}

/**
 * Removes what a killed daemon was about to remove, and what it had made and not kept yet: disks that it wrote down and
 * that the server does not have. Not while a session may have them.
 * @param inUse whether a session of the server may run
 * @returns the names of those that are left for that
 */
export async function finishDiskChanges(
	stored: StoredServer,
	inUse: boolean,
	context: Context,
): Promise<string[]> {
	const left = await leftOf(stored, context);
	if (inUse) return left;
	const { disk } = context.paths.server(stored.name);
	for (const name of left) await rm(disk(name), { force: true });
	await write(stored, [], context);
	return [];
}

/** What is written down and not the server's: a change that did not take it away has not happened. */
async function leftOf(stored: StoredServer, context: Context): Promise<string[]> {
	const own = (stored.definition.data ?? []).map(({ name }) => name);
	return (await read(stored, context)).filter((disk) => !own.includes(disk));
}

async function read({ name }: StoredServer, { paths, log }: Context): Promise<string[]> {
	const { changing } = paths.server(name);
	const text = await readIfThere(changing);
	if (text === undefined) return [];
	try {
		return names.parse(JSON.parse(text));
	} catch (error) {
		log.error({ err: error, file: changing }, "this cannot be read; no disk is touched");
		return [];
	}
}

async function write({ name }: StoredServer, disks: readonly string[], { paths }: Context): Promise<void> {
	const { changing } = paths.server(name);
	if (disks.length === 0) return await rm(changing, { force: true });
	await writeFileAtomic(changing, `${JSON.stringify([...new Set(disks)])}\n`);
}
