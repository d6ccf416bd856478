import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Lab } from "../lab.ts";
import { host, makePlaces, removePlaces } from "./places.ts";

/** The daemon of the installation works here, apart from any other on this machine. */
export const installationState = "/var/lib/bulkhead-installation";
/** Mirrors' lists, the medium and copies of disks. */
export const scratch = join(tmpdir(), "bulkhead-installation");

/** Ends and removes all that an installation makes, also what an earlier one left behind. @throws Error that says what is left */
export async function removeAll(lab: Lab): Promise<void> {
	try {
		if (existsSync(installationState)) {
			// After a restart of the machine there is no place for a daemon that could tidy up.
			if (!existsSync(`/run/netns/${host}`)) await makePlaces();
			await lab.disposeKept();
		}
	} finally {
		await removePlaces();
		await rm(scratch, { recursive: true, force: true });
	}
}
