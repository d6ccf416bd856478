import { BadImage, readLong, type Source } from "./source.ts";
import { type Node, parseXml } from "./xml.ts";

/** Windows Imaging Format (Microsoft, "Windows Imaging File Format", 2007): a header, and in the end what is in it, as XML. */
const headerSize = 208;
const magic = "MSWIM\0\0\0";
const largestXml = 4 * 2 ** 20;
const mostImages = 200;
/** Flags of a resource: compressed, in several files, one of many in a block. */
const unreadable = 0x04 | 0x08 | 0x10;

export interface WimImage {
	index: number;
	name: string;
	description: string;
	/** As in `ServerStandard`. */
	editionId: string;
	/** `Server`, `Server Core` or `Client`. */
	installationType: string;
	architecture: "x86" | "amd64" | "arm64" | null;
	/** As 20348; 0 when it is not said. */
	build: number;
	languages: string[];
}

/** @throws BadImage */
export function readWim(file: Source): WimImage[] {
	if (file.size < headerSize) throw new BadImage("its list of editions is not complete");
	const header = file.read(0, headerSize);
	if (header.toString("latin1", 0, 8) !== magic || header.readUInt32LE(8) !== headerSize)
		throw new BadImage("its list of editions is no WIM file");
	// Seven bytes of size, one of flags, then where it is.
	const [size, flags] = [header.readUIntLE(72, 6), header[79] ?? 0];
	if (header[78] !== 0 || size > largestXml || size < 4 || (flags & unreadable) !== 0)
		throw new BadImage("its list of editions cannot be read");
	const text = file
		.read(readLong(header, 80), size)
		.toString("utf16le")
		.replace(/^\ufeff/, "");
	const images = parseXml(text).children.filter(({ name }) => name === "IMAGE");
	if (images.length === 0 || images.length > mostImages)
		throw new BadImage(`it tells of ${images.length} editions`);
	return images.map(imageOf);
}

const architectures: Readonly<Record<string, WimImage["architecture"]>> = {
	0: "x86",
	9: "amd64",
	12: "arm64",
};

function imageOf(image: Node): WimImage {
	const windows = child(image, "WINDOWS");
	const value = (node: Node | undefined, name: string) => clean(child(node, name)?.text ?? "");
	const index = Number(image.attributes.INDEX);
	if (!Number.isInteger(index) || index < 1 || index > 9999)
		throw new BadImage("one of its editions has no number");
	return {
		index,
		name: value(image, "NAME"),
		description: value(image, "DESCRIPTION"),
		editionId: value(windows, "EDITIONID"),
		installationType: value(windows, "INSTALLATIONTYPE"),
		architecture: architectures[value(windows, "ARCH")] ?? null,
		build: Number(/^\d{1,6}$/.exec(value(child(windows, "VERSION"), "BUILD"))?.[0] ?? 0),
		languages: (child(windows, "LANGUAGES")?.children ?? [])
			.filter(({ name }) => name === "LANGUAGE")
			.map(({ text }) => clean(text))
			.filter((language) => /^[A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8}){0,2}$/.test(language))
			.slice(0, 50),
	};
}

function child(node: Node | undefined, name: string): Node | undefined {
	return node?.children.find((one) => one.name === name);
}

/** It is shown to people, and goes into answer files. */
function clean(text: string): string {
	return text
		.replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, "")
		.trim()
		.slice(0, 255);
}
