import { copyFile, cp, mkdir, mkdtemp, open, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { run } from "../../src/host/command.ts";

/** Debian's installer as it is started from the network (package debian-installer-12-netboot-amd64). */
const debian12 = "/usr/lib/debian-installer/images/12/amd64/text/debian-installer/amd64";
/** The boot loader for CDs, of the same Syslinux that the installer's menu was built with (package isolinux). */
const isolinux = "/usr/lib/ISOLINUX/isolinux.bin";

export interface MiniIsoOptions {
	/** The installer's answers: a preseed.cfg, which it finds in its initial RAM disk and reads by itself. */
	preseed?: string;
	/** Further files for its initial RAM disk, by their paths in there; they replace its own. */
	files?: Readonly<Record<string, Buffer>>;
	/** The folder of another installer's kernel, initial RAM disk and boot menu. */
	tree?: string;
}

/**
 * Makes Debian's mini.iso of the files that Debian makes its own of: kernel, initial RAM disk and boot menu, all in the
 * root folder, started by ISOLINUX (BIOS). The menu waits for a key for ever; Escape leads to a prompt that takes a
 * menu entry's label (`install`, `expert`, `auto`, `rescue`) and further parameters.
 *
 * @param to path of the ISO image; an existing one is replaced
 * @throws CommandError, or an error that names the file of a missing package
 */
export async function miniIso(
	to: string,
	{ preseed, files = {}, tree = debian12 }: MiniIsoOptions = {},
): Promise<void> {
	await using undo = new AsyncDisposableStack();
	const work = await mkdtemp(join(tmpdir(), "mini-iso-"));
	undo.defer(async () => await rm(work, { recursive: true, force: true }));
	const disc = join(work, "disc");
	await mkdir(disc);
	await copyMenu(tree, disc);
	await copyFile(join(tree, "linux"), join(disc, "linux"));
	await copyFile(join(tree, "initrd.gz"), join(disc, "initrd.gz"));
	await copyFile(isolinux, join(disc, "isolinux.bin"));
	const added = { ...files, ...(preseed === undefined ? {} : { "preseed.cfg": Buffer.from(preseed) }) };
	if (Object.keys(added).length > 0) await addFiles(join(disc, "initrd.gz"), added, work);
	await run("xorriso", ["-as", "mkisofs", "-quiet", "-r", "-J", ...bootedByBios, "-o", to, disc], {
		deadlineMs: 120_000,
	});
}

const bootedByBios = [
	...["-c", "boot.cat", "-b", "isolinux.bin"],
	...["-no-emul-boot", "-boot-load-size", "4", "-boot-info-table"],
];

/** The menu's files name each other by their path in the network tree; on the disc they lie in the root folder. */
async function copyMenu(tree: string, disc: string): Promise<void> {
	const screens = join(tree, "boot-screens");
	await cp(screens, disc, { recursive: true });
	for (const file of (await readdir(disc)).filter((name) => name.endsWith(".cfg"))) {
		const text = await readFile(join(disc, file), "utf8");
		await writeFile(
			join(disc, file),
			text.replaceAll(/debian-installer\/amd64\/(?:boot-screens\/)?/g, "").replace(/^path $/m, "path /"),
		);
	}
	await copyFile(join(disc, "syslinux.cfg"), join(disc, "isolinux.cfg"));
}

/** Linux unpacks archives that follow each other one over the other: what is added is one of its own, behind the installer's. */
async function addFiles(
	initrd: string,
	files: Readonly<Record<string, Buffer>>,
	work: string,
): Promise<void> {
	const folder = join(work, "added");
	for (const [path, bytes] of Object.entries(files)) {
		await mkdir(dirname(join(folder, path)), { recursive: true });
		await writeFile(join(folder, path), bytes, { mode: 0o644 });
	}
	const archive = join(work, "added.cpio");
	// Folders that are not named are there already, and stay as they are.
	await run("cpio", ["--quiet", "-o", "-H", "newc", "-R", "0:0", "-O", archive], {
		cwd: folder,
		deadlineMs: 30_000,
		input: `${Object.keys(files).join("\n")}\n`,
	});
	await appendAligned(initrd, await readFile(archive));
}

/** An archive that is not packed begins at a multiple of four bytes. */
async function appendAligned(path: string, bytes: Uint8Array): Promise<void> {
	await using file = await open(path, "a");
	const { size } = await file.stat();
	await file.writeFile(Buffer.concat([Buffer.alloc((4 - (size % 4)) % 4), bytes]));
}
