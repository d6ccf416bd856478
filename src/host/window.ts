import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";

/** A stretch of a file that somebody else has made; nothing outside of it can be read. */
export class FileWindow {
	private readonly file: FileHandle;
	private readonly start: number;
	/** In bytes. */
	readonly size: number;

	constructor(file: FileHandle, start: number, size: number) {
		this.file = file;
		this.start = start;
		this.size = size;
	}

	/** @returns `length` bytes from `offset`; fewer where it ends */
	async read(offset: number, length: number): Promise<Buffer> {
		const within = Math.max(0, Math.min(length, this.size - offset));
		const buffer = Buffer.alloc(within);
		for (let done = 0; done < within; ) {
			const { bytesRead } = await this.file.read(buffer, done, within - done, this.start + offset + done);
			if (bytesRead === 0) return buffer.subarray(0, done);
			done += bytesRead;
		}
		return buffer;
	}
}

/** Opens a file for reading that may be anything: a pipe makes nobody wait, and the last part of its name is no link. */
export async function openUnknown(path: string): Promise<FileHandle> {
	return await open(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW);
}
