import type { Disk, Hardware } from "../hardware.ts";

/** All disks of a session share one throttle: a guest gone wild leaves the host's disk to others. */
export function diskArguments({ disks, limits }: Hardware): string[] {
	const throttle = {
		"qom-type": "throttle-group",
		id: "disk-limits",
		limits: { "bps-total": limits.bytesPerSecond, "iops-total": limits.operationsPerSecond },
	};
	return ["-object", JSON.stringify(throttle), ...disks.flatMap((disk, index) => oneDisk(disk, index))];
}

function oneDisk(disk: Disk, index: number): string[] {
	// Write-back honours the guest's flushes: what a guest was told is on disk is on disk, also after SIGKILL.
	const cache = { direct: false, "no-flush": disk.keep === "throw-away" };
	const node = {
		driver: "throttle",
		"node-name": `disk-${disk.name}`,
		"throttle-group": "disk-limits",
		file: {
			driver: "qcow2",
			discard: "unmap",
			cache,
			// One writer: QEMU's own lock on the image stays on.
			file: { driver: "file", filename: disk.file, locking: "on", discard: "unmap", cache },
		},
	};
	return [
		...["-blockdev", JSON.stringify(node)],
		...[
			"-device",
			// A full host disk pauses the guest instead of feeding it errors.
			`virtio-blk-pci,id=${disk.name},drive=disk-${disk.name},serial=${disk.name},bootindex=${index + 1},werror=enospc,rerror=report`,
		],
	];
}
