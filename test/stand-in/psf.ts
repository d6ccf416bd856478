import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { type BitmapFont, printable } from "../../src/screen/font.ts";

/**
 * A console font of Debian's package console-setup-linux, as the kernel's `loadfont` takes it.
 * CONSOLE_FONTS names a folder to look in when the package is not installed.
 */
export async function consoleFont(name: string): Promise<Buffer> {
	const places = ["/usr/share/consolefonts", process.env.CONSOLE_FONTS ?? ""];
	const path = places.map((place) => join(place, `${name}.psf.gz`)).find((file) => existsSync(file));
	if (!path) throw new Error(`${name}.psf.gz is not in ${places[0]}: install console-setup-linux`);
	return gunzipSync(await readFile(path));
}

/** Its printable ASCII as a font to draw with (PSF version 1: https://www.win.tue.nl/~aeb/linux/kbd/font-formats-1.html). */
export async function drawnFont(name: string): Promise<BitmapFont> {
	const file = await consoleFont(name);
	if (file.readUInt16LE(0) !== 0x0436) throw new Error(`${name} is not a PSF font of version 1`);
	const height = file.readUInt8(3);
	const glyph = (code: number) => file.toString("hex", 4 + code * height, 4 + (code + 1) * height);
	const glyphs = Array.from({ length: printable.length }, (_, i) => glyph(32 + i));
	return { name, width: 8, height, characters: printable, glyphs };
}
