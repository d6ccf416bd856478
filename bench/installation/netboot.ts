import { mkdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { CommandError, run } from "../../src/host/command.ts";
import type { Apt } from "./apt.ts";

const slow = { deadlineMs: 300_000 };
const name = "debian-installer-13-netboot-amd64";
const inPackage = "usr/lib/debian-installer/images/13/amd64/text/debian-installer/amd64";
const keyringPath = "usr/share/keyrings/debian-archive-keyring.pgp";

/** Debian's installer as a tree for the network, and what has to be known of it. */
export interface Netboot {
	version: string;
	tree: string;
	/** Its kernel's version, as in the names of module packages. */
	kernel: string;
	/** Packages that it brings along. */
	packages: ReadonlySet<string>;
	/** Path and contents of the keyring that it checks suites with. */
	keyring: { path: string; bytes: Buffer };
}

/**
 * Gets the newest installer whose kernel modules the mirror has. In the days of a point release a mirror may list one that
 * runs ahead of its modules: then it is the one before.
 * @param modules packages of modules that the mirror lists, with their paths
 * @throws Error when there is none
 */
export async function netboot(
	apt: Apt,
	modules: ReadonlyMap<string, string>,
	folder: string,
	signal: AbortSignal,
): Promise<Netboot> {
	const { version, path } = await apt.listed(name);
	const [, base = "", update = "0"] = /^(.*?deb13u)(\d+)$/.exec(version) ?? [];
	for (let number = Number(update); number > 0 && number > Number(update) - tries; number--) {
		const found = await unpacked(
			apt,
			path.replaceAll(version, `${base}${number}`),
			`${base}${number}`,
			folder,
			signal,
		);
		if (found && (await has(apt, modules.get(`ext4-modules-${found.kernel}-di`), folder, signal)))
			return found;
	}
	throw new Error(
		`the mirror has no kernel modules for ${name} ${version}, nor for the ${tries - 1} before it`,
	);
}

const tries = 4;

/** Takes two files out of the initial RAM disk, and tells the version of its kernel. */
const lookInside = `set -e; mkdir "$2"; cd "$2"
zcat "$1/initrd.gz" | cpio -id --quiet var/lib/dpkg/status "$3"
zcat "$1/initrd.gz" | cpio -t --quiet | sed -n "s,^usr/lib/modules/\\([^/]*\\)$,\\1,p"`;

async function unpacked(
	apt: Apt,
	path: string,
	version: string,
	work: string,
	signal: AbortSignal,
): Promise<Netboot | undefined> {
	const folder = join(work, "netboot");
	await rm(folder, { recursive: true, force: true });
	await mkdir(folder, { recursive: true });
	const file = join(folder, "package.deb");
	if (!(await got(apt, path, file, signal))) return undefined;
	await run("dpkg-deb", ["-x", file, folder], { ...slow, signal });
	const tree = join(folder, inPackage);
	const { stdout } = await run(
		"bash",
		["-c", lookInside, "bash", tree, join(folder, "initrd"), keyringPath],
		{
			...slow,
			signal,
		},
	);
	const status = await readFile(join(folder, "initrd/var/lib/dpkg/status"), "utf8");
	return {
		...{ version, tree, kernel: stdout.trim() },
		packages: new Set([...status.matchAll(/^Package: (.*)$/gm)].map(([, one = ""]) => one)),
		keyring: { path: keyringPath, bytes: await readFile(join(folder, "initrd", keyringPath)) },
	};
}

async function has(
	apt: Apt,
	path: string | undefined,
	folder: string,
	signal: AbortSignal,
): Promise<boolean> {
	return path !== undefined && (await got(apt, path, join(folder, "modules.udeb"), signal));
}

async function got(apt: Apt, path: string, file: string, signal: AbortSignal): Promise<boolean> {
	return await apt.file(path, file, signal).then(
		() => true,
		(error: unknown) => {
			if (!(error instanceof CommandError) || signal.aborted) throw error;
			return false;
		},
	);
}
