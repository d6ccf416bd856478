import type { BlueScreen } from "../api/screen.ts";
import {
	around,
	type Box,
	fill,
	heightOf,
	type Ink,
	type Line,
	linesOf,
	type Mark,
	middleOf,
	scaled,
	widthOf,
	wordWidths,
} from "./marks.ts";
import { brightness, isBlack, isBlue, isGreen, lighterThan, type Pixels, type Survey } from "./pixels.ts";
import { ringOf } from "./ring.ts";

/**
 * Blue screens of Windows 8 and later: one colour with smooth white letters. Known by their layout, whatever the language
 * and the size of the screen:
 * - a sad face, ":(", above lines that begin where it begins (Windows 8 to 11);
 * - the same lines without the face, large ones before small ones (Windows Server);
 * - one or two large lines in the middle and small ones with the stop code at the bottom, all centred (11 since 24H2).
 */

/** The ground's share of all pixels: text and a QR code leave more than this. */
const leastGround = 0.8;
/** Smooth letters have shades between ink and ground; those of bitmap fonts have none. */
const fewestShades = 8;

/** What can be told of one frame; the percentage's place, to see it change. */
export interface Crash {
	readonly screen: BlueScreen;
	/** In pixels: where a percentage may be. */
	readonly place: Box;
}

/** @param ink what is lighter than the ground */
export function modernCrash(pixels: Pixels, { background, share }: Survey, ink: Ink): Crash | undefined {
	const ground = groundOf(background);
	if (!ground || share < leastGround) return undefined;
	if (ink.share > 0.2 || ringOf(ink).length > 0) return undefined;
	const found =
		withFace(ink) ?? (ground === "black" ? undefined : withoutFace(ink)) ?? centred(ink, background);
	if (!found || !isSmooth(pixels, scaled(found.body, ink.scale))) return undefined;
	const digits = found.percentage ? digitsOf(pixels, found.percentage, ink.scale, background) : 0;
	const era = found.centred || ground !== "blue" || brightness(background) < 140 ? "11" : "8-to-10";
	return {
		screen: {
			kind: "blue-screen",
			era,
			...(digits === 3 ? { dump: "done", percent: 100 } : { dump: "unknown" }),
		},
		place: scaled(found.percentage ?? found.body, ink.scale),
	};
}

function groundOf(colour: number): "blue" | "green" | "black" | undefined {
	if (isBlack(colour)) return "black";
	return isBlue(colour) ? "blue" : isGreen(colour) ? "green" : undefined;
}

/** In points. */
interface Layout {
	body: Box;
	/** The line that has the percentage alone. */
	percentage: Line | undefined;
	centred: boolean;
}

function withFace(ink: Ink): Layout | undefined {
	const face = faceOf(ink);
	if (!face) return undefined;
	const lines = linesOf(ink.marks, ink.height).filter(({ top }) => top >= face.bottom);
	const [first] = lines;
	if (!first || Math.abs(first.left - face.left) > ink.width * 0.04) return undefined;
	return layout(lines, ink);
}

/** A bracket that opens to the right, and two dots left of it, one above the other. */
function faceOf({ marks, points, width, height }: Ink): Box | undefined {
	for (const bracket of marks) {
		const h = heightOf(bracket);
		const isHigh = h > height * 0.07 && h < height * 0.3 && widthOf(bracket) < h * 0.5;
		if (!isHigh || bracket.right > width * 0.4 || bracket.top > height * 0.5) continue;
		if (!isBracket(bracket, points, width)) continue;
		const left = marks.filter(
			(mark) =>
				mark.right <= bracket.left + 1 &&
				bracket.left - mark.right < h * 0.6 &&
				mark.top >= bracket.top - 1 &&
				mark.bottom <= bracket.bottom + 1,
		);
		if (left.length === 2 && areColon(left, h)) return around([bracket, ...left]);
	}
	return undefined;
}

function areColon([a, b]: readonly Mark[], h: number): boolean {
	if (!a || !b) return false;
	const size = (mark: Mark) => (widthOf(mark) + heightOf(mark)) / 2;
	const isSpot = (mark: Mark) =>
		size(mark) > h * 0.03 && size(mark) < h * 0.3 && fill(mark) > 0.55 && widthOf(mark) < 2 * heightOf(mark);
	const aligned = Math.abs(middleOf(a) - middleOf(b)) <= Math.max(1, size(a) * 0.4);
	const apart = Math.abs(a.top - b.top) > 1.5 * size(a);
	return (
		isSpot(a) && isSpot(b) && aligned && apart && Math.abs(size(a) - size(b)) <= Math.max(1.5, size(a) * 0.4)
	);
}

/** Thin all along, and farther left in the middle than at both ends. */
function isBracket(mark: Mark, points: Uint8Array, width: number): boolean {
	const h = heightOf(mark);
	const row = (part: number) => {
		const y = Math.min(mark.bottom - 1, Math.floor(mark.top + part * h));
		let [first, count] = [-1, 0];
		for (let x = mark.left; x < mark.right; x++) {
			if (!points[y * width + x]) continue;
			if (first < 0) first = x;
			count++;
		}
		return { first, count };
	};
	const [top, middle, bottom] = [row(0.02), row(0.5), row(0.98)];
	const bend = widthOf(mark) * 0.25;
	const thin = [0.1, 0.3, 0.5, 0.7, 0.9].every(
		(part) => row(part).count <= Math.max(2, widthOf(mark) * 0.65),
	);
	return thin && top.first - middle.first >= bend && bottom.first - middle.first >= bend;
}

