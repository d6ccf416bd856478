import { expect, test } from "vitest";
import { FrameError, readPpm } from "./frame.ts";

/** A PPM file as QEMU writes it: header, then the pixels. */
function ppm(header: string, bytes: number): Uint8Array {
	return Buffer.concat([Buffer.from(header), Buffer.from(Array.from({ length: bytes }, (_, i) => i))]);
}

test("a picture of QEMU's is read without copying its pixels", () => {
	const file = ppm("P6\n3 2\n255\n", 18);
	const frame = readPpm(file);
	expect(frame).toMatchObject({ width: 3, height: 2 });
	expect([...frame.rgb]).toEqual(Array.from({ length: 18 }, (_, i) => i));
	expect(frame.rgb.buffer).toBe(file.buffer);
});

test("a comment in the header is passed over", () => {
	expect(readPpm(ppm("P6\n# made by hand\n1 1 255\n", 3))).toMatchObject({ width: 1, height: 1 });
});

test.each([
	["another kind of file", ppm("P5\n3 2\n255\n", 18), /does not begin as a PPM file/],
	["nothing", new Uint8Array(0), /does not begin/],
	["a header without an end", ppm(`P6\n${"#".repeat(500)}`, 0), /does not begin/],
	["65536 shades", ppm("P6\n1 1\n65535\n", 6), /65535 shades; 255 can be read/],
	["a picture that ends early", ppm("P6\n3 2\n255\n", 17), /ends after 17 of 18 bytes/],
	["a picture too wide", ppm("P6\n4097 1\n255\n", 10), /is 4097 x 1; up to 4096 x 4096/],
	["a picture without rows", ppm("P6\n4 0\n255\n", 10), /is 4 x 0/],
	["sizes whose product is beyond all memory", ppm("P6\n999999 999999\n255\n", 10), /999999 x 999999/],
])("%s is refused", (_, file, message) => {
	expect(() => readPpm(file)).toThrow(FrameError);
	expect(() => readPpm(file)).toThrow(message);
});
