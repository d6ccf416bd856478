import { statfs } from "node:fs/promises";
import { ImageError } from "../image.ts";
import { parseObject } from "../qmp/connection.ts";
import { type ImageWork, inside, QemuImgError, qemuImg } from "./confined.ts";
import { formatOf, type ImageFormat, refuseAbsurd } from "./formats.ts";
import { checkQcow2 } from "./qcow2.ts";
import { checkRaw } from "./raw.ts";
import { ImageSource } from "./source.ts";
import { checkVdi } from "./vdi.ts";
import { checkVhd } from "./vhd.ts";
import { checkVhdx } from "./vhdx.ts";
import { checkVmdk } from "./vmdk.ts";

/** No disk of anybody's is larger; the site file takes no larger ones either. */
const largestDisk = 64 * 2 ** 40;
/** What is claimed may be that much more than there is disk in all: thin disks are. */
const timesTheDisk = 16;
const quickMs = 60_000;
const checkedMs = 3_600_000;

/** Formats for which `qemu-img check` finds damage. */
const checkable: readonly ImageFormat[] = ["qcow2", "vmdk", "vdi", "vhdx"];

/**
 * A VHD is as large as it says. QEMU's driver (7.2, block/vpc.c) believes that of a few creators only, and takes cylinders
 * × heads × sectors for the size else, which leaves out the disk's end: of VirtualBox' and Azure's, and of Virtual PC's
 * 127 GiB two MiB, which Virtual PC does not show and which do no harm.
 */
const wholeVhd = "force_size_calc=current_size";

export interface Image {
	source: ImageSource;
	format: ImageFormat;
	/** The size of the disk, in bytes. */
	virtualBytes: number;
	/** All files that it consists of. */
	files: readonly string[];
	/** What a VMDK says that it was attached to: `ide`, or any kind of SCSI (`lsilogic`). */
	adapter: string | undefined;
}

export interface Examination {
	/** User that the examining process runs as. */
	uid: number;
	/** A folder of the file system that the disk is to be copied to. */
	target: string;
	signal?: AbortSignal;
}

/**
 * Opens an image and looks at it as a stranger's: what it is, whether it is whole, and whether it needs anything that is
 * not its own. To be disposed of.
 * @throws ImageError in words for the user, that begin with its name
 */
export async function openImage(
	named: string,
	{ uid, target, signal }: Examination,
): Promise<Image & AsyncDisposable> {
	return await naming(named, async () => {
		await using undo = new AsyncDisposableStack();
		const source = undo.use(await ImageSource.open(named, signal));
		const format = await formatOf(source.window, named);
		const { files: parts, adapter } = await structureOf(source, format, signal);
		await source.mark(parts);
		const files = [source.path, ...parts];
		const image = { source, format, files, adapter, virtualBytes: 0 };
		const { bsize, blocks } = await statfs(target);
		const facts = await factsOf(image, { uid, deadlineMs: quickMs, ...(signal ? { signal } : {}) });
		const virtualBytes = Number(facts["virtual-size"]);
		refuseAbsurd(virtualBytes, largestDisk, "no disk is larger");
		refuseAbsurd(virtualBytes, bsize * blocks * timesTheDisk, `${timesTheDisk} times the disk of ${target}`);
		if (virtualBytes % 512 !== 0)
			throw new ImageError("claims a size that no disk has: it is no whole number of sectors");
		undo.move();
		return { ...image, virtualBytes, [Symbol.asyncDispose]: async () => await source[Symbol.asyncDispose]() };
	});
}

/** @returns further files that it consists of, and what it was attached to, as far as it says */
async function structureOf(
	source: ImageSource,
	format: ImageFormat,
	signal?: AbortSignal,
): Promise<{ files: string[]; adapter: string | undefined }> {
	const { window, path, stretch } = source;
	if (format === "vmdk") return await checkVmdk(window, stretch ? undefined : path, signal);
	const checks = { raw: checkRaw, qcow2: checkQcow2, vpc: checkVhd, vhdx: checkVhdx, vdi: checkVdi };
	await checks[format](window);
	return { files: [], adapter: undefined };
}

