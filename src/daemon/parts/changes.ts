import { chmod, chown, rename, rm } from "node:fs/promises";
import { BulkheadError } from "../../api/errors.ts";
import { inside } from "../../qemu/hardware.ts";
import { createOverlay, flattenOverlay } from "../../qemu/image.ts";
import type { ServerPaths } from "../../store/paths.ts";
import type { StoredServer } from "../../store/servers.ts";
import { qemuUid } from "../resolve.ts";

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
 * Makes the changes part of the system disk, or throws them away. The system disk is replaced in one step: before it the
 * old one is there whole, after it the new one.
 */
export async function endChanges(server: StoredServer, paths: ServerPaths, keep: boolean): Promise<void> {
	if (keep) {
		const draft = `${paths.changes}.draft`;
		try {
			await flattenOverlay(paths.changes, paths.disk("system"), draft);
			await own(draft, server);
			await rename(draft, paths.disk("system"));
		} finally {
			await rm(draft, { force: true });
		}
	}
	await rm(paths.changes, { force: true });
}

async function own(path: string, server: StoredServer): Promise<void> {
	await chown(path, qemuUid(server), qemuUid(server));
	await chmod(path, 0o600);
}
