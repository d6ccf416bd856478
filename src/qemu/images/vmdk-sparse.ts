import type { FileWindow } from "../../host/window.ts";
import { ImageError } from "../image.ts";
import { cutOff, longestDescriptor } from "./formats.ts";

/** One sparse file of a VMDK: a directory of tables, each entry of which says where a grain of the disk lies. */

const sector = 512;
const flags = { zeroGrains: 1 << 2, compressed: 1 << 16 } as const;
/** The directory is at the end: the header there counts. */
const atEnd = 0xffffffffffffffffn;
const endMarkers = { footer: 3, endOfStream: 0 } as const;
/** Directory entries of the largest disk that is taken, 64 TiB, with the usual tables of 512 grains of 64 KiB. */
const mostTables = 2 ** 21;

interface Header {
	flags: number;
	capacity: number;
	grainSectors: number;
	descriptorAt: number;
	descriptorSectors: number;
	entriesEach: number;
	directoryAt: bigint;
	unclean: boolean;
}

/** @returns the descriptor within; empty when it has none. @throws ImageError when it is damaged, in use, or not whole */
export async function checkSparse(file: FileWindow, signal?: AbortSignal): Promise<string> {
	const first = readHeader(await file.read(0, sector));
	const header = first.directoryAt === atEnd ? await footerOf(file) : first;
	if (header.unclean)
		throw new ImageError(
			"was not closed: its machine still runs, or was cut off; shut that down, and copy it again",
		);
	await checkGrains(file, header, signal);
	if (first.descriptorAt === 0) return "";
	const bytes = first.descriptorSectors * sector;
	if (bytes > longestDescriptor) throw new ImageError("has a description that is too long; copy it again");
	const text = (await file.read(first.descriptorAt * sector, bytes)).toString("utf8");
	return text.slice(0, text.includes("\0") ? text.indexOf("\0") : undefined);
}

function readHeader(bytes: Buffer): Header {
	if (bytes.length < sector) throw cutOff("its header is not whole");
	const wide = (at: number) => Number(bytes.readBigUInt64LE(at));
	const header = {
		flags: bytes.readUInt32LE(8),
		capacity: wide(12),
		grainSectors: wide(20),
		descriptorAt: wide(28),
		descriptorSectors: wide(36),
		entriesEach: bytes.readUInt32LE(44),
		directoryAt: bytes.readBigUInt64LE(56),
		unclean: bytes[72] === 1,
	};
	const { capacity, grainSectors, entriesEach } = header;
	const sound =
		bytes.toString("latin1", 0, 4) === "KDMV" &&
		capacity > 0 &&
		grainSectors >= 1 &&
		grainSectors <= 2 ** 16 &&
		entriesEach >= 1 &&
		entriesEach <= 4096 &&
		Math.ceil(capacity / grainSectors / entriesEach) <= mostTables;
	if (!sound) throw new ImageError("claims sizes that no VMDK has; copy it again from where it came");
	return header;
}

/** What a stream ends with: a marker, the header again, and an empty sector that says that it is the end. */
async function footerOf(file: FileWindow): Promise<Header> {
	const missing = () => cutOff("the end marker of a stream-optimized VMDK is missing");
	const end = await file.read(file.size - 3 * sector, 3 * sector);
	if (file.size % sector !== 0 || end.length < 3 * sector) throw missing();
	const isEnd = end.subarray(2 * sector).every((byte) => byte === endMarkers.endOfStream);
	if (
		!isEnd ||
		end.readUInt32LE(12) !== endMarkers.footer ||
		end.toString("latin1", sector, sector + 4) !== "KDMV"
	)
		throw missing();
	const footer = readHeader(end.subarray(sector, 2 * sector));
	if (footer.directoryAt === atEnd) throw missing();
	return footer;
}

async function checkGrains(file: FileWindow, header: Header, signal?: AbortSignal): Promise<void> {
	const { capacity, grainSectors, entriesEach, directoryAt } = header;
	const tables = Math.ceil(capacity / grainSectors / entriesEach);
	const directory = await file.read(Number(directoryAt) * sector, tables * 4);
	if (directory.length < tables * 4) throw cutOff("its directory is not whole");
	let last = 0;
	for (let i = 0; i < tables; i++) {
		signal?.throwIfAborted();
		const at = directory.readUInt32LE(i * 4);
		if (at === 0) continue;
		const table = await file.read(at * sector, entriesEach * 4);
		if (table.length < entriesEach * 4) throw cutOff("one of its tables lies beyond its end");
		last = Math.max(last, lastGrain(table, header));
	}
	if (last === 0) return;
	const bytes =
		(header.flags & flags.compressed) === 0 ? grainSectors * sector : await packedBytes(file, last);
	if (last * sector + bytes > file.size) throw cutOff("a grain lies beyond its end");
}

function lastGrain(table: Buffer, header: Header): number {
	const zero = (header.flags & flags.zeroGrains) === 0 ? 0 : 1;
	let last = 0;
	for (let at = 0; at < table.length; at += 4) {
		const grain = table.readUInt32LE(at);
		if (grain > zero && grain > last) last = grain;
	}
	return last;
}

/** A packed grain says its own length, after the sector of the disk that it is: 8 and 4 bytes. */
async function packedBytes(file: FileWindow, grain: number): Promise<number> {
	const marker = await file.read(grain * sector, 12);
	return marker.length < 12 ? 12 : 12 + marker.readUInt32LE(8);
}
