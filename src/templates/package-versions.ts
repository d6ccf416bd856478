import { setTimeout as delay } from "node:timers/promises";
import { CommandError, run } from "../host/command.ts";

const answersWithinMs = 30_000;
/** How long another program may take to put new lists of packages in place. */
const listsAreThereWithinMs = 60_000;
const againAfterMs = 500;
/** What apt-cache 2.6 says when a list was changed while it read: it takes no lock (seen beside `apt-get update`). */
const changedMeanwhile = /Cache is out of sync/;

/**
 * The versions of Debian packages that would be installed now, a line for each: `samba=2:4.17.12+dfsg-0+deb12u4`. Lists of
 * packages that are just being fetched, as Debian does by itself each day, are waited for.
 * @throws CommandError
 */
export async function packageVersions(packages: readonly string[], signal?: AbortSignal): Promise<string> {
	const end = performance.now() + listsAreThereWithinMs;
	for (;;) {
		try {
			return candidatesOf(await askApt(packages, signal));
		} catch (error) {
			const again = error instanceof CommandError && changedMeanwhile.test(error.stderr);
			if (!again || performance.now() > end) throw error;
		}
		await delay(againAfterMs, undefined, signal ? { signal } : {});
	}
}

async function askApt(packages: readonly string[], signal: AbortSignal | undefined): Promise<string> {
	const { stdout } = await run("apt-cache", ["policy", ...packages], {
		deadlineMs: answersWithinMs,
		env: { LC_ALL: "C" },
		...(signal ? { signal } : {}),
	});
	return stdout;
}

function candidatesOf(policy: string): string {
	return [...policy.matchAll(/^(\S+):\n.*\n\s+Candidate: (.*)$/gm)]
		.map((match) => `${match[1]}=${match[2]}`)
		.join("\n");
}
