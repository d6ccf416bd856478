import { lighterThan, type Pixels } from "./pixels.ts";

/** Something drawn on a screen's ground: pixels that touch each other. Right and bottom are the first that are outside. */
export interface Box {
	readonly left: number;
	readonly top: number;
	readonly right: number;
	readonly bottom: number;
}

export interface Mark extends Box {
	/** Points of ink. */
	readonly area: number;
}

/**
 * A screen's ink and its marks, in points: squares of `scale` pixels, of which one with any ink counts. So screens of any
 * size are about as large as one of 640 x 480.
 */
export interface Ink {
	readonly scale: number;
	readonly width: number;
	readonly height: number;
	/** 1 where there is ink. */
	readonly points: Uint8Array;
	readonly marks: readonly Mark[];
	/** The part of the points that has ink, 0 to 1. */
	readonly share: number;
	/** What it was made from. */
	readonly pixels: Pixels;
}

const pointsAcross = 640;
/** A screen with more marks than this is a picture, or full of letters; looking at more of them tells nothing. */
const mostMarks = 6000;

/** @param isInk whether a pixel of this colour, 0xRRGGBB, is ink */
export function inkOf(pixels: Pixels, isInk: (colour: number) => boolean): Ink {
	const scale = Math.max(1, Math.round(pixels.width / pointsAcross));
	const width = Math.floor(pixels.width / scale);
	const height = Math.floor(pixels.height / scale);
	const points = pooled(pixels, isInk, scale, width, height);
	let inked = 0;
	for (const point of points) inked += point;
	const marks = inked > points.length / 2 ? [] : marksOf(points, width, height);
	return { scale, width, height, points, marks, share: inked / points.length, pixels };
}

function pooled(
	{ at, width: across }: Pixels,
	isInk: (colour: number) => boolean,
	scale: number,
	width: number,
	height: number,
): Uint8Array {
	const points = new Uint8Array(width * height);
	for (let y = 0; y < height * scale; y++) {
		const row = y * across;
		const to = Math.floor(y / scale) * width;
		// Most neighbours have the same colour: it is judged once, and its pixels are passed over.
		for (let x = 0, next = 0; x < width * scale; x = next) {
			const colour = at[row + x] as number;
			for (next = x + 1; next < width * scale && at[row + next] === colour; ) next++;
			if (isInk(colour)) points.fill(1, to + Math.floor(x / scale), to + Math.floor((next - 1) / scale) + 1);
		}
	}
	return points;
}

/** Points that touch, also at their corners, are one mark. */
function marksOf(points: Uint8Array, width: number, height: number): Mark[] {
	const marks: Mark[] = [];
	const seen = new Uint8Array(points.length);
	for (let start = 0; start < points.length && marks.length < mostMarks; start++) {
		if (points[start] && !seen[start]) marks.push(follow(points, seen, start, width, height));
	}
	return marks;
}

function follow(points: Uint8Array, seen: Uint8Array, start: number, width: number, height: number): Mark {
	let [left, top, right, bottom, area] = [width, height, 0, 0, 0];
	const open = [start];
	seen[start] = 1;
	for (let at = open.pop(); at !== undefined; at = open.pop()) {
		const x = at % width;
		const y = (at - x) / width;
		area++;
		left = Math.min(left, x);
		right = Math.max(right, x + 1);
		top = Math.min(top, y);
		bottom = Math.max(bottom, y + 1);
		for (let ny = Math.max(0, y - 1); ny <= Math.min(height - 1, y + 1); ny++) {
			for (let nx = Math.max(0, x - 1); nx <= Math.min(width - 1, x + 1); nx++) {
				const next = ny * width + nx;
				if (!points[next] || seen[next]) continue;
				seen[next] = 1;
				open.push(next);
			}
		}
	}
	return { left, top, right, bottom, area };
}

