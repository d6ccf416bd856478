import type { Seen } from "../api/screen.ts";
import {
	around,
	heightOf,
	type Ink,
	inkOf,
	type Line,
	linesOf,
	type Mark,
	middleOf,
	widthOf,
	wordWidths,
} from "./marks.ts";
import { blue, brightness, green, isBlack, type Pixels, red, type Survey } from "./pixels.ts";
import { ringOf } from "./ring.ts";

/** Screens of a system that starts or works: a logo, a ring that turns, a line of text that says what is done. */

/**
 * Autochk's line since Windows 8 has seven words ("Scanning and repairing drive (C:): 12% complete.") and is 24 times as long as high;
 * other lines below a logo have four words at most ("Getting devices ready 35%") and are 13 times as long as high.
 */
const fewestWordsOfDiskCheck = 5;
const leastLengthOfDiskCheck = 17;

/** Below a logo stand a progress bar and a few words. */
const mostLines = 6;

/** @param ink what is lighter than the ground */
export function workingScreen(pixels: Pixels, { background, share }: Survey, ink: Ink): Seen | undefined {
	if (isBlack(background) && share > 0.7) {
		const started = starting(
			inkOf(pixels, (colour) => brightness(colour) >= 90),
			pixels,
		);
		if (started) return started;
	}
	return ink.share < 0.06 && isUpdating(ink) ? { kind: "updating" } : undefined;
}

/** A ring, and two lines of text or more below or beside it, in the middle of the screen. */
function isUpdating(ink: Ink): boolean {
	const ring = ringOf(ink);
	if (ring.length === 0) return false;
	const place = around(ring);
	const isCentral = middleOf(place) > ink.width * 0.25 && middleOf(place) < ink.width * 0.6;
	if (!isCentral || place.top < ink.height * 0.25 || place.bottom > ink.height * 0.7) return false;
	const rest = ink.marks.filter((mark) => !ring.includes(mark));
	const lines = linesOf(rest, ink.height).filter(
		({ top, bottom }) => top > place.top - ink.height * 0.1 && bottom < ink.height * 0.72,
	);
	return lines.length >= 2 && lines.every((line) => line.left > ink.width * 0.2);
}

/** A logo in the middle of black, or a picture alone in the very middle. */
function starting(ink: Ink, pixels: Pixels): Seen | undefined {
	if (ink.marks.length > 0 && isPicture(ink)) return { kind: "boot" };
	const ring = ringOf(ink);
	const logo = ink.marks.filter(
		(mark) => !ring.includes(mark) && heightOf(mark) > ink.height * 0.03 && isLogo(mark, ink, pixels),
	);
	if (logo.length === 0) return undefined;
	const place = around(logo);
	const isCentred = Math.abs(middleOf(place) - ink.width / 2) < ink.width * 0.06;
	if (!isCentred || place.bottom > ink.height * 0.8 || heightOf(place) < ink.height * 0.06) return undefined;
	const below = ink.marks.filter(
		(mark) => !ring.includes(mark) && !logo.includes(mark) && mark.top > place.bottom,
	);
	const lines = linesOf(below, ink.height);
	if (lines.length > mostLines) return undefined;
	const isChecking = ring.length > 0 && lines.some((line) => isOfDiskCheck(line, ink));
	return { kind: isChecking ? "checking-disk" : "boot" };
}

function isOfDiskCheck(line: Line, ink: Ink): boolean {
	const isLong = widthOf(line) >= heightOf(line) * leastLengthOfDiskCheck;
	return isLong && wordWidths(line, ink, 0).length >= fewestWordsOfDiskCheck;
}

/** Firmware shows its maker's picture: a rectangle, in the middle both ways, filled for the most part. */
function isPicture(ink: Ink): boolean {
	const place = around(ink.marks);
	const [wide, high] = [widthOf(place), heightOf(place)];
	const across = Math.abs(middleOf(place) - ink.width / 2);
	const down = Math.abs((place.top + place.bottom) / 2 - ink.height / 2);
	const isCentral = across < ink.width * 0.03 && down < ink.height * 0.2;
	const inked = ink.marks.reduce((total, { area }) => total + area, 0);
	return isCentral && high > ink.height * 0.04 && wide < ink.width * 0.9 && inked > wide * high * 0.5;
}

/** Large, and of a colour: letters are grey or white. */
function isLogo(mark: Mark, { scale }: Ink, { at, width }: Pixels): boolean {
	let [coloured, inked] = [0, 0];
	const step = Math.max(1, Math.floor(widthOf(mark) / 12));
	for (let y = mark.top; y < mark.bottom; y += step) {
		for (let x = mark.left; x < mark.right; x += step) {
			const colour = at[y * scale * width + x * scale] as number;
			if (brightness(colour) < 60) continue;
			inked++;
			if (brightness(colour) - Math.min(red(colour), green(colour), blue(colour)) > 50) coloured++;
		}
	}
	return inked > 0 && coloured > inked * 0.4;
}
