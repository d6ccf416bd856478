/** What of an image cannot be right: it is broken, or made to do harm. Its message is for people. */
export class BadImage extends Error {
	override readonly name = "BadImage";
}

/** Bytes of an image, which nobody has looked at yet. */
export interface Source {
	/** Bytes. */
	readonly size: number;
	/** @throws BadImage when they are not all there, or more than is reasonable */
	read(offset: number, length: number): Buffer;
}

/** A file within an image, as pieces of it in their order. */
export interface Extents {
	readonly size: number;
	readonly pieces: readonly { offset: number; length: number }[];
}

/** More than any structure of a file system or the list of a WIM's images has. */
const largestRead = 8 * 2 ** 20;

/** @param readAt as `fs.readSync`: fills the buffer from an offset, and tells how much there was */
export function sourceOf(size: number, readAt: (buffer: Buffer, offset: number) => number): Source {
	return {
		size,
		read(offset, length) {
			if (!Number.isSafeInteger(offset) || !Number.isSafeInteger(length) || offset < 0 || length < 0)
				throw new BadImage("it points to a place that cannot be");
			if (length > largestRead) throw new BadImage("one of its structures is absurdly large");
			if (offset + length > size)
				throw new BadImage("it points beyond its own end: it is not complete, or damaged");
			const buffer = Buffer.alloc(length);
			for (let done = 0; done < length; ) {
				const count = readAt(buffer.subarray(done), offset + done);
				if (count <= 0) throw new BadImage("it ended while it was being read");
				done += count;
			}
			return buffer;
		},
	};
}

/** @returns a file of an image as a source of its own */
export function fileSource(image: Source, { size, pieces }: Extents): Source {
	return sourceOf(size, (buffer, offset) => {
		let start = 0;
		for (const piece of pieces) {
			if (offset < start + piece.length) {
				const within = offset - start;
				const count = Math.min(buffer.length, piece.length - within);
				return image.read(piece.offset + within, count).copy(buffer);
			}
			start += piece.length;
		}
		return 0;
	});
}

/** A number of eight bytes. @throws BadImage when it is larger than any file can be */
export function readLong(buffer: Buffer, offset: number): number {
	const value = buffer.readBigUInt64LE(offset);
	if (value > 2n ** 50n) throw new BadImage("it tells of a size that cannot be");
	return Number(value);
}
