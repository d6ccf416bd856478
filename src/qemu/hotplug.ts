import { setTimeout as delay } from "node:timers/promises";
import { diskNode, nodeOf, scsiDisk } from "./command-line/disks.ts";
import type { Disk } from "./hardware.ts";
import type { QmpConnection } from "./qmp/connection.ts";
import { QmpError } from "./qmp/errors.ts";

const releasedWithinMs = 1000;

/** Gives a disk to a machine that runs or is paused. @throws QmpError, for one that another process still writes to */
export async function attachDisk(monitor: QmpConnection, disk: Disk): Promise<void> {
	await monitor.execute("blockdev-add", { ...diskNode(disk) });
	await monitor.execute("device_add", { ...scsiDisk(disk) });
}

/**
 * Takes a disk away from a paused machine; what it was told is on disk is, and its lock on the image is gone. A SCSI
 * disk goes without the guest's consent.
 * @throws QmpError when QEMU does not let go of it within a second
 */
export async function detachDisk(monitor: QmpConnection, { name }: Disk): Promise<void> {
	await monitor.execute("device_del", { id: name });
	const end = performance.now() + releasedWithinMs;
	for (;;) {
		try {
			await monitor.execute("blockdev-del", { "node-name": nodeOf({ name }) });
			return;
		} catch (error) {
			// The device is still being taken apart.
			if (!(error instanceof QmpError) || performance.now() > end) throw error;
			await delay(2);
		}
	}
}
