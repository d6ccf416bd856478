import type { FileWindow } from "../../host/window.ts";
import { ImageError } from "../image.ts";
import { cutOff } from "./formats.ts";

/** VHD as Microsoft's "Virtual Hard Disk Image Format Specification" (2006) says it. Numbers are big-endian. */

const sector = 512;
const kind = { fixed: 2, dynamic: 3, differencing: 4 } as const;
const unused = 0xffffffff;
/** Of the largest disk, 2 TiB in blocks of 512 KiB. */
const mostBlocks = 2 ** 22;

/** @throws ImageError for a VHD that is not whole, damaged, or a part of a chain */
export async function checkVhd(image: FileWindow): Promise<void> {
	const footer = await image.read(image.size - sector, sector);
	if (footer.toString("latin1", 0, 8) !== "conectix") throw cutOff("the footer at its end is missing");
	if (!hasChecksum(footer, 64))
		throw new ImageError("is damaged: the checksum of its footer is wrong; copy it again");
	switch (footer.readUInt32BE(60)) {
		case kind.fixed:
			if (Number(footer.readBigUInt64BE(48)) > image.size - sector)
				throw cutOff("it is shorter than its disk");
			return;
		case kind.dynamic:
			return await checkBlocks(image, Number(footer.readBigUInt64BE(16)));
		case kind.differencing:
			throw new ImageError(
				"is a checkpoint that depends on another file (a differencing VHD); delete all checkpoints in Hyper-V, or merge it: Merge-VHD",
			);
		default:
			throw new ImageError("is a VHD of an unknown kind; make it a dynamic one: Convert-VHD");
	}
}

async function checkBlocks(image: FileWindow, at: number): Promise<void> {
	const header = await image.read(at, 1024);
	if (header.length < 1024) throw cutOff("its header is not whole");
	if (header.toString("latin1", 0, 8) !== "cxsparse" || !hasChecksum(header, 36))
		throw new ImageError("is damaged: its header is none; copy it again");
	const [tableAt, blocks, blockBytes] = [
		Number(header.readBigUInt64BE(16)),
		header.readUInt32BE(28),
		header.readUInt32BE(32),
	];
	if (
		blocks > mostBlocks ||
		blockBytes < sector ||
		blockBytes > 2 ** 28 ||
		(blockBytes & (blockBytes - 1)) !== 0
	)
		throw new ImageError("claims blocks that no VHD has; copy it again from where it came");
	const table = await image.read(tableAt, blocks * 4);
	if (table.length < blocks * 4) throw cutOff("its table of blocks is not whole");
	// Each block has a bitmap of its sectors before it.
	const bitmap = Math.ceil(blockBytes / sector / 8 / sector) * sector;
	for (let entry = 0; entry < table.length; entry += 4) {
		const first = table.readUInt32BE(entry);
		if (first !== unused && first * sector + bitmap + blockBytes > image.size - sector)
			throw cutOff("a block lies beyond its end");
	}
}

/** The ones' complement of the sum of all bytes but those of the checksum itself. */
function hasChecksum(bytes: Buffer, at: number): boolean {
	const sum = bytes.reduce((sum, byte, i) => sum + (i >= at && i < at + 4 ? 0 : byte), 0);
	return bytes.readUInt32BE(at) === ~sum >>> 0;
}
