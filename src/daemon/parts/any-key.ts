import { stat } from "node:fs/promises";
import type { StoredServer } from "../../store/servers.ts";
import { drivesOf } from "../resolve.ts";

/** As long as the firmware may take until the disc is asked; nobody is before the screen who would be disturbed. */
const pressedForMs = 90_000;
const everyMs = 1000;
/** What an image takes that nobody has written a system to. */
const emptyBytes = 4 * 2 ** 20;

/**
 * Whether the disc that a server boots from waits for somebody: Microsoft's media begin only when a key is pressed within 5 s of
 * "Press any key to boot from CD or DVD", with UEFI also when the disk is empty.
 */
export async function asksForKey(server: StoredServer, systemDisk: string): Promise<boolean> {
	if (server.definition.install?.answers === undefined) return false;
	const installer = drivesOf(server).find(({ name }) => name === "installer");
	if (!installer || installer.file === null) return false;
	return (await stat(systemDisk)).blocks * 512 < emptyBytes;
}

/**
 * Presses the space bar, which means nothing to the firmware, until the time is over or the session has gone.
 * @param press rejects when there is no session any more
 * @returns how often it was pressed
 */
export async function pressAnyKey(
	press: (keys: readonly string[]) => Promise<void>,
	sleep: (ms: number) => Promise<void>,
): Promise<number> {
	for (let pressed = 0; ; pressed++) {
		if (pressed * everyMs >= pressedForMs) return pressed;
		try {
			await press(["spc"]);
		} catch {
			// The session has ended, or its monitor has gone; whoever watches it tells of that.
			return pressed;
		}
		await sleep(everyMs);
	}
}
