import { formatSize } from "../../api/units.ts";
import { isTar } from "../../host/tar.ts";
import type { FileWindow } from "../../host/window.ts";
import { ImageError } from "../image.ts";

/** By the names of QEMU's drivers; `vpc` is VHD. */
export const imageFormats = ["raw", "qcow2", "vmdk", "vpc", "vhdx", "vdi"] as const;
export type ImageFormat = (typeof imageFormats)[number];

/** As people call them. */
export const formatWords: Readonly<Record<ImageFormat, string>> = {
	raw: "raw",
	qcow2: "qcow2",
	vmdk: "VMDK",
	vpc: "VHD",
	vhdx: "VHDX",
	vdi: "VDI",
};

/** Longest text that describes the parts of a VMDK; those of real disks have a few KiB. */
export const longestDescriptor = 64 * 2 ** 10;
const sector = 512;

/**
 * Finds out once what an image is; from there on it is always named. QEMU's own probing takes anything that is nothing
 * else for a raw disk, and what a guest writes to that is the next one's header.
 * @param name of the file: what is called a VHD and does not end as one has lost its end
 * @throws ImageError for what is no disk image, or one of a kind that is not taken
 */
export async function formatOf(image: FileWindow, name: string): Promise<ImageFormat> {
	const head = await image.read(0, 4096);
	const tail = image.size >= 2 * sector ? await image.read(image.size - sector, sector) : Buffer.alloc(0);
	const known = knownFormat(head, tail);
	if (known) return known;
	const mend = strangers.find(({ is }) => is(head, tail))?.mend;
	if (mend !== undefined) throw new ImageError(mend);
	if (image.size === 0) throw new ImageError("is empty");
	if (isText(head))
		throw new ImageError(
			"is a text, and no disk image; is it the description of one? then `bulkhead import` reads it",
		);
	const [, claimed] = /\.(qcow2|vmdk|vhdx|vhd|vdi|ova)$/i.exec(name) ?? [];
	if (claimed === undefined) return "raw";
	throw new ImageError(
		claimed.toLowerCase() === "vmdk"
			? "is only a part of a disk, or damaged; name the small .vmdk that lists all parts (without -s001 or -flat)"
			: `is no ${claimed.toUpperCase()}, or cut off: what every one has is missing; copy it again, or call it .raw if that is what it is`,
	);
}

function knownFormat(head: Buffer, tail: Buffer): ImageFormat | undefined {
	const begins = (text: string) => head.toString("latin1", 0, text.length) === text;
	if (begins("QFI\xfb") && head.length >= 8 && head.readUInt32BE(4) >= 2) return "qcow2";
	if (begins("KDMV") || begins("# Disk DescriptorFile")) return "vmdk";
	if (begins("vhdxfile")) return "vhdx";
	if (head.length >= 0x44 && head.readUInt32LE(0x40) === 0xbeda107f) return "vdi";
	return begins("conectix") || tail.toString("latin1", 0, 8) === "conectix" ? "vpc" : undefined;
}

const convert = "make it a qcow2 first: qemu-img convert -O qcow2";
const unpack = (kind: string) => `is compressed (${kind}); unpack it first`;

/** What looks like a raw disk to QEMU, or is a kind that hardly anybody has. */
const strangers: { is: (head: Buffer, tail: Buffer) => boolean; mend: string }[] = [
	{ is: starts("QFI\xfb"), mend: `is a qcow of version 1; ${convert}` },
	{ is: starts("QED\0"), mend: `is a QED image; ${convert}` },
	{ is: starts("WithoutFreeSpace"), mend: `is an image of Parallels; ${convert}` },
	{ is: starts("WithouFreSpacExt"), mend: `is an image of Parallels; ${convert}` },
	{ is: starts("Bochs Virtual HD Image"), mend: `is an image of Bochs; ${convert}` },
	{ is: (_, tail) => tail.toString("latin1", 0, 4) === "koly", mend: `is a disk image of macOS; ${convert}` },
	{
		is: starts("COWD"),
		mend: "is a VMDK of ESX 3 or a snapshot; delete all snapshots there (consolidate), then copy the disk again with vmkfstools -i",
	},
	{
		is: starts("\xbe\xba\xfe\xca\0\0\0\0"),
		mend: "is a snapshot of VMware (SEsparse); delete all snapshots there (consolidate), then copy the disk again",
	},
	{ is: starts("\x1f\x8b"), mend: unpack("gzip") },
	{ is: starts("BZh"), mend: unpack("bzip2") },
	{ is: starts("\xfd7zXZ\0"), mend: unpack("xz") },
	{ is: starts("\x28\xb5\x2f\xfd"), mend: unpack("zstd") },
	{ is: starts("7z\xbc\xaf\x27\x1c"), mend: unpack("7-Zip") },
	{ is: starts("PK\x03\x04"), mend: unpack("zip") },
	{
		is: (head) => isTar(head),
		mend: "is an archive (tar, OVA); name the disk in it, as in appliance.ova#disk1.vmdk, or use `bulkhead import`",
	},
];

function starts(text: string): (head: Buffer) => boolean {
	return (head) => head.toString("latin1", 0, text.length) === text;
}

function isText(head: Buffer): boolean {
	return head.every((byte) => byte >= 0x20 || byte === 0x09 || byte === 0x0a || byte === 0x0d);
}

/** That a file ends before its data does. */
export function cutOff(why: string): ImageError {
	return new ImageError(`is cut off: ${why}; copy it again`);
}

/** @throws ImageError when a disk claims to be larger than anybody's is */
export function refuseAbsurd(virtualBytes: number, mostBytes: number, why: string): void {
	if (!Number.isSafeInteger(virtualBytes) || virtualBytes <= 0)
		throw new ImageError("claims a size that no disk has; copy it again from where it came");
	if (virtualBytes > mostBytes)
		throw new ImageError(
			`claims to be a disk of ${formatSize(virtualBytes)}; the most is ${formatSize(mostBytes)} (${why})`,
		);
}
