import { BadImage, type Extents, fileSource, readLong, type Source } from "./source.ts";

/**
 * As much of UDF (ECMA-167, OSTA UDF 1.02) as installation media have: one partition of fixed blocks, files by extents.
 * What is newer (virtual, sparable and metadata partitions) is on no medium that Windows is delivered on.
 */
const block = 2048;
const anchorBlock = 256;
const largestFolder = 2 ** 20;
const most = { descriptors: 64, extents: 4096, continuations: 64, names: 8192 };

const tags = {
	primary: 1,
	anchor: 2,
	partition: 5,
	logical: 6,
	end: 8,
	fileSet: 256,
	name: 257,
	extents: 258,
	file: 261,
	extendedFile: 266,
};

export interface Udf {
	label: string;
	/** @returns the file at a path such as `sources/install.wim`, in any case, or undefined */
	find(path: string): Extents | undefined;
}

interface Volume {
	image: Source;
	/** Byte that the partition begins at, and its length. */
	start: number;
	length: number;
}

/** @returns undefined when there is no UDF file system */
export function openUdf(image: Source): Udf | undefined {
	if (image.size < (anchorBlock + 1) * block) return undefined;
	const anchor = image.read(anchorBlock * block, block);
	if (tagOf(anchor) !== tags.anchor) return undefined;
	const { partition, logical, label } = descriptors(image, anchor);
	const volume = {
		image,
		start: partition.readUInt32LE(188) * block,
		length: partition.readUInt32LE(192) * block,
	};
	const fileSet = expect(blockOf(volume, logical.readUInt32LE(252)), tags.fileSet);
	const root = fileSet.readUInt32LE(404);
	return { label, find: (path) => findBelow(volume, root, path.toLowerCase().split("/")) };
}

function descriptors(image: Source, anchor: Buffer) {
	const [length, first] = [anchor.readUInt32LE(16), anchor.readUInt32LE(20)];
	const count = Math.min(Math.floor(length / block), most.descriptors);
	let [partition, logical]: (Buffer | undefined)[] = [];
	for (let index = 0; index < count; index++) {
		const one = image.read((first + index) * block, block);
		const tag = tagOf(one);
		if (tag === tags.partition) partition ??= one;
		if (tag === tags.logical) logical ??= one;
		if (tag === tags.end || tag === undefined) break;
	}
	if (!partition || !logical) throw new BadImage("its UDF file system is not complete");
	if (logical.readUInt32LE(212) !== block) throw new BadImage("its UDF file system has unusual blocks");
	// One map, of the first kind: blocks are where they say.
	if (logical.readUInt32LE(268) !== 1 || logical[440] !== 1)
		throw new BadImage("its UDF file system is of a kind that no Windows medium has");
	return {
		partition,
		logical,
		label: text(logical.subarray(84, 84 + 127))
			.replaceAll("\0", "")
			.trim(),
	};
}

/** @returns the kind of a descriptor, undefined when its checksum is wrong */
function tagOf(buffer: Buffer): number | undefined {
	let sum = 0;
	for (let index = 0; index < 16; index++) sum += index === 4 ? 0 : (buffer[index] ?? 0);
	const tag = buffer.readUInt16LE(0);
	return (sum & 0xff) === buffer[4] && tag !== 0 ? tag : undefined;
}

function expect(buffer: Buffer, ...wanted: number[]): Buffer {
	const tag = tagOf(buffer);
	if (tag === undefined || !wanted.includes(tag)) throw new BadImage("its UDF file system is damaged");
	return buffer;
}

function blockOf({ image, start, length }: Volume, number: number): Buffer {
	if ((number + 1) * block > length) throw new BadImage("its UDF file system points beyond its end");
	return image.read(start + number * block, block);
}

