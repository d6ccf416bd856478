import { stat, statfs } from "node:fs/promises";
import { BulkheadError } from "../api/errors.ts";
import { formatSize } from "../api/units.ts";

/** Left free on the host's disk, beyond what is written at once. */
const usualReserve = 64 * 2 ** 20;

/** @returns bytes that files take on their disks */
export async function sizeOnDisk(files: readonly string[]): Promise<number> {
	const sizes = await Promise.all(files.map(async (file) => (await stat(file)).blocks * 512));
	return sizes.reduce((sum, size) => sum + size, 0);
}

/** @throws BulkheadError disk-full when a folder's disk has not so many bytes, and a reserve beyond them */
export async function refuseWithoutRoom(
	folder: string,
	bytes: number,
	reserveBytes = usualReserve,
): Promise<void> {
	const { bavail, bsize } = await statfs(folder);
	const free = bavail * bsize;
	if (free >= bytes + reserveBytes) return;
	throw new BulkheadError(
		"disk-full",
		`${folder} needs ${formatSize(bytes + reserveBytes)} and has ${formatSize(free)} free; make room there, or move the state directory to a larger disk`,
	);
}
