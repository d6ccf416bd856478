import { mkdtemp, open, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run } from "../../src/host/command.ts";
import type { Frame } from "../../src/screen/frame.ts";
import { packPixels, packPlanes } from "./pack.ts";

/**
 * Makes the disk of a guest that shows one scene after the other, and then ends as it is told. It needs Debian's `nasm`,
 * QEMU's standard VGA (`-vga std`) with a BIOS, and 64 MB of memory for scenes of 1920 x 1080. It says `scene 0` on its first serial
 * port when the first scene stands on the screen, and so on.
 */

/** Characters and attributes, as text memory has them: two bytes a cell. */
export interface TextScreen {
	/** `text-80x25-14` has the BIOS' 8x14 font, of which 25 lines fill 350 rows of pixels. */
	mode: "text-80x25" | "text-80x50" | "text-80x25-14";
	cells: Uint8Array;
	/** Cells are 8 pixels wide instead of 9. */
	narrow?: boolean;
	/** Row and column; none: no cursor. */
	cursor?: { row: number; column: number };
}

/** At most 16 colours, 640 x 480. */
export interface PlanarScreen {
	mode: "vga-640x480x16";
	picture: Frame;
}

/** Of a size that QEMU's VGA BIOS has a mode for: 640x480, 800x600, 1024x768, 1280x800, 1920x1080 and others. */
export interface PixelScreen {
	mode: "pixels";
	picture: Frame;
}

export type Screen = TextScreen | PlanarScreen | PixelScreen;

export interface Scene {
	screen: Screen;
	/** Milliseconds; `until-told`: until a byte comes in at the serial port. */
	lasts: number | "until-told";
}

/** What comes after the last scene: `hang` stops with interrupts off, `panic` writes to pvpanic's port, `again` begins anew. */
export type End = "halt" | "reset" | "hang" | "panic" | "again";

const kinds = { "text-80x25": 1, "text-80x50": 2, "vga-640x480x16": 3, pixels: 4, "text-80x25-14": 5 };
const ends = { halt: 0xf0, reset: 0xf1, hang: 0xf2, panic: 0xf3, again: 0xf4 };
const sector = 512;
const listAt = 16;
const dataAt = 32;
const entryBytes = 32;
const mostScenes = (dataAt - listAt) * (sector / entryBytes) - 1;
const ticksPerSecond = 18.2;
const untilTold = 0xffffffff;
const noCursor = 2;
const narrow = 1;

/** @throws Error when there are more scenes than the list holds, or a picture that cannot be shown; CommandError of nasm */
export async function buildStandIn(scenes: readonly Scene[], to: string, end: End = "halt"): Promise<void> {
	if (scenes.length > mostScenes) throw new Error(`${scenes.length} scenes; ${mostScenes} can be shown`);
	const program = await assemble();
	const list = Buffer.alloc((dataAt - listAt) * sector);
	await using disk = await open(to, "w");
	let at = dataAt;
	for (const [index, scene] of scenes.entries()) {
		const data = pack(scene.screen);
		entry(list, index, scene, at, data.length);
		await disk.write(data, 0, data.length, at * sector);
		at += Math.ceil(data.length / sector);
	}
	list.writeUInt8(ends[end], scenes.length * entryBytes);
	await disk.write(program, 0, program.length, 0);
	await disk.write(list, 0, list.length, listAt * sector);
	await disk.truncate(Math.max(2 ** 20, (at + 1) * sector));
}

function entry(list: Buffer, index: number, { screen, lasts }: Scene, at: number, bytes: number): void {
	const start = index * entryBytes;
	list.writeUInt8(kinds[screen.mode], start);
	if ("picture" in screen) {
		list.writeUInt16LE(screen.picture.width, start + 2);
		list.writeUInt16LE(screen.picture.height, start + 4);
	} else {
		list.writeUInt8((screen.narrow ? narrow : 0) | (screen.cursor ? 0 : noCursor), start + 1);
		list.writeUInt16LE(((screen.cursor?.row ?? 0) << 8) | (screen.cursor?.column ?? 0), start + 24);
	}
	list.writeUInt32LE(at, start + 8);
	list.writeUInt32LE(Math.ceil(bytes / sector), start + 12);
	const ticks = lasts === "until-told" ? untilTold : Math.max(1, Math.round((lasts / 1000) * ticksPerSecond));
	list.writeUInt32LE(ticks, start + 16);
	list.writeUInt32LE(bytes, start + 20);
}

function pack(screen: Screen): Uint8Array {
	switch (screen.mode) {
		case "vga-640x480x16":
			return packPlanes(screen.picture);
		case "pixels":
			return packPixels(screen.picture);
		case "text-80x25":
		case "text-80x50":
		case "text-80x25-14":
			return screen.cells;
	}
}

async function assemble(): Promise<Buffer> {
	const folder = await mkdtemp(join(tmpdir(), "bulkhead-stand-in-"));
	try {
		const to = join(folder, "boot.bin");
		await run("nasm", ["-f", "bin", join(import.meta.dirname, "boot.asm"), "-o", to], { deadlineMs: 20_000 });
		return await readFile(to);
	} finally {
		await rm(folder, { recursive: true, force: true });
	}
}
