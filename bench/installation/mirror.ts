import { run } from "../../src/host/command.ts";

/** A mirror of Debian: `url` without a slash at its end. */
export interface Mirror {
	url: string;
	release: string;
}

/** The release that is installed: Debian 13. */
const release = "trixie";
const fields = "$(ORIGIN) $(COMPONENT) $(REPO_URI) $(RELEASE)";

/**
 * The mirror that this host's own apt takes Debian from: the releases lie beside each other on it.
 * @throws Error when it takes Debian from none
 */
export async function hostMirror(): Promise<Mirror> {
	const { stdout } = await run("apt-get", ["indextargets", "--format", fields, "Created-By: Packages"], {
		deadlineMs: 30_000,
	});
	const url = mirrorIn(stdout);
	if (url !== undefined) return { url, release };
	throw new Error(
		"apt of this host has no source for Debian, main; add one to /etc/apt/sources.list, and run apt-get update",
	);
}

/** @param targets lines of `fields` */
export function mirrorIn(targets: string): string | undefined {
	return targets
		.split("\n")
		.map((line) => line.trim().split(" "))
		.find(
			([origin, component, , from = ""]) => origin === "Debian" && component === "main" && !/-/.test(from),
		)?.[2]
		?.replace(/\/+$/, "");
}

/** The proxy that this host's own apt uses for a mirror; undefined for none. */
export async function hostProxy(): Promise<string | undefined> {
	const { stdout } = await run("apt-config", ["shell", "proxy", "Acquire::http::Proxy"], {
		deadlineMs: 10_000,
	});
	return /^proxy='(http:[^']+)'$/m.exec(stdout)?.[1];
}
