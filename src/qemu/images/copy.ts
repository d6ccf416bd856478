import { type FileHandle, open, rm } from "node:fs/promises";
import { errorCode } from "../../host/files.ts";
import { FileWindow, openUnknown } from "../../host/window.ts";
import { ImageError } from "../image.ts";
import { qemuImg, written } from "./confined.ts";
import { type Examination, type Image, naming, optionsOf, readingOf } from "./examine.ts";
import { checkQcow2 } from "./qcow2.ts";

const metadataBytes = 64 * 2 ** 20;
/** An hour, and as much again for each 100 GiB. */
export const deadlineFor = (bytes: number) => 3_600_000 * (1 + bytes / (100 * 2 ** 30));

/** What a qcow2 takes beyond its data when it is full: tables of 8 and 2 bytes for each 64 KiB, and some of the first. */
export const metadataFor = (bytes: number) => metadataBytes + Math.ceil(bytes / 4096);

export interface Copying extends Examination {
	/** QEMU's name of what is made. */
	format: string;
	/** As `qemu-img convert -o` takes them. */
	options?: string;
	/** User that it belongs to in the end; that of the copying process when left out. */
	owner?: number;
	/** Size of a qcow2 in bytes, when it is to be larger than the image. */
	growTo?: number;
	/** What it takes at most, as `measure` tells. */
	mostBytes: number;
	onProgress?: (fraction: number) => void;
}

/**
 * Copies an image into a file of its own, without any tie to another. The file is there whole or not at all.
 * @throws ImageError, also when the image has changed meanwhile
 */
export async function copyImage(image: Image, to: string, copying: Copying): Promise<void> {
	const { uid, format, options, owner, mostBytes, onProgress, signal } = copying;
	await using undo = new AsyncDisposableStack();
	// It is there before, and belongs to who writes it: the confined process sees no folder that it could write to.
	await using file = await open(to, "wx", 0o600);
	undo.defer(async () => await rm(to, { force: true }));
	await giveTo(file, uid, to);
	await naming(image.source.named, async () => {
		await qemuImg(
			[
				"convert",
				"-p",
				...(options ? ["-o", options] : []),
				"-O",
				format,
				"--image-opts",
				optionsOf(image),
				written,
			],
			{
				uid,
				...readingOf(image),
				writable: to,
				mostBytes: mostBytes + metadataBytes,
				deadlineMs: deadlineFor(image.virtualBytes),
				...(onProgress ? { onProgress } : {}),
				...(signal ? { signal } : {}),
			},
		);
		await image.source.refuseChanged();
		if (format === "qcow2") await makeOurs(to, image, copying);
	});
	if (owner !== undefined) await giveTo(file, owner, to);
	await file.sync();
	if ((await file.stat()).size === 0) throw new ImageError(`${image.source.named} could not be copied`);
	undo.move();
}

/** By the open file: its name may lead elsewhere by now, where others may write to the folder. */
export async function giveTo(file: FileHandle, owner: number, path: string): Promise<void> {
	await file.chown(owner, owner).catch((error) => {
		if (errorCode(error) !== "EPERM") throw error;
		throw new ImageError(
			`${path} cannot be given to the user that writes it: file systems without owners (FAT, some shares) are not written to; use a local disk, and copy the file from there`,
		);
	});
}

/** What has read a stranger's image may have been taken over by it: what it wrote is looked at before others open it. */
async function makeOurs(
	to: string,
	image: Image,
	{ uid, growTo = 0, mostBytes, signal }: Copying,
): Promise<void> {
	if (growTo > image.virtualBytes)
		await qemuImg(["resize", "-q", "-f", "qcow2", written, String(growTo)], {
			uid,
			readable: [],
			writable: to,
			mostBytes: mostBytes + metadataBytes,
			deadlineMs: 600_000,
			...(signal ? { signal } : {}),
		});
	await using handle = await openUnknown(to);
	await checkQcow2(new FileWindow(handle, 0, (await handle.stat()).size));
}
