import { createHash } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { CommandError, run } from "../../src/host/command.ts";
import type { Apt } from "./apt.ts";
import type { Mirror } from "./mirror.ts";
import type { Netboot } from "./netboot.ts";

/**
 * The packages that Debian's installer is made of (udebs) as a suite of their own, for one installer. A mini.iso loads most of
 * itself from a mirror, and finds there what fits its kernel only for as long as the mirror has not gone on to the next one.
 * So the suite has what this installer needs, and nothing else, and is signed with a key of its own; the system that is
 * installed comes from the mirror itself, under Debian's signatures.
 */
export const suite = "bulkhead-installer";
const component = "main/debian-installer/binary-amd64";
const slow = { deadlineMs: 300_000 };

/** What an installation onto one ext4 partition with GRUB is made of; the rest follows from dependencies. */
const wanted = (kernel: string) => [
	...[
		"apt-setup-udeb",
		"apt-mirror-setup",
		"base-installer",
		"bootstrap-base",
		"clock-setup",
		"tzsetup-udeb",
	],
	...["user-setup-udeb", "finish-install", "pkgsel", "grub-installer", "eatmydata-udeb", "di-utils-mapdevfs"],
	...["disk-detect", "partman-base", "partman-auto", "partman-basicfilesystems", "partman-basicmethods"],
	...["partman-partitioning", "partman-ext3", "partman-target", `ext4-modules-${kernel}-di`],
	...[`scsi-core-modules-${kernel}-di`, `scsi-modules-${kernel}-di`],
];

interface Udeb {
	name: string;
	text: string;
	fields: ReadonlyMap<string, string>;
}

/** @returns all that the mirror lists. @throws CommandError */
export async function listedUdebs(
	apt: Apt,
	{ release }: Mirror,
	folder: string,
	signal: AbortSignal,
): Promise<Udeb[]> {
	const packed = join(folder, "listed.xz");
	await apt.file(`dists/${release}/${component}/Packages.xz`, packed, signal);
	return parseUdebs((await run("xz", ["-dc", packed], { ...slow, signal })).stdout);
}

/**
 * Makes the suite in a folder: `dists` and `pool` below it.
 * @returns the public key that it is signed with, as part of a keyring
 * @throws CommandError; Error that says which package the mirror does not have
 */
export async function makeInstallerSuite(
	{ apt, listed, netboot }: { apt: Apt; listed: readonly Udeb[]; netboot: Netboot },
	folder: string,
	signal: AbortSignal,
): Promise<Buffer> {
	const fits = ({ fields }: Udeb) => (fields.get("Kernel-Version") ?? netboot.kernel) === netboot.kernel;
	const needed = closure(listed.filter(fits), wanted(netboot.kernel), netboot.packages);
	await mkdir(join(folder, "pool"), { recursive: true });
	const texts: string[] = [];
	for (const udeb of needed) texts.push(await take(udeb, apt, folder, signal));
	return await publish(`${texts.join("\n\n")}\n`, folder, signal);
}

/** Gets one package. @returns its paragraph for the list of the suite */
async function take(udeb: Udeb, apt: Apt, folder: string, signal: AbortSignal): Promise<string> {
	const path = join(folder, "pool", `${udeb.name}.udeb`);
	const filename = udeb.fields.get("Filename") ?? "";
	try {
		await apt.file(filename, path, signal);
	} catch (error) {
		if (!(error instanceof CommandError) || signal.aborted) throw error;
		if (udeb.name !== "e2fsprogs-udeb")
			throw new Error(`the mirror does not have ${filename}`, { cause: error });
		await remakeFileSystemTools(udeb, path, apt, join(folder, "remade"), signal);
	}
	const bytes = await readFile(path);
	return [
		controlOf(udeb),
		`Filename: pool/own/${udeb.name}.udeb`,
		`Size: ${bytes.length}`,
		`SHA256: ${sha256(bytes)}`,
	].join("\n");
}

/** A paragraph without what says where its package lies. */
function controlOf({ text }: Udeb): string {
	return text
		.split("\n")
		.filter((line) => !/^(Filename|Size|MD5sum|SHA1|SHA256|Description-md5):/.test(line))
		.join("\n");
}

/** Some mirrors lack the installer's copy of these tools; the same programs are in the packages for installed systems. */
async function remakeFileSystemTools(
	udeb: Udeb,
	path: string,
	apt: Apt,
	work: string,
	signal: AbortSignal,
): Promise<void> {
	const [all, root] = [join(work, "all"), join(work, "root")];
	await mkdir(all, { recursive: true });
	for (const name of ["e2fsprogs", "libext2fs2t64", "libcom-err2"]) await apt.unpack(name, all, signal);
	await mkdir(join(root, "DEBIAN"), { recursive: true });
	await writeFile(join(root, "DEBIAN/control"), `${controlOf(udeb)}\n`);
	const keep = ["etc/mke2fs.conf", ...tools.map((name) => `usr/sbin/${name}`), "usr/lib/x86_64-linux-gnu"];
	await run("cp", ["-a", "--parents", ...keep, root], { cwd: all, ...slow, signal });
	await run("dpkg-deb", ["--root-owner-group", "-Zxz", "--build", root, path], { ...slow, signal });
}

