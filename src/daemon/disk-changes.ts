import { rm } from "node:fs/promises";
import { z } from "zod";
import { readIfThere, writeFileAtomic } from "../host/files.ts";
import type { StoredServer } from "../store/servers.ts";
import type { Context } from "./context.ts";

const names = z.array(z.string().regex(/^[a-z][a-z0-9-]*$/));

/**
 * Writes down which data disks are about to be added or taken away: a daemon that is killed meanwhile would leave files
 * that nobody asks for, and that keep a disk of their name from being made.
 */
export async function beginDiskChanges(
	{ name }: StoredServer,
	disks: readonly string[],
	{ paths }: Context,
): Promise<void> {
	if (disks.length > 0) await writeFileAtomic(paths.server(name).changing, `${JSON.stringify(disks)}\n`);
}

/** They were added or taken away, or nothing has changed. */
export async function endDiskChanges({ name }: StoredServer, { paths }: Context): Promise<void> {
	await rm(paths.server(name).changing, { force: true });
}

/**
 * Removes what a killed daemon was about to remove, and what it had made and not kept yet: disks that it wrote down and
 * that the server does not have. Not while a session may have them.
 * @param inUse whether a session of the server may run
 */
export async function finishDiskChanges(
	stored: StoredServer,
	inUse: boolean,
	context: Context,
): Promise<void> {
	const files = context.paths.server(stored.name);
	const text = await readIfThere(files.changing);
	if (text === undefined || inUse) return;
	const own = (stored.definition.data ?? []).map(({ name }) => name);
	try {
		for (const disk of names.parse(JSON.parse(text)))
			if (!own.includes(disk)) await rm(files.disk(disk), { force: true });
	} catch (error) {
		context.log.error({ err: error, file: files.changing }, "this cannot be read; no disk is touched");
	}
	await endDiskChanges(stored, context);
}
