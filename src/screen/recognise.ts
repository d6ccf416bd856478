import type { Seen } from "../api/screen.ts";
import { type Frame, rowOf } from "./frame.ts";
import { blueByLayout, saidBy } from "./letters.ts";
import { type Box, heightOf, inkOf, widthOf } from "./marks.ts";
import { type Crash, modernCrash } from "./modern.ts";
import {
	isAllBlack,
	isBlack,
	lighterThan,
	type Pixels,
	pixelsOf,
	type Survey,
	survey,
	whiteness,
} from "./pixels.ts";
import { isTextMode, readTexts, type Text } from "./text-screen.ts";
import { workingScreen } from "./working.ts";

/** Consoles have sixteen colours; some blend two where letters overlap. */
const mostConsoleColours = 20;

/** Windows draws white letters on dark grounds only. */
const lightestGround = 128;

/**
 * Says what stands on a screen.
 * @param before the same screen a moment ago: a percentage that has changed since tells that a dump is being written
 */
export function recognise(frame: Frame, before?: Frame): Seen {
	const pixels = pixelsOf(frame);
	if (isAllBlack(pixels)) return { kind: "black" };
	const found = survey(pixels);
	const texts = found.colours <= mostConsoleColours ? readTexts(pixels) : [];
	return (
		saidBy(texts, pixels) ??
		blueByLayout(pixels, found) ??
		(isWellRead(texts) ? undefined : drawn(frame, pixels, found, before)) ??
		consoleOf(texts, pixels, found) ?? { kind: "other" }
	);
}

/** Letters, and all of them known: nothing that is drawn has to be looked for. */
function isWellRead([best]: readonly Text[]): boolean {
	return best !== undefined && best.cells.filled > 20 && best.known > 0.95;
}

function drawn(frame: Frame, pixels: Pixels, found: Survey, before: Frame | undefined): Seen | undefined {
	if (whiteness(found.background) > lightestGround) return undefined;
	const ink = inkOf(pixels, lighterThan(found.background));
	const crash = modernCrash(pixels, found, ink);
	return crash ? withChange(crash, frame, before) : workingScreen(pixels, found, ink);
}

function withChange(crash: Crash, frame: Frame, before: Frame | undefined): Seen {
	const isWriting = crash.screen.dump === "unknown" && before && hasMoved(frame, before, crash);
	return isWriting ? { ...crash.screen, dump: "writing" } : crash.screen;
}

/** Whether the percentage's place differs from a moment ago, and the rest of the screen does not. */
function hasMoved(frame: Frame, before: Frame, { place }: Crash): boolean {
	if (before.width !== frame.width || before.height !== frame.height) return false;
	let [inside, outside] = [0, 0];
	for (let y = 0; y < frame.height; y++) {
		const [now, old] = [rowOf(frame, y), rowOf(before, y)];
		if (Buffer.compare(now, old) === 0) continue;
		for (let i = 0; i < now.length; i += 3) {
			if (now[i] === old[i] && now[i + 1] === old[i + 1] && now[i + 2] === old[i + 2]) continue;
			if (contains(place, i / 3, y)) inside++;
			else outside++;
		}
	}
	return inside > 0 && outside <= widthOf(place) * heightOf(place);
}

function contains({ left, top, right, bottom }: Box, x: number, y: number): boolean {
	// A longer number is wider than the one that was there.
	const more = bottom - top;
	return x >= left - more && x < right + more && y >= top && y < bottom;
}

/** A screen of letters that say nothing of interest. */
function consoleOf(texts: readonly Text[], pixels: Pixels, found: Survey): Seen | undefined {
	const [best] = texts;
	if (!best) return undefined;
	if (isTextMode(pixels)) {
		const isEmpty = best.lines.every((line) => line === "") && isBlack(found.background);
		return { kind: isEmpty ? "black" : "text" };
	}
	const { filled, colourful } = best.cells;
	if (filled > 0 && best.known > 0.6 && colourful < filled * 0.2) return { kind: "text" };
	return isLettered(pixels, found) ? { kind: "text" } : undefined;
}

/** Many small marks and hardly anything else: letters of a font, or of a grid, that is not known. */
function isLettered(pixels: Pixels, { background, share }: Survey): boolean {
	if (share < 0.6 || share > 0.998) return false;
	const { marks, scale } = inkOf(pixels, (colour) => colour !== background);
	const small = marks.filter((mark) => heightOf(mark) * scale <= 24 && widthOf(mark) * scale <= 60);
	return marks.length >= 30 && small.length > marks.length * 0.9;
}
