import { existsSync } from "node:fs";
import { run } from "../src/host/command.ts";

/**
 * Installs the Debian packages that only a benchmark needs, and says so; nothing when the programs are there.
 * @param programs absolute paths
 */
export async function installFor(programs: readonly string[], packages: readonly string[]): Promise<void> {
	if (programs.every((path) => existsSync(path))) return;
	console.log(`Installing Debian packages: ${packages.join(" ")}`);
	const env = { DEBIAN_FRONTEND: "noninteractive" };
	const words = ["install", "-y", "-q", "--no-install-recommends", ...packages];
	await run("apt-get", ["update", "-qq"], { deadlineMs: 300_000, env });
	await run("apt-get", words, { deadlineMs: 600_000, env });
}
