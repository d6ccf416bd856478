import type { FileWindow } from "../../host/window.ts";
import { ImageError } from "../image.ts";
import { cutOff } from "./formats.ts";

/** Bits of `incompatible_features`: docs/interop/qcow2.txt of QEMU. */
const incompatible = { dirty: 1n, corrupt: 2n, externalData: 4n } as const;

/** @throws ImageError for a qcow2 that needs other files, is encrypted, or was not closed */
export async function checkQcow2(image: FileWindow): Promise<void> {
	const head = await image.read(0, 104);
	if (head.length < 72) throw cutOff("its header is not whole");
	if (head.readBigUInt64BE(8) !== 0n)
		throw new ImageError(
			"depends on another file (a backing file); make it whole where that file is: qemu-img convert -O qcow2",
		);
	if (head.readUInt32BE(32) !== 0) throw new ImageError("is encrypted; decrypt it first: qemu-img convert");
	const features = featuresOf(head);
	if ((features & incompatible.externalData) !== 0n)
		throw new ImageError(
			"keeps its data in another file; make it whole where that file is: qemu-img convert -O qcow2",
		);
	if ((features & incompatible.corrupt) !== 0n)
		throw new ImageError("is marked as corrupt; copy it again from where it came");
	if ((features & incompatible.dirty) !== 0n)
		throw new ImageError(
			"was not closed: its server still runs, or was cut off; shut that down and copy it again, or mend a copy: qemu-img check -r all",
		);
	// An empty one ends with its first table; what holds data or snapshots' tables ends where these do.
	const [tableAt, entries, snapshots] = [
		head.readBigUInt64BE(40),
		head.readUInt32BE(36),
		head.readUInt32BE(60),
	];
	const endsInTable = BigInt(image.size) === tableAt + BigInt(entries) * 8n;
	if (image.size % 512 !== 0 && !endsInTable && snapshots === 0)
		throw cutOff(`its ${image.size} bytes are no whole number of sectors`);
}

/**
 * Whether an overlay that a session has written may still be what it was made as: a qcow2 that keeps its data in itself,
 * and is no larger than its disk. What it says that it lies on does not matter to whoever names that.
 */
export async function checkOverlay(image: FileWindow, bytes: number): Promise<boolean> {
	const head = await image.read(0, 104);
	if (head.length < 72 || head.toString("latin1", 0, 4) !== "QFI\xfb") return false;
	// QEMU has made it of whole sectors.
	const isLarger = head.readBigUInt64BE(24) > BigInt(Math.ceil(bytes / 512) * 512);
	return head.readUInt32BE(4) >= 2 && !isLarger && (featuresOf(head) & incompatible.externalData) === 0n;
}

function featuresOf(head: Buffer): bigint {
	return head.readUInt32BE(4) >= 3 && head.length >= 80 ? head.readBigUInt64BE(72) : 0n;
}
