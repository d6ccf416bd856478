import { rm } from "node:fs/promises";
import { join } from "node:path";
import { BulkheadError } from "../../../api/errors.ts";
import { ControlGroup, listGroups } from "../../../host/cgroup.ts";
import { listIfThere } from "../../../host/files.ts";
import { FrontDoor } from "../../../network/front-door/process.ts";
import { type Context, groupOwner, groupRoot } from "../../context.ts";

/**
 * Ends front doors of a server that nobody asks for, and removes all that they have: those of a daemon that was ended
 * between opening one and keeping that it is published, and those of versions that had one a server.
 * @param wanted ports of the host whose front doors stay
 * @throws BulkheadError when one does not end, even when killed
 */
export async function endStrays(
	context: Context,
	server: string,
	wanted: ReadonlySet<number>,
): Promise<void> {
	const folder = context.paths.door(server);
	await FrontDoor.endIn(folder);
	for (const name of await listIfThere(folder)) {
		if (wanted.has(Number(name))) continue;
		const path = join(folder, name);
		if (/^\d+$/.test(name)) await FrontDoor.endIn(path);
		await rm(path, { recursive: true, force: true });
	}
	if (wanted.size === 0) await rm(folder, { recursive: true, force: true });
	const root = groupRoot(context.paths);
	for (const name of await listGroups(root, context.groups)) {
		const owner = groupOwner(name);
		if (owner?.kind !== "door" || owner.server !== server) continue;
		if (owner.listen !== undefined && wanted.has(owner.listen)) continue;
		await destroyGroup(`${root}/${name}`, context);
	}
}

/** Ends everything in a group, and removes it. @throws BulkheadError when a process does not end */
export async function destroyGroup(path: string, context: Context): Promise<void> {
	const pids = await ControlGroup.at(path, context.groups).destroy();
	if (pids.length === 0) return;
	const message = `process ${pids.join(", ")} of a front door does not end, even when killed`;
	throw new BulkheadError("internal", message);
}
