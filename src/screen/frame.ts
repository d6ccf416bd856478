/** A picture of a screen. */
export interface Frame {
	readonly width: number;
	readonly height: number;
	/** Red, green, blue of each pixel, row by row from the top left. */
	readonly rgb: Uint8Array;
}

/** More than any screen that a server has; QEMU's standard VGA ends at 2560 x 1600. */
export const sizeLimit = 4096;

/** The header of a PPM file is one line in QEMU's, and short in everybody else's. */
const headerLimit = 200;

/** Thrown for a file that is not a picture as QEMU's `screendump` writes them. */
export class FrameError extends Error {
	override readonly name = "FrameError";
	readonly code = "bad-frame";
}

/**
 * Reads a PPM file of kind P6 with 255 shades, as QEMU's `screendump` writes it (https://netpbm.sourceforge.net/doc/ppm.html).
 * The pixels are not copied: they stay in `data`.
 * @throws FrameError that says what is wrong
 */
export function readPpm(data: Uint8Array): Frame {
	const header = new TextDecoder("latin1").decode(data.subarray(0, headerLimit));
	const found = /^P6(?:\s|#[^\n]*\n)+(\d{1,6})\s+(\d{1,6})\s+(\d{1,6})\s/.exec(header);
	if (!found) throw new FrameError("the screen's picture does not begin as a PPM file of kind P6 does");
	const [head, width = 0, height = 0, shades = 0] = [found[0], ...found.slice(1).map(Number)];
	if (shades !== 255) throw new FrameError(`the screen's picture has ${shades} shades; 255 can be read`);
	checkSize(width, height);
	const pixels = data.subarray(head.length);
	const needed = width * height * 3;
	if (pixels.length < needed) {
		throw new FrameError(`the screen's picture ends after ${pixels.length} of ${needed} bytes`);
	}
	return { width, height, rgb: pixels.subarray(0, needed) };
}

/** @throws FrameError for a picture without pixels, or one larger than any screen */
export function checkSize(width: number, height: number): void {
	if (width < 1 || height < 1 || width > sizeLimit || height > sizeLimit) {
		throw new FrameError(
			`the screen's picture is ${width} x ${height}; up to ${sizeLimit} x ${sizeLimit} can be read`,
		);
	}
}

/** One row of pixels. */
export function rowOf({ rgb, width }: Frame, y: number): Uint8Array {
	return rgb.subarray(y * width * 3, (y + 1) * width * 3);
}
