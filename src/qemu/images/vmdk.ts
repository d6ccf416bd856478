import { lstat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { errorCode } from "../../host/files.ts";
import { FileWindow, openUnknown } from "../../host/window.ts";
import { ImageError } from "../image.ts";
import { cutOff, longestDescriptor } from "./formats.ts";
import { checkSparse } from "./vmdk-sparse.ts";

/** VMDK as VMware's "Virtual Disk Format 5.0" says it. */

const sector = 512;
/** Disks that are split are so at 2 GiB. */
const mostExtents = 1024;
const wholeKinds = ["monolithicSparse", "streamOptimized"];
const partKinds = ["monolithicFlat", "twoGbMaxExtentSparse", "twoGbMaxExtentFlat", "vmfs"];

export interface Extent {
	/** File beside the descriptor; undefined for one that is all zeros. */
	file: string | undefined;
	kind: "SPARSE" | "FLAT" | "VMFS" | "ZERO";
	sectors: number;
	/** Where it begins in its file, in sectors; of those that are flat. */
	offset: number;
}

/**
 * Looks at a VMDK and at the files that it consists of.
 * @param path where it is; undefined within an archive, where it has to be whole
 * @returns paths of the further files, and what it says that it was attached to (`ide`, `lsilogic`)
 * @throws ImageError for one that needs files elsewhere, is a snapshot, encrypted, in use, or not whole
 */
export async function checkVmdk(
	image: FileWindow,
	path: string | undefined,
	signal?: AbortSignal,
): Promise<{ files: string[]; adapter: string | undefined }> {
	const head = await image.read(0, sector);
	if (head.toString("latin1", 0, 4) === "KDMV") {
		const descriptor = await checkSparse(image, signal);
		// Extents of split disks have none; they are looked at through the file that names them.
		if (descriptor === "") throw new ImageError(notWhole);
		extentsOf(descriptor, wholeKinds);
		return { files: [], adapter: valueIn(descriptor, "ddb.adapterType") };
	}
	if (image.size > longestDescriptor)
		throw new ImageError("claims to be the description of a disk, and is too long for one");
	const descriptor = (await image.read(0, image.size)).toString("utf8");
	const extents = extentsOf(descriptor, partKinds);
	if (path === undefined)
		throw new ImageError(
			"is only the description of a disk, in an archive; unpack the archive and name the .vmdk there",
		);
	await refuseInUse(path);
	const files = [];
	for (const extent of extents.filter(({ file }) => file !== undefined))
		files.push(await checkExtent(extent, dirname(path), signal));
	return { files: [...new Set(files)], adapter: valueIn(descriptor, "ddb.adapterType") };
}

const notWhole =
	"is a part of a split disk; name the small .vmdk that lists all parts (without -s001 or -flat)";

/** VMware keeps a folder beside the disk while its machine runs. */
async function refuseInUse(path: string): Promise<void> {
	const lock = await lstat(`${path}.lck`).catch((error) => {
		if (errorCode(error) === "ENOENT") return undefined;
		throw error;
	});
	if (lock)
		throw new ImageError(
			`is in use by VMware, as ${path}.lck says; shut its machine down, and copy the disk again`,
		);
}

async function checkExtent(
	{ file = "", kind, sectors, offset }: Extent,
	folder: string,
	signal?: AbortSignal,
): Promise<string> {
	const path = join(folder, file);
	await using handle = await openUnknown(path).catch((error) => {
		const code = errorCode(error);
		if (code === "ENOENT") throw new ImageError(`lacks its part ${file}; copy that beside it`);
		if (code === "ELOOP")
			throw new ImageError(`has a part ${file} that is a link to elsewhere; copy the part itself beside it`);
		throw error;
	});
	const facts = await handle.stat();
	if (!facts.isFile())
		throw new ImageError(`has a part ${file} that is no plain file; copy the part itself beside it`);
	const part = new FileWindow(handle, 0, facts.size);
	if (kind === "SPARSE") {
		if ((await part.read(0, 4)).toString("latin1") !== "KDMV")
			throw new ImageError(`has a part ${file} that is of another kind than it says; copy all parts again`);
		await inPart(file, async () => await checkSparse(part, signal));
	} else if ((offset + sectors) * sector > facts.size)
		throw cutOff(`its part ${file} is shorter than its data`);
	return path;
}

async function inPart(file: string, check: () => Promise<unknown>): Promise<void> {
	try {
		await check();
	} catch (error) {
		throw error instanceof ImageError ? new ImageError(`has a part ${file} that ${error.message}`) : error;
	}
}

/**
 * Reads the text that describes a disk.
 * @param kinds those of `createType` that are taken
 * @throws ImageError
 */
export function extentsOf(descriptor: string, kinds: readonly string[]): Extent[] {
	const value = (key: string) => valueIn(descriptor, key);
	if (/vmwarevmcrypt|keySafe|^[ \t]*encryption/im.test(descriptor))
		throw new ImageError("is encrypted; take the encryption away in VMware first, and copy it again");
	const parent = value("parentCID");
	if (
		(parent !== undefined && parent.toLowerCase() !== "ffffffff") ||
		value("parentFileNameHint") !== undefined
	)
		throw new ImageError(
			"is a snapshot that depends on another file; delete all snapshots in VMware (consolidate), and copy the disk again",
		);
	const type = value("createType") ?? "";
	if (!kinds.includes(type))
		throw new ImageError(
			`is a VMDK of the kind ${quoted(type)}, which is not taken; copy it as one file: vmkfstools -i, or an export as OVF`,
		);
	const lines = descriptor.split(/\r?\n/).filter((line) => /^\s*(RW|RDONLY|NOACCESS)\s/.test(line));
	if (lines.length === 0 || lines.length > mostExtents)
		throw new ImageError(`names ${lines.length} parts; a disk has 1 to ${mostExtents}`);
	return lines.map(extentOf);
}

function valueIn(descriptor: string, key: string): string | undefined {
	// Blanks within a line only: \s goes on over line ends, and from each line anew.
	return new RegExp(`^[ \\t]*${RegExp.escape(key)}[ \\t]*=[ \\t]*"?([^"\\r\\n]*)"?`, "im")
		.exec(descriptor)?.[1]
		?.trim();
}

function extentOf(line: string): Extent {
	const [, count = "", kind = "", file, offset = "0"] =
		/^\s*RW\s+(\d{1,15})\s+(SPARSE|FLAT|VMFS|ZERO)(?:\s+"([^"]*)"(?:\s+(\d{1,15}))?)?\s*$/.exec(line) ?? [];
	if (kind === "")
		throw new ImageError(`has a part that is not taken (${quoted(line.trim())}); copy it as one file`);
	if (kind !== "ZERO" && (file === undefined || !isPlain(file)))
		throw new ImageError(
			`names a file outside of its own folder (${quoted(file ?? "")}); copy all its parts beside it, and mend the name`,
		);
	return {
		file: kind === "ZERO" ? undefined : file,
		kind: kind as Extent["kind"],
		sectors: Number(count),
		offset: Number(offset),
	};
}

/** A name in the same folder, and nothing that QEMU takes for a protocol. */
function isPlain(file: string): boolean {
	return /^[^/\\:\p{Cc}]{1,250}$/u.test(file) && file !== "." && file !== "..";
}

const quoted = (text: string) => JSON.stringify(text.replaceAll(/[^\x20-\x7e]/g, "?").slice(0, 60));
