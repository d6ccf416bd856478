import { crc32, deflateSync, inflateSync } from "node:zlib";
import { checkSize, type Frame } from "../../src/screen/frame.ts";

/** PNG files of 8 bits a shade without interlacing (https://www.w3.org/TR/png-3/): colours by number where there are few, else RGB. */

const signature = Buffer.from("89504e470d0a1a0a", "hex");

export function writePng({ width, height, rgb }: Frame): Buffer {
	const palette = paletteOf(rgb);
	const bytes = palette ? 1 : 3;
	const raw = Buffer.alloc((width * bytes + 1) * height);
	for (let y = 0, to = 0; y < height; y++) {
		raw[to++] = 0;
		for (let x = 0; x < width; x++) {
			const from = (y * width + x) * 3;
			if (palette) raw[to++] = palette.get(colourAt(rgb, from)) ?? 0;
			else for (let i = 0; i < 3; i++) raw[to++] = rgb[from + i] ?? 0;
		}
	}
	const head = Buffer.alloc(13);
	head.writeUInt32BE(width, 0);
	head.writeUInt32BE(height, 4);
	head.set([8, palette ? 3 : 2, 0, 0, 0], 8);
	const colours = palette ? [chunk("PLTE", Buffer.from([...palette.keys()].flatMap(shades)))] : [];
	const data = chunk("IDAT", deflateSync(raw, { level: 9 }));
	return Buffer.concat([signature, chunk("IHDR", head), ...colours, data, chunk("IEND", Buffer.alloc(0))]);
}

function paletteOf(rgb: Uint8Array): Map<number, number> | undefined {
	const palette = new Map<number, number>();
	for (let i = 0; i < rgb.length; i += 3) {
		const colour = colourAt(rgb, i);
		if (!palette.has(colour)) palette.set(colour, palette.size);
		if (palette.size > 256) return undefined;
	}
	return palette;
}

const colourAt = (rgb: Uint8Array, i: number) =>
	((rgb[i] ?? 0) << 16) | ((rgb[i + 1] ?? 0) << 8) | (rgb[i + 2] ?? 0);
const shades = (colour: number) => [colour >> 16, (colour >> 8) & 255, colour & 255];

function chunk(kind: string, data: Buffer): Buffer {
	const body = Buffer.concat([Buffer.from(kind, "latin1"), data]);
	const whole = Buffer.alloc(body.length + 8);
	whole.writeUInt32BE(data.length, 0);
	body.copy(whole, 4);
	whole.writeUInt32BE(crc32(body), body.length + 4);
	return whole;
}

/** @throws Error for a file of another kind; FrameError for one that is too large */
export function readPng(file: Buffer): Frame {
	if (!file.subarray(0, 8).equals(signature)) throw new Error("not a PNG file");
	const parts = new Map<string, Buffer[]>();
	for (let at = 8; at + 12 <= file.length; ) {
		const length = file.readUInt32BE(at);
		const kind = file.toString("latin1", at + 4, at + 8);
		parts.set(kind, [...(parts.get(kind) ?? []), file.subarray(at + 8, at + 8 + length)]);
		at += 12 + length;
	}
	const head = parts.get("IHDR")?.[0] ?? Buffer.alloc(13);
	const [width, height] = [head.readUInt32BE(0), head.readUInt32BE(4)];
	checkSize(width, height);
	const [depth, kind = -1, , , interlaced] = head.subarray(8);
	const bytes = { 2: 3, 3: 1, 6: 4 }[kind];
	if (depth !== 8 || interlaced || !bytes)
		throw new Error(`a PNG of kind ${kind}, ${depth} bits, cannot be read`);
	const raw = inflateSync(Buffer.concat(parts.get("IDAT") ?? []));
	const palette = parts.get("PLTE")?.[0];
	return { width, height, rgb: coloured(unfiltered(raw, width * bytes, height, bytes), bytes, palette) };
}

function coloured(samples: Uint8Array, bytes: number, palette: Buffer | undefined): Uint8Array {
	if (bytes === 3) return samples;
	const rgb = new Uint8Array((samples.length / bytes) * 3);
	for (let i = 0, to = 0; to < rgb.length; i++, to += 3) {
		const from = palette ?? samples;
		const at = palette ? (samples[i] ?? 0) * 3 : i * bytes;
		for (let shade = 0; shade < 3; shade++) rgb[to + shade] = from[at + shade] ?? 0;
	}
	return rgb;
}

/** Undoes the five filters of the standard's chapter 9. */
function unfiltered(raw: Buffer, stride: number, height: number, bytes: number): Uint8Array {
	const out = new Uint8Array(stride * height);
	for (let y = 0; y < height; y++) {
		const filter = raw[y * (stride + 1)];
		if (filter === 0) {
			out.set(raw.subarray(y * (stride + 1) + 1, (y + 1) * (stride + 1)), y * stride);
			continue;
		}
		for (let x = 0; x < stride; x++) {
			const at = y * stride + x;
			const left = x >= bytes ? (out[at - bytes] ?? 0) : 0;
			const up = y > 0 ? (out[at - stride] ?? 0) : 0;
			const corner = x >= bytes && y > 0 ? (out[at - stride - bytes] ?? 0) : 0;
			const guess = [0, left, up, (left + up) >> 1, paeth(left, up, corner)][filter ?? 0] ?? 0;
			out[at] = (raw[y * (stride + 1) + 1 + x] ?? 0) + guess;
		}
	}
	return out;
}

function paeth(left: number, up: number, corner: number): number {
	const guess = left + up - corner;
	const [a, b, c] = [Math.abs(guess - left), Math.abs(guess - up), Math.abs(guess - corner)];
	return a <= b && a <= c ? left : b <= c ? up : corner;
}