function findBelow(volume: Volume, folder: number, path: readonly string[]): Extents | undefined {
	const [name = "", ...rest] = path;
	const found = namesIn(volume, folder).find((entry) => entry.name.toLowerCase() === name);
	if (!found) return undefined;
	if (rest.length > 0) return found.folder ? findBelow(volume, found.block, rest) : undefined;
	return found.folder ? undefined : extentsOf(volume, found.block);
}

function namesIn(volume: Volume, folder: number): { name: string; folder: boolean; block: number }[] {
	const extents = extentsOf(volume, folder);
	if (extents.size > largestFolder) throw new BadImage("one of its folders is absurdly large");
	const data = fileSource(volume.image, extents).read(0, extents.size);
	const found: { name: string; folder: boolean; block: number }[] = [];
	for (let at = 0; at + 38 <= data.length; ) {
		const [nameLength, useLength] = [data[at + 19] ?? 0, data.readUInt16LE(at + 36)];
		const end = at + 38 + useLength + nameLength;
		if (tagOf(data.subarray(at, at + 16)) !== tags.name || end > data.length || found.length > most.names)
			throw new BadImage("one of its folders is damaged");
		const kind = data[at + 18] ?? 0;
		// Neither what was deleted nor the way up.
		if ((kind & 0x0c) === 0)
			found.push({
				name: text(data.subarray(end - nameLength, end)),
				folder: (kind & 2) !== 0,
				block: data.readUInt32LE(at + 24),
			});
		at += Math.ceil((38 + useLength + nameLength) / 4) * 4;
	}
	return found;
}

/** OSTA compressed Unicode: the first byte tells the size of a character. */
function text(data: Buffer): string {
	if (data[0] === 16) {
		const units = Buffer.from(data.subarray(1, 1 + Math.floor((data.length - 1) / 2) * 2));
		return units.swap16().toString("utf16le");
	}
	return data.subarray(1).toString("latin1");
}

function extentsOf(volume: Volume, number: number): Extents {
	const entry = expect(blockOf(volume, number), tags.file, tags.extendedFile);
	const header = tagOf(entry) === tags.file ? 176 : 216;
	const begin = header + entry.readUInt32LE(header - 8);
	const end = begin + entry.readUInt32LE(header - 4);
	if (end > entry.length) throw new BadImage("its UDF file system is damaged");
	const size = readLong(entry, 56);
	const kind = entry.readUInt16LE(34) & 7;
	if (kind === 3) {
		const offset = volume.start + number * block + begin;
		return { size: Math.min(size, end - begin), pieces: [{ offset, length: end - begin }] };
	}
	if (kind > 1) throw new BadImage("its UDF file system is of a kind that no Windows medium has");
	const pieces = piecesOf(volume, entry.subarray(begin, end), kind === 0 ? 8 : 16);
	const there = pieces.reduce((sum, { length }) => sum + length, 0);
	if (there < size) throw new BadImage("one of its files is shorter than it says");
	return { size, pieces };
}

function piecesOf(volume: Volume, first: Buffer, width: 8 | 16): Extents["pieces"] {
	const pieces: { offset: number; length: number }[] = [];
	let list = first;
	for (let turn = 0; turn < most.continuations; turn++) {
		let next: number | undefined;
		for (let at = 0; at + width <= list.length && next === undefined; at += width) {
			const [length, where] = [list.readUInt32LE(at) & 0x3fffffff, list.readUInt32LE(at + 4)];
			const kind = list.readUInt32LE(at) >>> 30;
			if (length === 0) return pieces;
			if (kind === 3) next = where;
			else if (kind !== 0) throw new BadImage("one of its files has holes");
			else pieces.push({ offset: volume.start + where * block, length });
			if (pieces.length > most.extents) throw new BadImage("one of its files is in absurdly many pieces");
		}
		if (next === undefined) return pieces;
		const more = expect(blockOf(volume, next), tags.extents);
		list = more.subarray(24, Math.min(24 + more.readUInt32LE(20), more.length));
	}
	throw new BadImage("one of its files has no end");
}
