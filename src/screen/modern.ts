import type { BlueScreen } from "../api/screen.ts";
import { layoutOf } from "./layouts.ts";
import { type Box, heightOf, type Ink, type Line, scaled, widthOf } from "./marks.ts";
import { brightness, isBlack, isBlue, isGreen, lighterThan, type Pixels, type Survey } from "./pixels.ts";

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

/** Letters and a QR code: a screen with more ink than this part has something else on it. */
const mostInk = 0.2;

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
	if (ink.share > mostInk) return undefined;
	const found = layoutOf(ink, background, ground === "black");
	if (!found || !isSmooth(pixels, scaled(found.body, ink.scale))) return undefined;
	const digits = found.percentage ? digitsOf(pixels, found.percentage, ink.scale, background) : 0;
	const era = found.centred || ground !== "blue" || brightness(background) < 140 ? "11" : "8-to-10";
	return {
		screen: {
			kind: "blue-screen",
			era,
			...(found.face ? {} : { faceless: true as const }),
			...(digits === 3 ? { dump: "done", percent: 100 } : { dump: "unknown" }),
		},
		place: scaled(found.percentage ?? found.body, ink.scale),
	};
}

function groundOf(colour: number): "blue" | "green" | "black" | undefined {
	if (isBlack(colour)) return "black";
	return isBlue(colour) ? "blue" : isGreen(colour) ? "green" : undefined;
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
