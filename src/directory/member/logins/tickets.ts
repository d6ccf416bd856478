import { mkdir, rmdir, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { run } from "../../../host/command.ts";
import { errorCode } from "../../../host/files.ts";
import { ownNumbers } from "../plan.ts";

/**
 * Where the tickets of who logs in are, and nothing else of the host. winbindd takes it for /tmp, where it puts them because
 * Debian's PAM says so: in the host's own it would see the sockets of others' programs, root's among them.
 */
export const ticketsFolder = "/run/bulkhead-tickets";

/** [MS-DTYP] 2.4.2.4: all users of a domain. winbindd, which makes a ticket's file as its user, is one as well. */
export const ticketsGroup = ownNumbers[0] + 513;

/**
 * The domain's users may make files in it and nobody but the owner may take them away; the host's own users may not, who
 * could have the name of somebody's ticket first. What a captured winbindd leaves there cannot be run.
 */
const options = `nosuid,nodev,noexec,mode=1771,uid=0,gid=${ticketsGroup},size=16m,nr_inodes=16384`;
const deadlineMs = 5000;

/** Makes it, which is gone after each boot, and leaves one that is there. @throws CommandError */
export async function makeTicketsFolder(): Promise<void> {
	await mkdir(ticketsFolder, { recursive: true, mode: 0o711 });
	if (await isMounted()) return;
	await run("mount", ["-t", "tmpfs", "-o", options, "bulkhead-tickets", ticketsFolder], { deadlineMs });
}

/** Removes it with all tickets. @throws CommandError */
export async function removeTicketsFolder(): Promise<void> {
	// Who is still logged in may have his working folder there.
	if (await isMounted()) await run("umount", ["--lazy", ticketsFolder], { deadlineMs });
	await rmdir(ticketsFolder).catch((error: unknown) => {
		if (errorCode(error) !== "ENOENT") throw error;
	});
}

async function isMounted(): Promise<boolean> {
	const devices = await Promise.all([ticketsFolder, dirname(ticketsFolder)].map(deviceOf));
	return devices[0] !== undefined && devices[0] !== devices[1];
}

async function deviceOf(path: string): Promise<number | undefined> {
	return await stat(path).then(
		({ dev }) => dev,
		(error: unknown) => {
			if (errorCode(error) === "ENOENT") return undefined;
			throw error;
		},
	);
}
