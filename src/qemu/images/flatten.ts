import { open, rm } from "node:fs/promises";
import { FileWindow, openUnknown } from "../../host/window.ts";
import { ImageError } from "../image.ts";
import { inside, qemuImg, written } from "./confined.ts";
import { deadlineFor, giveTo, metadataFor } from "./copy.ts";
import { naming } from "./examine.ts";
import { checkOverlay, checkQcow2 } from "./qcow2.ts";

export interface Flattening {
	/** User that the reading process runs as; the image is its at first. */
	uid: number;
	/** Size of the disk. */
	bytes: number;
}

/**
 * Copies an overlay together with what it lies on into an image of its own, and changes neither. The overlay was written
 * by a session, and is as hostile as an image of a stranger's. The copy is there whole or not at all, and root's.
 * @param base what it lies on, whatever it says itself
 * @param to what is there already is replaced
 * @throws ImageError for an overlay that is not what it was made as; CommandError
 */
export async function flattenOverlay(
	overlay: string,
	base: string,
	to: string,
	{ uid, bytes }: Flattening,
): Promise<void> {
	await refuseForeign(overlay, bytes);
	await using undo = new AsyncDisposableStack();
	await rm(to, { force: true });
	await using file = await open(to, "wx", 0o600);
	undo.defer(async () => await rm(to, { force: true }));
	await giveTo(file, uid, to);
	await naming(overlay, async () => {
		await qemuImg(["convert", "-q", "--image-opts", "-O", "qcow2", optionsOf(overlay, base), written], {
			uid,
			readable: [overlay, base],
			writable: to,
			mostBytes: bytes + metadataFor(bytes),
			deadlineMs: deadlineFor(bytes),
		});
	});
	await file.chown(0, 0);
	await using copy = await openUnknown(to);
	await checkQcow2(new FileWindow(copy, 0, (await copy.stat()).size));
	undo.move();
}

/** Nothing is left for QEMU to guess, nor to be told by the overlay. */
function optionsOf(overlay: string, base: string): string {
	// A comma ends a value; doubled it is one.
	const file = (path: string) => inside(path).replaceAll(",", ",,");
	const below = `backing.driver=qcow2,backing.file.driver=file,backing.file.filename=${file(base)}`;
	return `driver=qcow2,file.driver=file,file.filename=${file(overlay)},${below}`;
}

async function refuseForeign(overlay: string, bytes: number): Promise<void> {
	await using handle = await openUnknown(overlay);
	const facts = await handle.stat();
	const isOurs = facts.isFile() && (await checkOverlay(new FileWindow(handle, 0, facts.size), bytes));
	if (!isOurs) throw new ImageError(`${overlay} is not what it was made as; abandon these changes`);
}