const tools = [
	"mke2fs",
	"mkfs.ext2",
	"mkfs.ext3",
	"mkfs.ext4",
	"e2fsck",
	"fsck.ext2",
	"fsck.ext3",
	"fsck.ext4",
	"tune2fs",
	"resize2fs",
];

/** Writes the lists of the suite, and signs them. */
async function publish(packages: string, folder: string, signal: AbortSignal): Promise<Buffer> {
	const dists = join(folder, "dists");
	await mkdir(join(dists, component), { recursive: true });
	await writeFile(join(dists, component, "Packages"), packages);
	const bytes = Buffer.from(packages);
	const release = [
		...["Origin: Bulkhead", `Suite: ${suite}`, `Codename: ${suite}`, `Date: ${new Date().toUTCString()}`],
		...["Architectures: amd64", "Components: main", "SHA256:"],
		` ${sha256(bytes)} ${bytes.length} ${component}/Packages`,
	];
	await writeFile(join(dists, "Release"), `${release.join("\n")}\n`);
	const home = join(folder, "gnupg");
	await mkdir(home, { mode: 0o700 });
	const gpg = async (...args: string[]) => {
		const fixed = [
			"--homedir",
			home,
			"--batch",
			"--quiet",
			"--pinentry-mode",
			"loopback",
			"--passphrase",
			"",
		];
		await run("gpg", [...fixed, ...args], { ...slow, signal });
	};
	try {
		await gpg("--quick-gen-key", "installation", "rsa3072", "sign", "1d");
		await gpg("--detach-sign", "--output", join(dists, "Release.gpg"), join(dists, "Release"));
		await gpg("--export", "--output", join(folder, "key.gpg"));
	} finally {
		await run("gpgconf", ["--homedir", home, "--kill", "all"], slow);
	}
	return await readFile(join(folder, "key.gpg"));
}

const sha256 = (bytes: Buffer) => createHash("sha256").update(bytes).digest("hex");

/** `ntfs-3g-udeb` looks at systems that are on the disk already, of which there is none. */
export function parseUdebs(packages: string): Udeb[] {
	return packages
		.split("\n\n")
		.filter((text) => text.trim() !== "")
		.map((paragraph) => {
			const text = paragraph.replace(/^Depends: .*$/m, (line) =>
				line.replace(/(?<=[ ,])ntfs-3g-udeb\b[^,]*(, |$)/, ""),
			);
			const fields = new Map(
				[...text.matchAll(/^([A-Za-z0-9-]+): (.*)$/gm)].map(([, key = "", value = ""]) => [key, value]),
			);
			return { name: fields.get("Package") ?? "", text: text.trim(), fields };
		});
}

/** @throws Error for what is wanted and not listed */
export function closure(
	listed: readonly Udeb[],
	roots: readonly string[],
	installed: ReadonlySet<string>,
): Udeb[] {
	const byName = new Map(listed.map((udeb) => [udeb.name, udeb]));
	const providers = new Map(
		listed.flatMap((udeb) =>
			namesIn(udeb.fields.get("Provides"))
				.flat()
				.map((name) => [name, udeb.name] as const),
		),
	);
	const found = new Map<string, Udeb>();
	const todo = [...roots];
	for (let name = todo.pop(); name !== undefined; name = todo.pop()) {
		if (found.has(name)) continue;
		const udeb = byName.get(name);
		if (!udeb) throw new Error(`the mirror lists no ${name} for this installer`);
		found.set(name, udeb);
		for (const choices of namesIn(udeb.fields.get("Depends"))) {
			if (choices.some((one) => installed.has(one))) continue;
			const chosen = choices.find((one) => byName.has(one)) ?? providers.get(choices[0] ?? "");
			if (chosen !== undefined) todo.push(chosen);
		}
	}
	return [...found.values()].sort((a, b) => a.name.localeCompare(b.name));
}

/** `a (>= 1) | b, c` as [[a, b], [c]]. */
function namesIn(dependencies = ""): string[][] {
	return dependencies
		.split(",")
		.map((one) => one.split("|").map((choice) => choice.trim().replace(/[ (:].*$/, "")))
		.map((choices) => choices.filter((name) => name !== ""))
		.filter((choices) => choices.length > 0);
}
