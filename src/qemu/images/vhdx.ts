import type { FileWindow } from "../../host/window.ts";
import { ImageError } from "../image.ts";
import { cutOff } from "./formats.ts";

/** VHDX as [MS-VHDX] says it. Numbers are little-endian. Blocks beyond the end are found by QEMU when it opens the image. */

const headersAt = [64 * 2 ** 10, 128 * 2 ** 10] as const;
const regionsAt = 192 * 2 ** 10;
const metadataRegion = "06a27c8b90479a4bb8fe575f050f886e";
const fileParameters = "3767a1ca36fa434db3b633f0aa44e76b";
const hasParent = 2;
const mostEntries = 2047;

/** @throws ImageError for a VHDX that was not closed, or is a part of a chain */
export async function checkVhdx(image: FileWindow): Promise<void> {
	const headers = await Promise.all(headersAt.map((at) => image.read(at, 4096)));
	const current = headers
		.filter((header) => header.length === 4096 && header.toString("latin1", 0, 4) === "head")
		.sort((a, b) => (a.readBigUInt64LE(8) < b.readBigUInt64LE(8) ? 1 : -1))[0];
	if (!current) throw cutOff("it has no header");
	if (current.subarray(48, 64).some((byte) => byte !== 0))
		throw new ImageError(
			"was not closed: changes wait in its log; shut its server down, or attach and detach the disk once in Windows, and copy it again",
		);
	const metadataAt = await entryIn(image, regionsAt, "regi", 8, 16, metadataRegion);
	const parametersAt = await entryIn(image, metadataAt, "metadata", 10, 32, fileParameters);
	const parameters = await image.read(metadataAt + parametersAt, 8);
	if (parameters.length < 8) throw cutOff("its metadata are not whole");
	if ((parameters.readUInt32LE(4) & hasParent) !== 0)
		throw new ImageError(
			"is a checkpoint that depends on another file (AVHDX, a differencing disk); delete all checkpoints in Hyper-V, or merge it: Merge-VHD",
		);
}

/** @returns the offset that a table's entry with this GUID tells */
async function entryIn(
	image: FileWindow,
	at: number,
	signature: string,
	countAt: number,
	headerBytes: number,
	guid: string,
): Promise<number> {
	const table = await image.read(at, 64 * 2 ** 10);
	if (table.length < headerBytes || table.toString("latin1", 0, signature.length) !== signature)
		throw cutOff("a table of its header is missing");
	const count = Math.min(mostEntries, countAt === 8 ? table.readUInt32LE(8) : table.readUInt16LE(10));
	for (let entry = headerBytes; entry < headerBytes + count * 32 && entry + 32 <= table.length; entry += 32) {
		if (table.toString("hex", entry, entry + 16) !== guid) continue;
		// A region is told by an offset of 64 bits in the file, an item by one of 32 bits in its region.
		return countAt === 8 ? Number(table.readBigUInt64LE(entry + 16)) : table.readUInt32LE(entry + 16);
	}
	throw new ImageError("is damaged: a table of its header lacks an entry; copy it again");
}