/** Lines from one left edge, the upper ones large, the lower ones small, and nothing else but a QR code. */
function withoutFace(ink: Ink): Layout | undefined {
	const pictures = ink.marks.filter((mark) => heightOf(mark) > ink.height * 0.09 || isSolid(mark, ink));
	if (pictures.some((mark) => Math.abs(widthOf(mark) - heightOf(mark)) > heightOf(mark) * 0.15))
		return undefined;
	const lines = linesOf(ink.marks, ink.height);
	const [first] = lines;
	if (!first || lines.length < 3 || lines.length > 12) return undefined;
	const isInside = first.left > ink.width * 0.04 && first.left < ink.width * 0.25;
	if (!isInside || first.top < ink.height * 0.06 || first.top > ink.height * 0.55) return undefined;
	const aligned = lines.filter(({ left }) => Math.abs(left - first.left) <= ink.width * 0.012);
	if (aligned.length < lines.length * 0.8 || (lines.at(-1)?.bottom ?? 0) > ink.height * 0.92)
		return undefined;
	const sizes = lines.map(heightOf);
	const small = sizes.at(-1) ?? 0;
	if (Math.max(...sizes.slice(0, 2)) < small * 1.35) return undefined;
	return layout(lines, ink);
}

/** A field, a button, a bar. */
function isSolid(mark: Mark, { height }: Ink): boolean {
	return fill(mark) > 0.8 && widthOf(mark) > height * 0.05;
}

/** One or two lines in the middle, and the stop code, which is one long word, in small letters at the bottom. */
function centred(ink: Ink, ground: number): Layout | undefined {
	const lines = linesOf(ink.marks, ink.height);
	if (ink.marks.some((mark) => heightOf(mark) > ink.height * 0.09)) return undefined;
	const isCentred = (line: Line) => Math.abs(middleOf(line) - ink.width / 2) <= ink.width * 0.012;
	const upper = lines.filter(({ top, bottom }) => top > ink.height * 0.35 && bottom < ink.height * 0.65);
	const lower = lines.filter(({ top }) => top > ink.height * 0.8);
	const [first, second, third] = upper;
	if (upper.length + lower.length !== lines.length || !lines.every(isCentred)) return undefined;
	if (!first || third || lower.length < 1 || lower.length > 3) return undefined;
	if (widthOf(first) < ink.width * 0.2 || (second && widthOf(second) > widthOf(first) * 0.6))
		return undefined;
	const stop = lower[0] as Line;
	if (heightOf(stop) > heightOf(first) * 0.95 || !hasLongWord(stop, ink, ground)) return undefined;
	return { body: around(upper), percentage: second, centred: true };
}

function hasLongWord(line: Line, ink: Ink, ground: number): boolean {
	const words = wordWidths(line, ink, ground);
	return words.length > 1 && words.length <= 6 && Math.max(...words) > widthOf(line) * ink.scale * 0.38;
}

/** Finds the line with the percentage: of the large letters, below the sentence with a gap, and short. */
function layout(lines: readonly Line[], ink: Ink): Layout | undefined {
	const [first] = lines;
	if (!first) return undefined;
	const large = lines.filter(
		(line) => heightOf(line) > heightOf(first) * 0.7 && line.bottom < first.bottom + ink.height * 0.35,
	);
	const widest = Math.max(...large.map(widthOf));
	const steps = large.map((line, i) => line.top - (large[i - 1]?.top ?? line.top));
	const percentage = large.find(
		(line, i) => i > 0 && widthOf(line) < widest * 0.45 && isApart(steps, i, heightOf(first)),
	);
	return { body: around(large), percentage, centred: false };
}

/** Whether a line is farther from the one above than lines of one sentence are. */
function isApart(steps: readonly number[], i: number, letters: number): boolean {
	return (steps[i] ?? 0) > letters * 1.6;
}

function isSmooth({ at, width }: Pixels, box: Box): boolean {
	const shades = new Set<number>();
	for (let y = box.top; y < box.bottom && shades.size < fewestShades; y++) {
		for (let x = box.left; x < box.right; x++) shades.add(at[y * width + x] as number);
	}
	return shades.size >= fewestShades;
}

/**
 * How many digits a percentage has, by the width of what comes before the first space, beside its height: "%" is as wide as one
 * and a half digits.
 */
function digitsOf(pixels: Pixels, line: Line, scale: number, background: number): number {
	const box = firstWord(pixels, scaled(line, scale), lighterThan(background));
	const ratio = box ? widthOf(box) / heightOf(box) : 0;
	return ratio > 2.95 && ratio < 4.2 ? 3 : ratio > 2.2 ? 2 : 1;
}

/** A space, as a part of a line's height; a "1" has nearly as much beside it, but is no percentage: those are wider than high. */
const space = 0.27;
const narrowestWord = 1.3;

/** The box of a line's ink before its first space, in pixels. */
function firstWord({ at, width }: Pixels, line: Box, isInk: (colour: number) => boolean): Box | undefined {
	const word = { left: line.right, top: line.bottom, right: line.left, bottom: line.top };
	for (let x = line.left; x < line.right; x++) {
		const isWord = widthOf(word) > heightOf(word) * narrowestWord;
		if (word.right > word.left && isWord && x - word.right > heightOf(line) * space) break;
		for (let y = line.top; y < line.bottom; y++) {
			if (!isInk(at[y * width + x] as number)) continue;
			word.left = Math.min(word.left, x);
			word.right = x + 1;
			word.top = Math.min(word.top, y);
			word.bottom = Math.max(word.bottom, y + 1);
		}
	}
	return word.right > word.left ? word : undefined;
}
