import type { FileWindow } from "../../host/window.ts";
import { cutOff } from "./formats.ts";

const sector = 512;
/** Of the protective partition before a GPT, whose length is often written as the largest number. */
const protective = 0xee;

/**
 * Looks whether a raw disk is there to its end, as far as its partition table tells.
 * @throws ImageError
 */
export async function checkRaw(image: FileWindow): Promise<void> {
	if (image.size % sector !== 0) throw cutOff(`its ${image.size} bytes are no whole number of sectors`);
	const head = await image.read(0, 2 * sector);
	if (head.readUInt16LE(510) !== 0xaa55) return;
	for (let entry = 446; entry < 510; entry += 16) {
		const [kind, first, count] = [
			head[entry + 4] ?? 0,
			head.readUInt32LE(entry + 8),
			head.readUInt32LE(entry + 12),
		];
		const boots = head[entry] === 0 || head[entry] === 0x80;
		// What is no partition table is the code of a boot sector.
		if (!boots) return;
		if (kind === 0 || kind === protective || count === 0) continue;
		if ((first + count) * sector > image.size)
			throw cutOff("its partition table names sectors beyond its end");
	}
	if (head.length < 2 * sector || head.toString("latin1", sector, sector + 8) !== "EFI PART") return;
	const last = head.readBigUInt64LE(sector + 32);
	if ((last + 1n) * BigInt(sector) > BigInt(image.size))
		throw cutOff("the second copy of its partition table (GPT) is missing");
}