export const widthOf = ({ left, right }: Box) => right - left;
export const heightOf = ({ top, bottom }: Box) => bottom - top;
export const middleOf = ({ left, right }: Box) => (left + right) / 2;
/** The part of its box that a mark fills. */
export const fill = (mark: Mark) => mark.area / (widthOf(mark) * heightOf(mark));

/** The smallest box around all. */
export function around(boxes: readonly Box[]): Box {
	return {
		left: Math.min(...boxes.map(({ left }) => left)),
		top: Math.min(...boxes.map(({ top }) => top)),
		right: Math.max(...boxes.map(({ right }) => right)),
		bottom: Math.max(...boxes.map(({ bottom }) => bottom)),
	};
}

/** A line of letters. */
export interface Line extends Box {
	readonly marks: readonly Mark[];
}

/** Letters are lower than this part of the screen's height; what is higher is a picture. */
const highestLetters = 0.09;

/** Lines from top to bottom; marks too high for letters are left out. Columns side by side are one line. */
export function linesOf(marks: readonly Mark[], height: number): Line[] {
	const letters = marks
		.filter((mark) => heightOf(mark) <= height * highestLetters)
		.toSorted((a, b) => a.top - b.top);
	const lines: Mark[][] = [];
	// Thin strokes are faint: a line of letters may have a row without ink.
	let bottom = -1;
	for (const mark of letters) {
		if (mark.top > bottom + 1 || lines.length === 0) lines.push([]);
		lines.at(-1)?.push(mark);
		bottom = Math.max(bottom, mark.bottom - 1);
	}
	return lines.map((line) => ({ ...around(line), marks: line }));
}

/** In pixels. */
export function scaled(box: Box, scale: number): Box {
	return {
		left: box.left * scale,
		top: box.top * scale,
		right: box.right * scale,
		bottom: box.bottom * scale,
	};
}

/** Spaces are about a quarter of the letters' height wide, gaps between letters a tenth; some fonts have wider ones of both. */
const leastSpace = 0.17;
/** All spaces of a line are alike: what is much narrower than its second widest gap is none. */
const likeWidest = 0.62;

/**
 * How wide the words of a line are, in pixels, from left to right.
 * @param ground the colour behind it: the underscores of a stop code are so thin that they hardly differ from it
 */
export function wordWidths(line: Box, { pixels, scale }: Ink, ground: number): number[] {
	const box = scaled(line, scale);
	// Underscores are below all other ink of a line without letters that reach down.
	const bottom = Math.min(pixels.height, box.bottom + Math.ceil(heightOf(box) * 0.3));
	const columns = inkedColumns({ ...box, bottom }, pixels, lighterThan(ground, faintest));
	const runs = runsOf(columns);
	const gaps = runs.slice(1).map(({ from }, i) => from - (runs[i]?.to ?? 0));
	const second = gaps.toSorted((a, b) => b - a)[1] ?? 0;
	const space = Math.max(heightOf(box) * leastSpace, second * likeWidest);
	const words: { from: number; to: number }[] = [];
	for (const [i, run] of runs.entries()) {
		const last = words.at(-1);
		if (last && (gaps[i - 1] ?? 0) < space) last.to = run.to;
		else words.push({ ...run });
	}
	return words.map(({ from, to }) => to - from);
}

/** Of the way from the ground to white. */
const faintest = 0.06;

function inkedColumns(box: Box, { at, width }: Pixels, isInk: (colour: number) => boolean): boolean[] {
	return Array.from({ length: widthOf(box) }, (_, i) => {
		for (let y = box.top; y < box.bottom; y++) if (isInk(at[y * width + box.left + i] as number)) return true;
		return false;
	});
}

function runsOf(columns: readonly boolean[]): { from: number; to: number }[] {
	const runs: { from: number; to: number }[] = [];
	for (const [x, inked] of columns.entries()) {
		if (!inked) continue;
		if (columns[x - 1]) (runs.at(-1) as { to: number }).to = x + 1;
		else runs.push({ from: x, to: x + 1 });
	}
	return runs;
}
