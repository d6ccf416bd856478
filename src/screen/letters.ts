import type { BlueScreen, Seen } from "../api/screen.ts";
import { learn } from "./cipher.ts";
import { inkOf } from "./marks.ts";
import { isBlue, type Pixels, type Survey } from "./pixels.ts";
import {
	blueSentences,
	blueSigns,
	diskSentences,
	panicSentences,
	readDump,
	readPanic,
	readStop,
	saysDiskCheck,
	stopLine,
	stopRow,
	stopSentences,
} from "./sayings.ts";
import { stopNames } from "./stop-names.ts";
import { type Cells, isTextMode, type Text, unknownCharacter } from "./text-screen.ts";

/** Screens of letters: what they say, by the fonts that are known, or by sentences that are. */

/** Below this part of letters that are known, a screen is taken for one in a font of its own. */
const wellKnown = 0.9;
/** The kernel writes the time in brackets before what it says: `[    2.123456] `. */
const widestTime = 24;
/** What the era's blue screens have at least, where not a letter can be read: lines of text. */
const fewestLines = 8;

/** @param texts the screen, read in each of its grids */
export function saidBy(texts: readonly Text[], pixels: Pixels): Seen | undefined {
	const [best] = texts;
	if (!best) return undefined;
	const said = judge(best.lines, best.cells, pixels);
	if (said || best.known >= wellKnown) return said;
	for (const { cells } of texts) {
		const deciphered = decipher(cells, pixels);
		if (deciphered) return deciphered;
	}
	return undefined;
}

function judge(lines: readonly string[], cells: Cells, pixels: Pixels): Seen | undefined {
	const panic = readPanic(lines);
	if (panic) return panic;
	const row = stopRow(lines);
	if (row >= 0 && isBlueRow(cells, row)) return blueScreen(lines, cells.columns, pixels);
	return saysDiskCheck(lines) ? { kind: "checking-disk" } : undefined;
}

/** Where a letter fills more than half of its cell, ink and ground are taken for each other. */
function isBlueRow({ cells, columns }: Cells, row: number): boolean {
	const line = cells.slice(row * columns, (row + 1) * columns);
	return line.every(({ back, ink }) => isBlue(back) || isBlue(ink));
}

function blueScreen(lines: readonly string[], columns: number, pixels: Pixels): BlueScreen {
	const stop = readStop(lines, columns);
	return {
		kind: "blue-screen",
		era: isTextMode(pixels) ? "nt4" : "2000-to-2008-r2",
		...(stop ? { stop } : {}),
		...readDump(lines),
		text: lines.join("\n").trim(),
	};
}

function decipher(cells: Cells, pixels: Pixels): Seen | undefined {
	const { found, letters } = learn(cells, panicSentences);
	const [panic] = found;
	if (panic && panic.column <= widestTime) {
		return {
			kind: "linux-panic",
			text: decoded(cells, letters).slice(panic.row).join("\n").trimEnd(),
		};
	}
	const signs = learn(cells, blueSigns).found.length > 0;
	if (signs && isBlue(cells.cells[0]?.back ?? 0)) {
		return blueScreen(decoded(cells, blueLetters(cells)), cells.columns, pixels);
	}
	return learn(cells, diskSentences).found.length > 0 ? { kind: "checking-disk" } : undefined;
}

/** The lines of a screen, as far as its letters are known. */
function decoded(cells: Cells, letters: ReadonlyMap<string, string>): string[] {
	const letter = (key: string | undefined) =>
		key === "" ? " " : (letters.get(key ?? "") ?? unknownCharacter);
	return Array.from({ length: cells.rows }, (_, row) => {
		const line = cells.cells.slice(row * cells.columns, (row + 1) * cells.columns);
		return line
			.map(({ key }) => letter(key))
			.join("")
			.trimEnd();
	});
}

/** The letters of a blue screen: by its sentences, and by the name of its stop code, which tells the code's digits. */
function blueLetters(cells: Cells): ReadonlyMap<string, string> {
	const { letters } = learn(cells, [...blueSentences, ...stopSentences]);
	const fitting = stopNames.filter(([, name]) =>
		learn(cells, [name], letters).found.some(
			({ row, column }) => column === 0 && isWholeLine(cells, row, name),
		),
	);
	const [only] = fitting;
	if (!only || fitting.length > 1) return letters;
	const [code, name] = only;
	const named = learn(cells, [name, stopLine(code)], letters);
	// A code that does not fit its name was misread.
	return named.found.length === 2 ? named.letters : letters;
}

function isWholeLine(cells: Cells, row: number, text: string): boolean {
	const rest = cells.cells.slice(row * cells.columns + text.length, (row + 1) * cells.columns);
	return rest.every(({ key }) => key === "");
}

/**
 * A blue screen of which no letter is known, nor any sentence: on 640 x 480, one light colour on one dark blue, lines of equal
 * distance that begin at the left edge, and nothing but that.
 */
export function blueByLayout(pixels: Pixels, { background, share, colours }: Survey): BlueScreen | undefined {
	const isSize = pixels.width === 640 && pixels.height === 480;
	if (!isSize || colours !== 2 || !isBlue(background) || share < 0.6) return undefined;
	const starts = lineStarts(pixels, background);
	if (starts.length < fewestLines || !haveOnePitch(starts)) return undefined;
	return { kind: "blue-screen", era: "2000-to-2008-r2", dump: "unknown" };
}

/** The first rows of lines that begin at the left edge. */
function lineStarts(pixels: Pixels, background: number): number[] {
	const { points } = inkOf(pixels, (colour) => colour !== background);
	const inked = Array.from({ length: pixels.height }, (_, y) => {
		const row = points.subarray(y * pixels.width, (y + 1) * pixels.width);
		return row.includes(1);
	});
	const starts = inked.flatMap((ink, y) => (ink && !inked[y - 1] ? [y] : []));
	return starts.filter((y) => {
		const end = inked.indexOf(false, y);
		const lines = points.subarray(y * pixels.width, (end < 0 ? pixels.height : end) * pixels.width);
		return lines.some((point, i) => point === 1 && i % pixels.width < 16);
	});
}

/** Whether lines are a whole number of lines apart, give or take the height of small letters. */
function haveOnePitch(starts: readonly number[]): boolean {
	for (let pitch = 10; pitch <= 18; pitch++) {
		const off = starts.map((y) => (y - (starts[0] ?? 0) + pitch) % pitch);
		const near = off.filter((rest) => rest <= 4 || rest >= pitch - 3);
		if (near.length >= starts.length * 0.9) return true;
	}
	return false;
}
