import { rename, rm } from "node:fs/promises";
import { errorCode } from "../host/files.ts";
import type { Context } from "./context.ts";

/**
 * From here on a server is one that is half there: what cannot be removed at once the next daemon removes. Its definition
 * becomes the mark of that, in one step, so that nobody ever finds a server with some of its files.
 */
export async function markGone(name: string, { paths }: Context): Promise<void> {
	const { definition, unfinished } = paths.server(name);
	await rename(definition, unfinished).catch((error: unknown) => {
		// One that could not be made never had one.
		if (errorCode(error) !== "ENOENT") throw error;
	});
}

/** Removes the files of a server that is gone, and what is kept of its users; its own folder, which tells of it, last. */
export async function removeRemains(name: string, { paths, history, log }: Context): Promise<void> {
	// Another server of the same name is not to begin with its users.
	await history
		.forgetTraffic(name)
		.catch((error) => log.warn({ err: error }, "the traffic of a deleted server is still kept"));
	for (const path of [paths.door(name), paths.names(name), paths.server(name).folder])
		await rm(path, { recursive: true, force: true });
}