async function factsOf(
	image: Image,
	work: Omit<ImageWork, "readable" | "devices">,
): Promise<Record<string, unknown>> {
	const said = await qemuImg(["info", "--output=json", "--image-opts", optionsOf(image)], {
		...work,
		...readingOf(image),
	});
	const facts = parseObject(said) ?? {};
	if (facts.encrypted === true) throw new ImageError("is encrypted; decrypt it first");
	// Both were looked for in its own header already; this is what QEMU itself makes of it.
	if (facts["backing-filename"] !== undefined || facts["full-backing-filename"] !== undefined)
		throw new ImageError(
			"depends on another file (a backing file); make it whole where that file is: qemu-img convert -O qcow2",
		);
	if (JSON.stringify(facts["format-specific"] ?? {}).includes('"data-file"'))
		throw new ImageError(
			"keeps its data in another file; make it whole where that file is: qemu-img convert -O qcow2",
		);
	return facts;
}

/**
 * Reads all of an image's own tables, where its format has a check.
 * @throws ImageError when they do not fit together
 */
export async function checkWhole(image: Image, { uid, signal }: Examination): Promise<void> {
	if (!checkable.includes(image.format)) return;
	await naming(image.source.named, async () => {
		try {
			const work = { uid, ...readingOf(image), deadlineMs: checkedMs, ...(signal ? { signal } : {}) };
			await qemuImg(["check", "-q", "--image-opts", optionsOf(image)], work);
		} catch (error) {
			// 3: space that nobody uses; 63: there is nothing to check.
			if (error instanceof QemuImgError && (error.code === 3 || error.code === 63)) return;
			if (!(error instanceof QemuImgError)) throw error;
			throw new ImageError(`is damaged (${error.message}); copy it again from where it came`, {
				cause: error,
			});
		}
	});
}

/** @returns bytes that a copy of it takes, at most */
export async function measure(image: Image, to: string, { uid, signal }: Examination): Promise<number> {
	return await naming(image.source.named, async () => {
		const work = { uid, ...readingOf(image), deadlineMs: checkedMs, ...(signal ? { signal } : {}) };
		const said = await qemuImg(
			["measure", "--output=json", "-O", to, "--image-opts", optionsOf(image)],
			work,
		);
		return Number(parseObject(said)?.required);
	});
}

/** What a process that reads it has to see. */
export function readingOf({ source, files }: Image): Pick<ImageWork, "readable" | "devices"> {
	return { readable: files, devices: source.isDevice };
}

/** How QEMU is told what to read; nothing is left for it to guess. A comma ends a value; doubled it is one. */
export function optionsOf({ source, format }: Pick<Image, "source" | "format">): string {
	const name = inside(source.path).replaceAll(",", ",,");
	const driver = source.isDevice ? "host_device" : "file";
	const reader = `driver=${format}${format === "vpc" ? `,${wholeVhd}` : ""}`;
	if (!source.stretch) return `${reader},file.driver=${driver},file.filename=${name}`;
	const { offset } = source.stretch;
	// QEMU takes whole sectors; in an archive zeros follow up to the end of one.
	const size = Math.ceil(source.stretch.size / 512) * 512;
	const stretch = (prefix: string) =>
		`${prefix}driver=raw,${prefix}offset=${offset},${prefix}size=${size},${prefix}file.driver=file,${prefix}file.filename=${name}`;
	return format === "raw" ? stretch("") : `${reader},${stretch("file.")}`;
}

/** Errors say which image they are about. */
export async function naming<T>(named: string, work: () => Promise<T>): Promise<T> {
	try {
		return await work();
	} catch (error) {
		if (error instanceof QemuImgError)
			throw new ImageError(`${named} cannot be read as a disk image (${error.message})`, { cause: error });
		throw error instanceof ImageError && !error.message.startsWith(named)
			? new ImageError(`${named} ${error.message}`, { cause: error })
			: error;
	}
}
