import { describe, expect, test } from "vitest";
import { learn } from "./cipher.ts";
import { type BitmapFont, codePage437, glyphTable } from "./font.ts";
import { linux8x16 } from "./fonts/linux-8x16.ts";
import { vga8x8 } from "./fonts/vga-8x8.ts";
import { vga8x14 } from "./fonts/vga-8x14.ts";
import { vga8x16 } from "./fonts/vga-8x16.ts";
import type { Frame } from "./frame.ts";
import { pixelsOf } from "./pixels.ts";
import { recognise } from "./recognise.ts";
import { cellsOf, readTexts } from "./text-screen.ts";

const white = [255, 255, 255];
const dark = [0, 0, 128];

interface Drawing {
	font: BitmapFont;
	width: number;
	height: number;
	cellWidth?: number;
	ink?: number[];
	ground?: number[];
}

/** Lines drawn with a font, from the top left corner on. */
function drawn(lines: readonly string[], drawing: Drawing): Frame {
	const { font, width, height, cellWidth = 8, ink = white, ground = dark } = drawing;
	const rgb = new Uint8Array(width * height * 3);
	for (let i = 0; i < rgb.length; i += 3) rgb.set(ground, i);
	const hex = font.glyphs.join("");
	const letters = [...font.characters];
	for (const [row, line] of lines.entries()) {
		for (const [column, letter] of [...line].entries()) {
			if (letter === " ") continue;
			const at = letters.indexOf(letter) * font.height * 2;
			for (let y = 0; y < font.height; y++) {
				const bits = Number.parseInt(hex.slice(at + y * 2, at + y * 2 + 2), 16);
				for (let x = 0; x < 8; x++) {
					const pixel = (row * font.height + y) * width + column * cellWidth + x;
					if ((bits << x) & 128) rgb.set(ink, pixel * 3);
				}
			}
		}
	}
	return { width, height, rgb };
}

/** A font in which each letter has the glyph of another one: as strange to the reader as one that it has never seen. */
function strange(font: BitmapFont): BitmapFont {
	const letters = [...font.characters];
	const glyph = (i: number) => font.glyphs.join("").slice(i * font.height * 2, (i + 1) * font.height * 2);
	const turned = letters.map((letter, i) => {
		const other = letter > " " && letter <= "~" ? 33 + ((i - 33 + 41) % 94) : i;
		// Mirrored top to bottom, so that no glyph is one of the known ones.
		return (glyph(other).match(/../g) ?? []).toReversed().join("");
	});
	return { ...font, name: "strange", glyphs: turned };
}

describe("fonts", () => {
	test.each([vga8x8, vga8x14, vga8x16])("$name has all 256 characters", (font) => {
		expect([...codePage437]).toHaveLength(256);
		expect(font.glyphs.join("")).toHaveLength(256 * font.height * 2);
		const table = glyphTable(font);
		for (const letter of "AaZz09*(),:_-.") expect([...table.values()]).toContain(letter);
	});
});

describe("text screens", () => {
	const lines = [
		"",
		"*** STOP: 0x0000000A (0x00000000,0x0000001A)",
		"  The quick brown fox_jumps [over] #1 dog!",
	];

	test.each([
		{ font: vga8x16, width: 720, height: 400, cellWidth: 9 },
		{ font: vga8x8, width: 720, height: 400, cellWidth: 9 },
		{ font: vga8x16, width: 640, height: 400 },
		{ font: vga8x14, width: 640, height: 480 },
		{ font: linux8x16, width: 1024, height: 768 },
	])("are read: $font.name on $width x $height", (drawing) => {
		const [text] = readTexts(pixelsOf(drawn(lines, drawing)));
		expect(text?.lines.slice(0, 3)).toEqual(lines);
		expect(text?.known).toBe(1);
	});

	test("a letter under the cursor is read, and an empty cell with the cursor is empty", () => {
		const frame = drawn(["login: A"], { font: vga8x16, width: 720, height: 400, cellWidth: 9 });
		for (const column of [7, 9]) {
			for (let y = 13; y < 15; y++) {
				for (let x = 0; x < 9; x++) frame.rgb.set(white, (y * 720 + column * 9 + x) * 3);
			}
		}
		expect(readTexts(pixelsOf(frame))[0]?.lines[0]).toBe("login: A");
	});

	test("a picture has no cells", () => {
		const rgb = Uint8Array.from({ length: 1024 * 768 * 3 }, (_, i) => (i * 2654435761) >>> 24);
		expect(
			cellsOf(pixelsOf({ width: 1024, height: 768, rgb }), { cellWidth: 8, cellHeight: 16, top: 0 }),
		).toBe(undefined);
	});
});

