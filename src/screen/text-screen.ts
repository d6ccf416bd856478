import { glyphKey, glyphTable } from "./font.ts";
import { linux8x16 } from "./fonts/linux-8x16.ts";
import { vga8x8 } from "./fonts/vga-8x8.ts";
import { vga8x14 } from "./fonts/vga-8x14.ts";
import { vga8x16 } from "./fonts/vga-8x16.ts";
import type { Pixels } from "./pixels.ts";

/** A screen of equal cells, each with a character of a bitmap font. Sizes are in pixels. */
export interface Grid {
	readonly cellWidth: number;
	readonly cellHeight: number;
	/** Rows of pixels above the first cell. */
	readonly top: number;
}

export interface Cell {
	/** Its glyph's rows, see `glyphKey`; empty: nothing is drawn in it; undefined: it has more than two colours. */
	readonly key: string | undefined;
	readonly ink: number;
	readonly back: number;
}

export interface Cells {
	readonly columns: number;
	readonly rows: number;
	readonly cellHeight: number;
	/** Row by row. */
	readonly cells: readonly Cell[];
	/** Cells with something in them, and how many of those have more than two colours. */
	readonly filled: number;
	readonly colourful: number;
}

export interface Text {
	readonly lines: readonly string[];
	/** The part of the filled cells whose character is known, 0 to 1. */
	readonly known: number;
	readonly cells: Cells;
}

/** Stands for a character that no known font has. */
export const unknownCharacter = "\uFFFD";

const tables = new Map<number, Map<string, string>[]>();
for (const font of [vga8x8, vga8x14, vga8x16, linux8x16]) {
	tables.set(font.height, [...(tables.get(font.height) ?? []), glyphTable(font)]);
}

/**
 * The grids that a screen of this size may have. Text modes of VGA: 720x400 has 80 columns of 9 pixels (IBM VGA), 640x400
 * of 8; consoles on a frame buffer have cells of 8x16; Windows' bootvid.dll has lines of 14 pixels on 640x480.
 */
export function gridsOf(pixels: Pixels): Grid[] {
	const { width, height } = pixels;
	if (width === 720 && height === 400) return grids(9, 16, 8);
	if (width === 720 && height === 350) return grids(9, 14);
	if (width === 640 && height === 400) return grids(8, 16, 8);
	if (width === 640 && height === 350) return grids(8, 14);
	if (width === 640 && height === 480) return [...grids(8, 14, 16, 8), ...shiftedGrids(pixels, 8, 14)];
	return grids(8, 16);
}

function grids(cellWidth: number, ...heights: number[]): Grid[] {
	return heights.map((cellHeight) => ({ cellWidth, cellHeight, top: 0 }));
}

/** Grids that begin somewhere else, with nothing drawn between their lines: disk checks stand below a logo. */
function shiftedGrids({ at, width, height }: Pixels, cellWidth: number, cellHeight: number): Grid[] {
	const drawn = new Array<number>(cellHeight).fill(0);
	for (let y = 0; y < height; y++) {
		let changes = 0;
		for (let i = y * width + 1; i < (y + 1) * width; i++) if (at[i] !== at[i - 1]) changes++;
		drawn[y % cellHeight] = (drawn[y % cellHeight] ?? 0) + changes;
	}
	const least = Math.min(...drawn);
	return drawn.flatMap((changes, row) => {
		const top = (row + 1) % cellHeight;
		return changes === least && top > 0 ? [{ cellWidth, cellHeight, top }] : [];
	});
}

/**
 * Cuts a screen into cells, as long as it looks like one that has cells.
 * @returns undefined when most of the first cells with something in them have more than two colours
 */
