import { faceOf } from "./face.ts";
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
	widthOf,
	wordWidths,
} from "./marks.ts";
import { ringOf } from "./ring.ts";

/** How the parts of modern blue screens stand to each other: see modern.ts. Bare numbers are parts of the screen's width or height. */

/** In points. */
export interface Layout {
	body: Box;
	/** The line that has the percentage alone. */
	percentage: Line | undefined;
	centred: boolean;
	/** Whether a sad face is above it. */
	face: boolean;
}

/**
 * @param ground the screen's colour, 0xRRGGBB
 * @param isDark whether that is black: consoles have lines from one left edge on black, too, so there a face is needed
 */
export function layoutOf(ink: Ink, ground: number, isDark: boolean): Layout | undefined {
	const faced = withFace(ink);
	if (faced || ringOf(ink).length > 0) return faced;
	return (isDark ? undefined : withoutFace(ink)) ?? centred(ink, ground);
}

function withFace(ink: Ink): Layout | undefined {
	const face = faceOf(ink);
	if (!face) return undefined;
	const lines = linesOf(ink.marks, ink.height).filter(({ top }) => top >= face.bottom);
	const [first] = lines;
	if (!first || Math.abs(first.left - face.left) > ink.width * 0.04) return undefined;
	return layout(lines, ink, true);
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
	if (Math.max(...sizes.slice(0, 2)) < small * 1.35 || hasTitle(lines, ink)) return undefined;
	return layout(lines, ink, false);
}

/** The recovery environment has a title in letters twice as large as what is below; a crash begins with its sentence. */
function hasTitle([first, second]: readonly Line[], { width }: Ink): boolean {
	if (!first || !second) return false;
	const ratio = heightOf(second) / heightOf(first);
	return ratio < 0.48 || (ratio < 0.7 && widthOf(first) < width * 0.45);
}

/** A field, a button, a bar: higher than small letters, which may run into each other. */
function isSolid(mark: Mark, { height }: Ink): boolean {
	return fill(mark) > 0.8 && widthOf(mark) > height * 0.05 && heightOf(mark) > height * 0.025;
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
	return { body: around(upper), percentage: second, centred: true, face: false };
}

function hasLongWord(line: Line, ink: Ink, ground: number): boolean {
	const words = wordWidths(line, ink, ground);
	return words.length > 1 && words.length <= 6 && Math.max(...words) > widthOf(line) * ink.scale * 0.38;
}

/** Finds the line with the percentage: of the large letters, below the sentence with a gap, and short. */
function layout(lines: readonly Line[], ink: Ink, face: boolean): Layout | undefined {
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
	return { body: around(large), percentage, centred: false, face };
}

/** Whether a line is farther from the one above than lines of one sentence are. */
function isApart(steps: readonly number[], i: number, letters: number): boolean {
	return (steps[i] ?? 0) > letters * 1.6;
}
