import type { FileWindow } from "./window.ts";

/**
 * Tar archives, as far as packages of virtual machines are made of them: plain files one after the other (POSIX ustar,
 * with GNU's sizes of more than 8 GiB and both ways of writing long names). https://www.gnu.org/software/tar/manual/html_node/Standard.html
 */

const block = 512;
const mostMembers = 1000;
const longestName = 4096;

export interface TarMember {
	name: string;
	/** Where its bytes begin in the archive, and how many they are. */
	offset: number;
	size: number;
}

/** Thrown for what is no archive of plain files, or not a whole one. */
export class TarError extends Error {
	override readonly name = "TarError";
}

/** Whether a file begins as a tar archive does: with a header whose checksum is right. */
export function isTar(head: Buffer): boolean {
	return (
		head.length >= block &&
		head.toString("latin1", 257, 262) === "ustar" &&
		hasChecksum(head.subarray(0, block))
	);
}

/** @returns the plain files of an archive, in their order. @throws TarError */
export async function listTar(archive: FileWindow, signal?: AbortSignal): Promise<TarMember[]> {
	const members: TarMember[] = [];
	let longName: string | undefined;
	let longSize: number | undefined;
	for (let at = 0; ; ) {
		signal?.throwIfAborted();
		const header = await archive.read(at, block);
		// Two blocks of zeros end it; what was cut off right after a file lacks them.
		if (header.length < block) throw new TarError("the archive is cut off: its end is missing");
		if (header.every((byte) => byte === 0)) return members;
		if (!hasChecksum(header)) throw new TarError("the archive is damaged: the checksum of a header is wrong");
		const size = longSize ?? sizeIn(header);
		const offset = at + block;
		if (offset + size > archive.size) throw new TarError(`the archive is cut off within ${nameIn(header)}`);
		const kind = String.fromCharCode(header[156] ?? 0);
		if (kind === "L") longName = textOf(await bounded(archive, offset, size));
		else if (kind === "x") {
			const said = paxOf(await bounded(archive, offset, size));
			longName = said.path ?? longName;
			longSize = said.size;
			at = offset + padded(size);
			continue;
		} else {
			if (kind === "0" || kind === "\0")
				members.push(member(longName ?? nameIn(header), offset, size, members));
			else if (kind !== "5" && kind !== "g")
				throw new TarError(`the archive holds ${nameIn(header)}, which is no plain file`);
			longName = undefined;
		}
		longSize = undefined;
		at = offset + padded(size);
	}
}

function member(name: string, offset: number, size: number, before: readonly TarMember[]): TarMember {
	if (before.length >= mostMembers) throw new TarError(`the archive holds more than ${mostMembers} files`);
	if (/\p{Cc}/u.test(name) || name.split("/").includes("..") || name.startsWith("/"))
		throw new TarError(`the archive holds ${JSON.stringify(name.slice(0, 80))}, a name that leads out of it`);
	if (before.some((other) => other.name === name)) throw new TarError(`the archive holds ${name} twice`);
	return { name, offset, size };
}

async function bounded(archive: FileWindow, offset: number, size: number): Promise<Buffer> {
	if (size > longestName * 4) throw new TarError("the archive has a name that is too long");
	return await archive.read(offset, size);
}

function hasChecksum(header: Buffer): boolean {
	const said = Number.parseInt(textOf(header.subarray(148, 156)).trim(), 8);
	const sum = header.reduce((sum, byte, i) => sum + (i >= 148 && i < 156 ? 0x20 : byte), 0);
	return said === sum;
}

/** Octal digits; or, with the first bit set, a binary number: GNU's way for what needs more than eleven digits. */
function sizeIn(header: Buffer): number {
	const field = header.subarray(124, 136);
	const size =
		((field[0] ?? 0) & 0x80) !== 0
			? Number(field.readBigUInt64BE(4))
			: Number.parseInt(textOf(field).trim() || "0", 8);
	if (!Number.isSafeInteger(size) || size < 0)
		throw new TarError("the archive is damaged: a size is no number");
	return size;
}

function nameIn(header: Buffer): string {
	const [name, prefix] = [textOf(header.subarray(0, 100)), textOf(header.subarray(345, 500))];
	return prefix !== "" && header.toString("latin1", 257, 263) === "ustar\0" ? `${prefix}/${name}` : name;
}

function textOf(bytes: Buffer): string {
	const end = bytes.indexOf(0);
	return bytes.toString("utf8", 0, end < 0 ? bytes.length : end);
}

/** Records of `LENGTH KEY=VALUE\n`. */
function paxOf(bytes: Buffer): { path?: string; size?: number } {
	const said: { path?: string; size?: number } = {};
	for (const record of bytes.toString("utf8").split("\n")) {
		const [, key, value = ""] = /^\d+ (path|size)=(.*)$/.exec(record) ?? [];
		if (key === "path") said.path = value;
		if (key === "size" && /^\d{1,16}$/.test(value)) said.size = Number(value);
	}
	return said;
}

const padded = (size: number) => Math.ceil(size / block) * block;

/** The header of a plain file, to be followed by its bytes and zeros up to a whole block. */
export function tarHeader(name: string, size: number, modifiedAt: Date): Buffer {
	if (Buffer.byteLength(name) > 100) throw new TarError(`${name} is too long a name for an archive`);
	const header = Buffer.alloc(block);
	header.write(name, 0);
	header.write("0000644\0", 100);
	header.write("0000000\x000000000\0", 108);
	if (size < 8 ** 11) header.write(`${size.toString(8).padStart(11, "0")}\0`, 124);
	else {
		header[124] = 0x80;
		header.writeBigUInt64BE(BigInt(size), 128);
	}
	header.write(
		`${Math.floor(modifiedAt.getTime() / 1000)
			.toString(8)
			.padStart(11, "0")}\0`,
		136,
	);
	header.write("        0", 148);
	header.write("ustar\x0000", 257);
	const sum = header.reduce((sum, byte) => sum + byte, 0);
	header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
	return header;
}

/** What comes after a member's bytes. */
export const tarPadding = (size: number) => Buffer.alloc(padded(size) - size);
/** What comes at the end of an archive. */
export const tarEnd = () => Buffer.alloc(2 * block);
