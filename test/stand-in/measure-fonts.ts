/**
 * Measures the fonts that src/screen reads, and writes src/screen/fonts/. Run it again with: node test/stand-in/measure-fonts.ts
 *
 * - vga-*: the fonts of the VGA BIOS (SeaBIOS' vgabios), by a stand-in that shows all 256 characters on QEMU's VGA.
 * - linux-8x16: the font that the Linux kernel's console on a frame buffer draws with, by Debian's installer's kernel.
 */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run } from "../../src/host/command.ts";
import type { Frame } from "../../src/screen/frame.ts";
import { buildStandIn, type TextScreen } from "./build.ts";
import { kernelScreen } from "./linux.ts";
import { Watched } from "./show.ts";

const fonts = join(import.meta.dirname, "../../src/screen/fonts");
const columns = 80;
const glyphsALine = 4;

/** All characters, 16 on each of 16 lines. */
function allCharacters(mode: TextScreen["mode"]): TextScreen {
	const cells = new Uint8Array(columns * 25 * 2).fill(0x0f);
	for (let i = 0; i < cells.length / 2; i++) cells[i * 2] = 0x20;
	for (let code = 0; code < 256; code++) cells[((code >> 4) * columns + (code & 15)) * 2] = code;
	return { mode, cells, narrow: true };
}

/** Rows of one cell, in hexadecimal. */
function cell(frame: Frame, column: number, row: number, height: number): string {
	let rows = "";
	for (let y = 0; y < height; y++) {
		let bits = 0;
		for (let x = 0; x < 8; x++) {
			const at = ((row * height + y) * frame.width + column * 8 + x) * 3;
			bits = (bits << 1) | ((frame.rgb[at + 1] ?? 0) > 64 ? 1 : 0);
		}
		rows += bits.toString(16).padStart(2, "0");
	}
	return rows;
}

async function write(name: string, height: number, characters: string, source: string, glyphs: string[]) {
	const constant = name.replaceAll(/-(\w)/g, (_, letter: string) => letter.toUpperCase());
	const lines = Array.from({ length: Math.ceil(glyphs.length / glyphsALine) }, (_, i) =>
		JSON.stringify(glyphs.slice(i * glyphsALine, (i + 1) * glyphsALine).join("")),
	);
	await writeFile(
		join(fonts, `${name}.ts`),
		`import { type BitmapFont, ${characters} } from "../font.ts";

/** ${source} Written by test/stand-in/measure-fonts.ts. */
export const ${constant}: BitmapFont = {
	name: "${name}",
	width: 8,
	height: ${height},
	characters: ${characters},
	glyphs: [
${lines.map((line) => `\t\t${line},`).join("\n")}
	],
};
`,
	);
	console.log(`${name}: ${glyphs.length} glyphs`);
}

async function measureBios(folder: string): Promise<void> {
	const sizes = [
		{ mode: "text-80x50", height: 8 },
		{ mode: "text-80x25-14", height: 14 },
		{ mode: "text-80x25", height: 16 },
	] as const;
	const disk = join(folder, "fonts.raw");
	const scenes = sizes.map(({ mode }) => ({ screen: allCharacters(mode), lasts: "until-told" as const }));
	await buildStandIn(scenes, disk);
	await using guest = await Watched.standIn(disk);
	for (const [index, { height }] of sizes.entries()) {
		await guest.scene(index);
		const frame = await guest.frame();
		const glyphs = Array.from({ length: 256 }, (_, code) => cell(frame, code & 15, code >> 4, height));
		const source = `The ${height} rows high font of the VGA BIOS (SeaBIOS' vgabios, Debian's package seabios), as QEMU shows it.`;
		await write(`vga-8x${height}`, height, "codePage437", source, glyphs);
		guest.tell();
	}
}

async function measureLinux(folder: string): Promise<void> {
	const text = Array.from({ length: 6 }, (_, row) =>
		Array.from({ length: 16 }, (_, column) => String.fromCharCode(32 + row * 16 + column)).join(""),
	);
	// The last one is no character but a control code.
	const lines = text.map((line) => line.replace("\x7f", " "));
	await using guest = await kernelScreen(folder, lines);
	const frame = await guest.frame();
	const glyphs = Array.from({ length: 95 }, (_, i) => cell(frame, i & 15, i >> 4, 16));
	const source =
		"The font that the Linux kernel (Debian's 6.1) has for its console on a frame buffer, as QEMU shows it.";
	await write("linux-8x16", 16, "printable", source, glyphs);
}

const folder = await mkdtemp(join(tmpdir(), "bulkhead-fonts-"));
try {
	await measureBios(folder);
	await measureLinux(folder);
	await run("node_modules/.bin/biome", ["check", "--write", fonts], { deadlineMs: 60_000 });
} finally {
	await rm(folder, { recursive: true, force: true });
}
