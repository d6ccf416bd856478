import type { FileWindow } from "../../host/window.ts";
import { ImageError } from "../image.ts";
import { cutOff } from "./formats.ts";

const kind = { dynamic: 1, static: 2 } as const;

/** VDI, VirtualBox's own, as block/vdi.c of QEMU describes it. @throws ImageError for a snapshot, or one that is not whole */
export async function checkVdi(image: FileWindow): Promise<void> {
	const head = await image.read(0, 512);
	if (head.length < 512) throw cutOff("its header is not whole");
	const type = head.readUInt32LE(0x4c);
	if (type !== kind.dynamic && type !== kind.static)
		throw new ImageError(
			"is a snapshot that depends on another file; delete all snapshots in VirtualBox, or clone the disk: VBoxManage clonemedium",
		);
	const [dataAt, blockBytes, blocks] = [
		head.readUInt32LE(0x158),
		head.readUInt32LE(0x178),
		head.readUInt32LE(0x184),
	];
	if (dataAt + blocks * blockBytes > image.size) throw cutOff("it is shorter than its blocks");
}
