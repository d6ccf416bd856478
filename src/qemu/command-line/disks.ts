import { createHash } from "node:crypto";
import type { Disk, Drive, Hardware } from "../hardware.ts";
import { controllerArguments, drivePlace, hotplugController, type Place, placesOf } from "./controllers.ts";

const throttle = "disk-limits";
/** A full host disk pauses the guest instead of feeding it errors. */
const onError = { werror: "enospc", rerror: "report" };

/** All disks of a session share one throttle: a guest gone wild leaves the host's disk to others. */
export function diskArguments(hardware: Hardware): string[] {
	const { disks, hotplug, limits } = hardware;
	const group = {
		"qom-type": "throttle-group",
		id: throttle,
		limits: { "bps-total": limits.bytesPerSecond, "iops-total": limits.operationsPerSecond },
	};
	const places = placesOf(hardware);
	return [
		...["-object", JSON.stringify(group)],
		...controllerArguments(hardware),
		...disks.flatMap((disk, index) => {
			// What can be unplugged is no part of the order in which a machine boots; once one has a place in it, only those do.
			const comesAndGoes = hotplug && disk.bus === "virtio-scsi" && disk.name !== "system";
			const order = comesAndGoes ? {} : { bootindex: index + 1 };
			const { driver = "", ...place } = places[index] ?? {};
			const device = {
				driver,
				id: disk.name,
				...place,
				drive: nodeOf(disk),
				serial: serialOf(disk),
				...nameInTheWorld(hardware, disk),
				...order,
				...onError,
			};
			return ["-blockdev", JSON.stringify(diskNode(disk)), "-device", flat(device)];
		}),
	];
}

/**
 * The SAS 1068 tells only of disks with a world wide name: without one Linux' mptsas finds none (seen with QEMU 7.2 and
 * Linux 6.1). Its first digit, 3, says that it was given locally.
 */
function nameInTheWorld({ uuid }: Hardware, { bus, name }: Disk): { wwn?: string } {
	if (bus !== "lsi-sas") return {};
	return { wwn: `0x3${createHash("sha256").update(`wwn/${uuid}/${name}`).digest("hex").slice(0, 15)}` };
}

/** CD drives with their discs, which are only read. They are booted from after the disks: an empty disk is passed over. */
export function driveArguments({ disks, drives, platform }: Hardware): string[] {
	const floppies = drives.filter(({ kind }) => kind === "floppy");
	const cds = drives.filter(({ kind }) => kind === "cd");
	return [
		...cds.flatMap((drive, index) => {
			const order = { bootindex: disks.length + index + 1 };
			return driveWithDisc(drive, drivePlace(platform, index), order);
		}),
		// A board of 1996 has a controller for floppies; nobody boots from one.
		...(floppies.length > 0 && platform.machine === "q35" ? ["-device", "isa-fdc,id=fdc"] : []),
		...floppies.flatMap((drive) => {
			const bus = platform.machine === "q35" ? { bus: "fdc.0" } : {};
			return driveWithDisc(drive, { driver: "floppy", ...bus }, { "drive-type": "144" });
		}),
	];
}

function driveWithDisc(
	drive: Drive,
	{ driver, ...place }: Place,
	more: Record<string, string | number>,
): string[] {
	const disc = drive.file === null ? {} : { drive: discOf(drive) };
	return [
		...(drive.file === null ? [] : ["-blockdev", JSON.stringify(discNode(drive, drive.file))]),
		...["-device", flat({ driver, id: driveOf(drive), ...place, ...disc, ...more })],
	];
}

/** A dot is in no name of a disk. */
export const driveOf = ({ name }: Pick<Drive, "name">) => `drive.${name}`;
const discOf = ({ name }: Pick<Drive, "name">) => `disc-${name}`;

function discNode(drive: Drive, filename: string) {
	return {
		driver: "raw",
		"node-name": discOf(drive),
		"read-only": true,
		file: { driver: "file", filename, "read-only": true },
	};
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
		bus: `${hotplugController}.0`,
		drive: nodeOf(disk),
		serial: serialOf(disk),
		...onError,
	};
}

export const nodeOf = ({ name }: Pick<Disk, "name">) => `disk-${name}`;

const serialOf = ({ name }: Pick<Disk, "name">) => name;

function flat({ driver, ...properties }: Record<string, string | number>): string {
	return [driver, ...Object.entries(properties).map(([name, value]) => `${name}=${value}`)].join(",");
}
