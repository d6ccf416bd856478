import type { Disk, Hardware } from "../hardware.ts";

/** An underscore is in no name of a disk. */
const controller = "data_disks";
const throttle = "disk-limits";
/** A full host disk pauses the guest instead of feeding it errors. */
const onError = { werror: "enospc", rerror: "report" };

/** All disks of a session share one throttle: a guest gone wild leaves the host's disk to others. */
export function diskArguments({ disks, limits, dataBus }: Hardware): string[] {
	const group = {
		"qom-type": "throttle-group",
		id: throttle,
		limits: { "bps-total": limits.bytesPerSecond, "iops-total": limits.operationsPerSecond },
	};
	const scsi = dataBus === "scsi";
	return [
		...["-object", JSON.stringify(group)],
		...(scsi ? ["-device", `virtio-scsi-pci,id=${controller}`] : []),
		...disks.flatMap((disk, index) => [
			...["-blockdev", JSON.stringify(diskNode(disk))],
			...["-device", flat(scsi && disk.name !== "system" ? scsiDisk(disk) : virtioDisk(disk, index))],
		]),
	];
}

/** What QEMU reads and writes a disk by: `blockdev-add` takes it, too. */
export function diskNode(disk: Disk) {
	// Write-back honours the guest's flushes: what a guest was told is on disk is on disk, also after SIGKILL.
	const cache = { direct: false, "no-flush": disk.keep === "throw-away" };
	return {
		driver: "throttle",
		"node-name": nodeOf(disk),
		"throttle-group": throttle,
		file: {
			driver: "qcow2",
			discard: "unmap",
			cache,
			// One writer: QEMU's own lock on the image stays on.
			file: { driver: "file", filename: disk.file, locking: "on", discard: "unmap", cache },
		},
	};
}

/** A data disk that can come and go while the guest runs: `device_add` takes it, too. */
export function scsiDisk(disk: Disk) {
	return {
		driver: "scsi-hd",
		id: disk.name,
		bus: `${controller}.0`,
		drive: nodeOf(disk),
		serial: disk.name,
		...onError,
	};
}

export const nodeOf = ({ name }: Pick<Disk, "name">) => `disk-${name}`;

function virtioDisk(disk: Disk, index: number) {
	return {
		driver: "virtio-blk-pci",
		id: disk.name,
		drive: nodeOf(disk),
		serial: disk.name,
		bootindex: index + 1,
		...onError,
	};
}

function flat({ driver, ...properties }: Record<string, string | number>): string {
	return [driver, ...Object.entries(properties).map(([name, value]) => `${name}=${value}`)].join(",");
}
