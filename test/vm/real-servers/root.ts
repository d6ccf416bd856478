import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { run } from "../../../src/host/command.ts";

const packages = [
	...[
		"cups-daemon",
		"dovecot-imapd",
		"nginx-light",
		"openssh-server",
		"postfix",
		"postgresql",
		"slapd",
		"xrdp",
	],
	...["mariadb-client-core", "mariadb-server-core", "samba"],
	// What Debian takes for granted, as far as the servers' own scripts need it.
	...["bash", "coreutils", "dash", "diffutils", "findutils", "grep", "openssl", "sed"],
];

/**
 * A folder with these Debian packages and all that they need, unpacked and no more: nothing of them is installed on this
 * host, and no script of theirs has run, so that nothing of them was ever started. Made once (30 s, 600 MB).
 */
export async function debianRoot(): Promise<string> {
	const suite = /^VERSION_CODENAME=(.+)$/m.exec(await readFile("/etc/os-release", "utf8"))?.[1] ?? "bookworm";
	const hash = createHash("sha256")
		.update(`${suite} ${packages.join(" ")}`)
		.digest("hex")
		.slice(0, 12);
	const cache = join(process.env.BULKHEAD_CACHE ?? "/var/cache/bulkhead", "test");
	const root = join(cache, `servers-${hash}`);
	if (existsSync(root)) return root;
	const making = `${root}.${process.pid}`;
	try {
		await mkdir(making, { recursive: true });
		const options = ["--quiet", "--variant=extract", `--include=${packages.join(",")}`];
		await run("mmdebstrap", [...options, suite, making], { deadlineMs: 300_000 });
		// Mount points: nobody can make any later, as this is mounted read-only.
		for (const name of ["proc", "run"]) await mkdir(join(making, name), { recursive: true });
		await rename(making, root).catch((error) => {
			// Another run of the tests was faster.
			if (!existsSync(root)) throw error;
		});
	} finally {
		await rm(making, { recursive: true, force: true });
	}
	return root;
}
