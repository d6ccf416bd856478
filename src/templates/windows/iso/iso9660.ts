import { BadImage, type Extents, type Source } from "./source.ts";

/** ECMA-119. A sector, and where the descriptors of the volume begin. */
const sector = 2048;
const firstDescriptor = 16;
const largestFolder = 2 ** 20;

export interface Iso9660 {
	label: string;
	/** @returns the file at a path such as `sources/install.wim`, in any case, or undefined */
	find(path: string): Extents | undefined;
	/** Names in the outermost folder. */
	names(): string[];
}

interface Entry {
	name: string;
	folder: boolean;
	more: boolean;
	offset: number;
	length: number;
}

/** @returns undefined when there is no ISO 9660 file system */
export function openIso9660(image: Source): Iso9660 | undefined {
	if (image.size < (firstDescriptor + 1) * sector) return undefined;
	const descriptor = image.read(firstDescriptor * sector, sector);
	if (descriptor[0] !== 1 || descriptor.toString("latin1", 1, 6) !== "CD001") return undefined;
	const root = entryOf(descriptor, 156, 34);
	return {
		label: descriptor.toString("latin1", 40, 72).trim(),
		find: (path) => findBelow(image, root, path.toLowerCase().split("/")),
		names: () => entries(image, root).map(({ name }) => name),
	};
}

function findBelow(image: Source, folder: Entry, path: readonly string[]): Extents | undefined {
	const [name = "", ...rest] = path;
	const found = entries(image, folder).filter((entry) => entry.name.toLowerCase() === name);
	const [first] = found;
	if (!first) return undefined;
	if (rest.length > 0) return first.folder ? findBelow(image, first, rest) : undefined;
	if (first.folder) return undefined;
	// A file of more than 4 GiB has several entries of one name, all but the last of which say so.
	const last = found.findIndex(({ more }) => !more);
	const pieces = found.slice(0, last < 0 ? found.length : last + 1);
	return { size: pieces.reduce((sum, { length }) => sum + length, 0), pieces };
}

function entries(image: Source, folder: Entry): Entry[] {
	if (folder.length > largestFolder) throw new BadImage("one of its folders is absurdly large");
	const data = image.read(folder.offset, folder.length);
	const found: Entry[] = [];
	for (let at = 0; at < data.length; ) {
		const length = data[at] ?? 0;
		// Entries do not go over the end of a sector: the rest of it is empty.
		if (length === 0) {
			at = (Math.floor(at / sector) + 1) * sector;
			continue;
		}
		found.push(entryOf(data, at, length));
		at += length;
	}
	return found;
}

function entryOf(data: Buffer, at: number, length: number): Entry {
	const nameLength = data[at + 32] ?? 0;
	if (length < 34 || at + length > data.length || 33 + nameLength > length)
		throw new BadImage("one of its folders is damaged");
	const flags = data[at + 25] ?? 0;
	return {
		name: data
			.toString("latin1", at + 33, at + 33 + nameLength)
			.replace(/;\d+$/, "")
			.replace(/\.$/, ""),
		folder: (flags & 2) !== 0,
		more: (flags & 0x80) !== 0,
		offset: data.readUInt32LE(at + 2) * sector,
		length: data.readUInt32LE(at + 10),
	};
}