export function cellsOf(pixels: Pixels, { cellWidth, cellHeight, top }: Grid): Cells | undefined {
	const columns = Math.floor(pixels.width / cellWidth);
	const rows = Math.floor((pixels.height - top) / cellHeight);
	const cells: Cell[] = [];
	let [filled, colourful] = [0, 0];
	for (let row = 0; row < rows; row++) {
		for (let column = 0; column < columns; column++) {
			const cell = cellAt(pixels, column * cellWidth, top + row * cellHeight, cellWidth, cellHeight);
			cells.push(cell);
			if (cell.key === "") continue;
			filled++;
			if (cell.key === undefined) colourful++;
		}
		if (filled > 200 && colourful > filled * 0.6) return undefined;
	}
	return { columns, rows, cellHeight, cells, filled, colourful };
}

/** Rows of one cell's glyph, used again for each. */
const bits = new Uint8Array(32);

/** The glyph of one cell: what is less of its two colours is the ink. A ninth column repeats, and is not looked at twice. */
function cellAt(
	{ at, width }: Pixels,
	left: number,
	top: number,
	cellWidth: number,
	cellHeight: number,
): Cell {
	const start = top * width + left;
	const first = at[start] as number;
	let second = -1;
	let seconds = 0;
	for (let y = 0, i = start; y < cellHeight; y++, i += width) {
		let row = 0;
		for (let x = 0; x < cellWidth; x++) {
			const colour = at[i + x] as number;
			if (colour === first) continue;
			if (second < 0) second = colour;
			else if (colour !== second) return { key: undefined, ink: colour, back: first };
			if (x < 8) {
				row |= 128 >> x;
				seconds++;
			}
		}
		bits[y] = row;
	}
	if (second < 0) return emptyCell(first);
	const rows = bits.subarray(0, cellHeight);
	if (seconds <= cellHeight * 4) return { key: glyphKey(rows), ink: second, back: first };
	return { key: glyphKey(rows.map((row) => row ^ 255)), ink: first, back: second };
}

/** Most cells are empty, and of one colour. */
let lastEmpty: Cell = { key: "", ink: 0, back: 0 };

function emptyCell(colour: number): Cell {
	if (lastEmpty.back !== colour) lastEmpty = { key: "", ink: colour, back: colour };
	return lastEmpty;
}

/** Reads what the known fonts have. */
export function readCells(cells: Cells): Text {
	const known = tables.get(cells.cellHeight) ?? [];
	let found = 0;
	const lines: string[] = [];
	for (let row = 0; row < cells.rows; row++) {
		let line = "";
		for (let column = 0; column < cells.columns; column++) {
			const { key } = cells.cells[row * cells.columns + column] as Cell;
			const character = key === undefined ? undefined : characterOf(key, known);
			if (character !== undefined && key !== "") found++;
			line += character ?? unknownCharacter;
		}
		lines.push(line.trimEnd());
	}
	return { lines, known: cells.filled ? found / cells.filled : 1, cells };
}

function characterOf(key: string, known: readonly Map<string, string>[]): string | undefined {
	if (key === "") return " ";
	for (const variant of [key, inverted(key), withoutCursor(key)]) {
		for (const table of known) {
			const character = table.get(variant);
			if (character !== undefined) return character;
		}
	}
	return undefined;
}

function inverted(key: string): string {
	return [...key].map((row) => String.fromCharCode(row.charCodeAt(0) ^ 255)).join("");
}

/** A text cursor fills some of a cell's lowest rows. */
function withoutCursor(key: string): string {
	const rows = [...key];
	for (let y = rows.length - 1; y >= rows.length - 4 && y >= 0; y--) {
		if (rows[y] === "\xff") rows[y] = "\0";
	}
	return rows.join("");
}

/** Reads a screen in each grid that it may have; the one whose characters are known best comes first. */
export function readTexts(pixels: Pixels): Text[] {
	const texts = gridsOf(pixels).flatMap((grid) => {
		const cells = cellsOf(pixels, grid);
		return cells ? [readCells(cells)] : [];
	});
	return texts.toSorted((a, b) => b.known - a.known);
}

/** The sizes that VGA's text modes have, and graphics hardly ever. */
export function isTextMode({ width, height }: Pixels): boolean {
	return (width === 720 || width === 640) && (height === 400 || height === 350);
}
