import { chmod, chown, rename, rm } from "node:fs/promises";
import { BulkheadError } from "../../api/errors.ts";
import { syncFile, syncFolder } from "../../host/files.ts";
import { inside } from "../../qemu/hardware.ts";
import { createOverlay } from "../../qemu/image.ts";
import { flattenOverlay } from "../../qemu/images/flatten.ts";
import type { ServerPaths } from "../../store/paths.ts";
import type { StoredServer } from "../../store/servers.ts";
import { qemuUid } from "../resolve.ts";
import { refuseWithoutRoom, sizeOnDisk } from "../room.ts";

/** Makes the overlay that takes the changes of a disposable system disk. @throws BulkheadError when that is kept */
export async function beginChanges(server: StoredServer, paths: ServerPaths): Promise<void> {
	if (server.installed.systemDisk === "kept") {
		throw new BulkheadError(
			"not-allowed-now",
			`the system disk of ${server.name} is kept: whatever is changed while it runs stays; nothing has to be begun`,
		);
	}
	await rm(paths.changes, { force: true });
	await createOverlay(paths.changes, `${inside.disks}/system.qcow2`, server.installed.systemBytes);
	await own(paths.changes, server);
}

/**
 * Makes the changes part of the system disk, which is replaced in one step: before it the old one is there whole, after it
 * the new one, also when the host's power fails. They stay beside it until `dropChanges`: done again this does no harm.
 * @param uid user that reads what a session has written
 * @throws BulkheadError disk-full, ImageError
 */
export async function keepChanges(server: StoredServer, paths: ServerPaths, uid: number): Promise<void> {
	const system = paths.disk("system");
	const draft = `${paths.changes}.draft`;
	await refuseWithoutRoom(paths.disks, await sizeOnDisk([system, paths.changes]));
	try {
		await flattenOverlay(paths.changes, system, draft, { uid, bytes: server.installed.systemBytes });
		await own(draft, server);
		// What qemu-img has written is the kernel's to write down, when it likes; the rename may be earlier.
		await syncFile(draft);
		await rename(draft, system);
		await syncFolder(paths.disks);
	} finally {
		await rm(draft, { force: true });
	}
}

/** Takes away what was changed, once nobody counts on it. */
export async function dropChanges(paths: ServerPaths): Promise<void> {
	await rm(paths.changes, { force: true });
}

async function own(path: string, server: StoredServer): Promise<void> {
	await chown(path, qemuUid(server), qemuUid(server));
	await chmod(path, 0o600);
}
