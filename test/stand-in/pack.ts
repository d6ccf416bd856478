import type { Frame } from "../../src/screen/frame.ts";

/** The stand-in's ways to keep pictures small: see boot.asm, which unpacks them. */

const longestRun = 255;

/** Runs of count, blue, green, red; none goes beyond its row. */
export function packPixels({ width, height, rgb }: Frame): Uint8Array {
	const out: number[] = [];
	const same = (a: number, b: number) =>
		rgb[a] === rgb[b] && rgb[a + 1] === rgb[b + 1] && rgb[a + 2] === rgb[b + 2];
	for (let y = 0; y < height; y++) {
		for (let x = 0; x < width; ) {
			const at = (y * width + x) * 3;
			let count = 1;
			while (x + count < width && count < longestRun && same(at, at + count * 3)) count++;
			out.push(count, rgb[at + 2] ?? 0, rgb[at + 1] ?? 0, rgb[at] ?? 0);
			x += count;
		}
	}
	return Uint8Array.from(out);
}

/** 16 colours of 6 bits a shade, then each of four planes in runs of count, byte. @throws Error for more than 16 colours */
export function packPlanes({ width, height, rgb }: Frame): Uint8Array {
	if (width !== 640 || height !== 480) throw new Error(`${width} x ${height}; this mode is 640 x 480`);
	const palette = new Map<number, number>();
	const pixels = new Uint8Array(width * height);
	for (let i = 0; i < pixels.length; i++) {
		const [red = 0, green = 0, blue = 0] = rgb.subarray(i * 3, i * 3 + 3);
		const colour = (red << 16) | (green << 8) | blue;
		if (!palette.has(colour)) palette.set(colour, palette.size);
		pixels[i] = palette.get(colour) ?? 0;
	}
	if (palette.size > 16) throw new Error(`${palette.size} colours; this mode has 16`);
	const out = new Array<number>(48).fill(0);
	for (const [colour, index] of palette) {
		for (const shift of [16, 8, 0]) out[index * 3 + (2 - shift / 8)] = (colour >> (shift + 2)) & 63;
	}
	for (let plane = 0; plane < 4; plane++) out.push(...runs(planeOf(pixels, plane)));
	return Uint8Array.from(out);
}

function planeOf(pixels: Uint8Array, plane: number): Uint8Array {
	const bytes = new Uint8Array(pixels.length / 8);
	for (const [i, colour] of pixels.entries()) {
		if ((colour >> plane) & 1) bytes[i >> 3] = (bytes[i >> 3] ?? 0) | (0x80 >> (i & 7));
	}
	return bytes;
}

function runs(bytes: Uint8Array): number[] {
	const out: number[] = [];
	for (let i = 0; i < bytes.length; ) {
		let count = 1;
		while (i + count < bytes.length && count < longestRun && bytes[i + count] === bytes[i]) count++;
		out.push(count, bytes[i] ?? 0);
		i += count;
	}
	return out;
}
