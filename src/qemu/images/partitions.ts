import { chown, mkdtemp, open, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { qemuImg, written } from "./confined.ts";
import { type Examination, type Image, naming, optionsOf, readingOf } from "./examine.ts";

/** What the beginning of a disk tells of the system on it. */
export interface Layout {
	table: "gpt" | "mbr" | "none";
	/** How it starts, as far as that can be told. */
	firmware: "bios" | "uefi" | null;
	/** Whether it has a partition of a kind that Windows alone makes. */
	windows: boolean;
}

const sector = 512;
/** The tables of a GPT end there. */
const firstSectors = 34;
const kinds = {
	efiSystem: "28732ac11ff8d211ba4b00a0c93ec93b",
	biosBoot: "4861682149646f6e744e656564454649",
	microsoftReserved: "16e3c9e35c0bb84d817df92df00215ae",
} as const;
const ntfs = 0x07;

/** Looks at a disk's partition table, whatever its image is. @throws ImageError */
export async function layoutOf(image: Image, { uid, signal }: Examination): Promise<Layout> {
	const folder = await mkdtemp(join(tmpdir(), "bulkhead-look-"));
	try {
		const to = join(folder, "sectors");
		await using file = await open(to, "wx+", 0o600);
		await chown(to, uid, uid);
		await naming(image.source.named, async () => {
			const first = ["bs=512", `count=${firstSectors}`, `if=${optionsOf(image)}`, `of=${written}`];
			await qemuImg(["dd", "--image-opts", "-O", "raw", ...first], {
				uid,
				...readingOf(image),
				writable: to,
				deadlineMs: 60_000,
				...(signal ? { signal } : {}),
			});
		});
		return readLayout(await readFile(file));
	} finally {
		await rm(folder, { recursive: true, force: true });
	}
}

/** @param head the first 34 sectors of a disk */
export function readLayout(head: Buffer): Layout {
	if (head.length < 2 * sector || head.readUInt16LE(510) !== 0xaa55)
		return { table: "none", firmware: null, windows: false };
	const code = head.subarray(0, 440).some((byte) => byte !== 0);
	if (head.toString("latin1", sector, sector + 8) !== "EFI PART") {
		const windows = [450, 466, 482, 498].some((at) => head[at] === ntfs);
		return { table: "mbr", firmware: "bios", windows };
	}
	const found = new Set<string>();
	for (let at = 2 * sector; at + 128 <= head.length; at += 128) found.add(head.toString("hex", at, at + 16));
	const windows = found.has(kinds.microsoftReserved);
	// Linux is often made to start in both ways: as it did, nobody can tell; with either it does.
	if (found.has(kinds.biosBoot) && code) return { table: "gpt", firmware: "bios", windows };
	return { table: "gpt", firmware: found.has(kinds.efiSystem) ? "uefi" : "bios", windows };
}
