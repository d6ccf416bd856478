import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";

const kept = 20;

/**
 * Removes the folders of a server's sessions that are long over; the last twenty stay, and each that lives: a session may
 * run for a year while others stand by for it and are made anew.
 * @param folder has a folder for each session, with its number for a name
 */
export async function forgetOldSessions(
	folder: string,
	newest: number,
	lives: (number: number) => Promise<boolean>,
): Promise<void> {
	for (const name of await readdir(folder)) {
		const number = Number(name);
		if (number <= newest - kept && !(await lives(number))) await rm(join(folder, name), { recursive: true });
	}
}
