import { chown, open, rm } from "node:fs/promises";
import { ImageError } from "../image.ts";
import { qemuImg, written } from "./confined.ts";
import { type Examination, type Image, naming, optionsOf, readingOf } from "./examine.ts";

const metadataBytes = 64 * 2 ** 20;
/** An hour, and as much again for each 100 GiB. */
const deadlineFor = (bytes: number) => 3_600_000 * (1 + bytes / (100 * 2 ** 30));

export interface Copying extends Examination {
	/** QEMU's name of what is made. */
	format: string;
	/** As `qemu-img convert -o` takes them. */
	options?: string;
	/** What it takes at most, as `measure` tells. */
	mostBytes: number;
	onProgress?: (fraction: number) => void;
}

/**
 * Copies an image into a file of its own, without any tie to another. The file is there whole or not at all.
 * @throws ImageError, also when the image has changed meanwhile
 */
export async function copyImage(image: Image, to: string, copying: Copying): Promise<void> {
	const { uid, format, options, mostBytes, onProgress, signal } = copying;
	await using undo = new AsyncDisposableStack();
	// It is there before, and belongs to who writes it: the confined process sees no folder that it could write to.
	await using file = await open(to, "wx", 0o600);
	undo.defer(async () => await rm(to, { force: true }));
	await chown(to, uid, uid);
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
	});
	await file.sync();
	if ((await file.stat()).size === 0) throw new ImageError(`${image.source.named} could not be copied`);
	undo.move();
}
