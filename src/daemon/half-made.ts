import { lstat, rmdir, stat } from "node:fs/promises";
import { listIfThere, readIfThere } from "../host/files.ts";
import type { Context } from "./context.ts";
import { removeRemains } from "./remains.ts";

/**
 * Removes servers that were being made or deleted when the daemon ended. A folder of any other kind is left alone, and so is
 * one that cannot be removed: that keeps no other server from running, and is told.
 * @param isKnown whether a server is one that is there, or may be
 */
export async function removeHalfMade(context: Context, isKnown: (name: string) => boolean): Promise<void> {
	for (const name of await context.servers.names()) {
		if (isKnown(name)) continue;
		const { folder } = context.paths.server(name);
		await removeOne(name, context).catch((error) =>
			context.log.error(
				{ err: error, folder },
				"what is left of a server cannot be removed; it is left alone",
			),
		);
	}
}

async function removeOne(name: string, context: Context): Promise<void> {
	const { folder, unfinished } = context.paths.server(name);
	if ((await readIfThere(unfinished)) !== undefined) await removeRemains(name, context);
	else if ((await isPlain(folder, context)) && (await listIfThere(folder)).length === 0) await rmdir(folder);
	else context.log.warn({ folder }, "this folder holds no server.yaml; it is left alone");
}

/** A link may lead to a disk that is not mounted now, and one that is mounted there may be empty: neither is ours to remove. */
async function isPlain(folder: string, { paths }: Context): Promise<boolean> {
	const [facts, servers] = [await lstat(folder), await stat(paths.servers)];
	return facts.isDirectory() && facts.dev === servers.dev;
}