describe("fonts that nobody has measured", () => {
	const size = { width: 640, height: 480 };
	const cells = (lines: readonly string[]) => {
		const pixels = pixelsOf(drawn(lines, { font: strange(vga8x14), ...size }));
		const found = cellsOf(pixels, { cellWidth: 8, cellHeight: 14, top: 0 });
		if (!found) throw new Error("no cells");
		return found;
	};
	const known = "restart your computer. If this screen appears again, follow";

	test("a sentence teaches its letters", () => {
		const { letters, found } = learn(cells(["", known]), [known]);
		expect(found).toEqual([{ sentence: known, row: 1, column: 0 }]);
		expect(new Set(letters.values())).toEqual(new Set(known.replaceAll(" ", "")));
	});

	test("words of the same lengths are another sentence", () => {
		const other = "retrain some children. We need better teaching today, thank";
		const shape = (text: string) => text.split(" ").map(({ length }) => length);
		expect(shape(other).length).toBe(shape(known).length);
		expect(learn(cells([other]), [known]).found).toEqual([]);
	});

	test("equal letters that are drawn differently are another sentence", () => {
		expect(learn(cells([known.replace("screen", "scrEen")]), [known]).found).toEqual([]);
	});

	const crashed = (name: string, stop: string) => [
		"",
		"A problem has been detected and Windows has been shut down to prevent damage",
		"to your computer.",
		"",
		name,
		"",
		"If this is the first time you've seen this Stop error screen,",
		"restart your computer. If this screen appears again, follow",
		"",
		"Technical information:",
		"",
		`*** STOP: ${stop}`,
	];
	const zeros = "(0x00000000,0x00000000,0x00000000,0x00000000)";
	const recognised = (lines: readonly string[]) =>
		recognise(drawn(lines, { font: strange(vga8x14), ...size }));

	test("a stop code is known by its name, and its digits by the code", () => {
		const parameters = ["0x00000005", "0x00000050", "0x00000000", "0x00000055"];
		const seen = recognised(crashed("PAGE_FAULT_IN_NONPAGED_AREA", `0x00000050 (${parameters.join(",")})`));
		expect(seen).toMatchObject({ stop: { code: 0x50, name: "PAGE_FAULT_IN_NONPAGED_AREA", parameters } });
	});

	test.each([
		["without a name", "", `0x000000E2 ${zeros}`],
		["with a name that is not known", "SOMETHING_QUITE_OTHER", `0x000000E2 ${zeros}`],
		["with a name that its digits do not fit", "NTFS_FILE_SYSTEM", `0x00000033 ${zeros}`],
	])("a code %s is not invented", (_, name, stop) => {
		const seen = recognised(crashed(name, stop));
		expect(seen).toMatchObject({ kind: "blue-screen", era: "2000-to-2008-r2", dump: "none" });
		expect(seen).not.toHaveProperty("stop");
	});

	test("a blue screen in another language and font is known by its layout", () => {
		const lines = [
			"",
			...Array.from({ length: 20 }, (_, i) => (i % 5 ? `Ein Problem ${i} wurde festgestellt` : "")),
		];
		const seen = recognise(drawn(lines, { font: strange(vga8x14), ...size }));
		expect(seen).toEqual({ kind: "blue-screen", era: "2000-to-2008-r2", dump: "unknown" });
	});

	test("the same lines on black are a console", () => {
		const lines = Array.from({ length: 20 }, (_, i) => `till:~# command ${i} with some words`);
		expect(recognise(drawn(lines, { font: strange(vga8x14), ...size, ground: [0, 0, 0] }))).toEqual({
			kind: "text",
		});
	});
});

describe("what a guest may send", () => {
	test.each([
		[1, 1],
		[7, 5],
		[4096, 1],
		[1, 4096],
	])("a screen of %d x %d is looked at", (width, height) => {
		expect(recognise({ width, height, rgb: new Uint8Array(width * height * 3).fill(200) }).kind).toBe(
			"other",
		);
		expect(recognise({ width, height, rgb: new Uint8Array(width * height * 3) }).kind).toBe("black");
	});

	test("noise is nothing", () => {
		for (const step of [2654435761, 40503, 3]) {
			const rgb = Uint8Array.from({ length: 800 * 600 * 3 }, (_, i) => (i * step) >>> 24);
			expect(recognise({ width: 800, height: 600, rgb }).kind).not.toBe("blue-screen");
		}
	});
});
