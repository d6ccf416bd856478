import type { Frame } from "./frame.ts";

/** A frame with each pixel in one number, 0xRRGGBB: what everything in this room looks at. */
export interface Pixels {
	readonly width: number;
	readonly height: number;
	readonly at: Uint32Array;
}

export function pixelsOf({ width, height, rgb }: Frame): Pixels {
	const at = new Uint32Array(width * height);
	for (let i = 0, from = 0; i < at.length; i++, from += 3) {
		at[i] = ((rgb[from] as number) << 16) | ((rgb[from + 1] as number) << 8) | (rgb[from + 2] as number);
	}
	return { width, height, at };
}

export const red = (colour: number) => colour >> 16;
export const green = (colour: number) => (colour >> 8) & 255;
export const blue = (colour: number) => colour & 255;

/** The darkest of its three shades: high for white and light grey alone. */
export const whiteness = (colour: number) => Math.min(red(colour), green(colour), blue(colour));
/** The brightest of its three shades: low for black alone. */
export const brightness = (colour: number) => Math.max(red(colour), green(colour), blue(colour));

/** Blue as a colour of its own: the shades of Windows' screens are from 0x000080 to 0x0078D7. */
export function isBlue(colour: number): boolean {
	return blue(colour) >= 90 && blue(colour) - red(colour) >= 60 && blue(colour) - green(colour) >= 25;
}

/** The green that builds for insiders have: 0x0F7C10 and its like. */
export function isGreen(colour: number): boolean {
	return green(colour) >= 80 && green(colour) - red(colour) >= 50 && green(colour) - blue(colour) >= 50;
}

/** Shades up to this cannot be told from black: QEMU's conversions and gamma tables leave such remains. */
const darkest = 12;
export const isBlack = (colour: number) => brightness(colour) <= darkest;

export interface Survey {
	/** The colour of most pixels. */
	background: number;
	/** Its share of the pixels that were looked at, 0 to 1. */
	share: number;
	/** How many colours there are among them; counting ends at 64. */
	colours: number;
}

const samples = 30_000;
const mostColours = 64;

/** Looks at a part of the pixels, spread evenly. */
export function survey({ at }: Pixels): Survey {
	// A prime step does not keep time with the columns.
	const step = at.length > samples ? nextOdd(Math.floor(at.length / samples)) : 1;
	const counts = new Map<number, number>();
	let looked = 0;
	for (let i = 0; i < at.length; i += step, looked++) {
		const colour = at[i] as number;
		counts.set(colour, (counts.get(colour) ?? 0) + 1);
	}
	let [background, most] = [0, 0];
	for (const [colour, count] of counts) if (count > most) [background, most] = [colour, count];
	return { background, share: most / looked, colours: Math.min(mostColours, counts.size) };
}

function nextOdd(step: number): number {
	return step % 2 ? step : step + 1;
}

export function isAllBlack({ at }: Pixels): boolean {
	for (const colour of at) if (!isBlack(colour)) return false;
	return true;
}

/**
 * Tells whether a pixel is lighter than a dark ground.
 * @param part of the way from the ground to white; a third for letters, whose thin strokes are faint
 */
export function lighterThan(ground: number, part = 0.3): (colour: number) => boolean {
	const least = whiteness(ground) + (255 - whiteness(ground)) * part;
	return (colour) => whiteness(colour) >= least;
}
