import { existsSync } from "node:fs";
import { readFile, rm, writeFile } from "node:fs/promises";
import { run } from "../src/host/command.ts";
import { errorCode } from "../src/host/files.ts";

/** Where Debian's packages ask whether their services may be started: exit code 101 is no (invoke-rc.d(8)). */
const policyFile = "/usr/sbin/policy-rc.d";
const policy = `#!/bin/sh
# Bulkhead's benchmarks: no service is started while they install packages. Gone afterwards.
exit 101
`;

/**
 * Installs the Debian packages that only a benchmark needs, and says so; nothing when the programs are there. No service of
 * theirs is started.
 * @param programs absolute paths
 */
export async function installFor(programs: readonly string[], packages: readonly string[]): Promise<void> {
	if (programs.every((path) => existsSync(path))) return;
	console.log(`Installing Debian packages: ${packages.join(" ")}`);
	const env = { DEBIAN_FRONTEND: "noninteractive" };
	const words = ["install", "-y", "-q", "--no-install-recommends", ...packages];
	await withoutServices(async () => {
		await run("apt-get", ["update", "-qq"], { deadlineMs: 300_000, env });
		await run("apt-get", words, { deadlineMs: 600_000, env });
	});
}

/** Does something while no package may start a service. A policy of the machine's own stays, and decides. */
export async function withoutServices(work: () => Promise<void>, file = policyFile): Promise<void> {
	const ours = await makePolicy(file);
	try {
		await work();
	} finally {
		if (ours) await rm(file, { force: true });
	}
}

/** @returns whether it is ours: made now, or left by one of us that was killed */
async function makePolicy(file: string): Promise<boolean> {
	try {
		await writeFile(file, policy, { flag: "wx", mode: 0o755 });
		return true;
	} catch (error) {
		if (errorCode(error) !== "EEXIST") throw error;
		return (await readFile(file, "utf8")) === policy;
	}
}
