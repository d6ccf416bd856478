import type { Bus } from "../../api/guest.ts";
import type { Hardware } from "../hardware.ts";

/** An underscore is in no name of a disk. */
export const hotplugController = "data_disks";

/** Where a disk or a drive is plugged in. */
export interface Place {
	driver: string;
	bus?: string;
	unit?: number;
}

/** Devices on a chip set's own channels: IDE has two with two devices each, SATA six with one each. */
const most = { ide: 4, sata: 6 } as const;

/** QEMU's names of the controllers that have to be added for a bus; the others are on the board, or each disk's own. */
const added: Partial<Record<Bus, string>> = { lsi: "lsi53c895a", "lsi-sas": "mptsas1068", pvscsi: "pvscsi" };

/**
 * What is wrong with where disks and drives are to be attached.
 * @returns undefined when nothing is; the rule that is broken, in words, else
 */
export function whyNotAttachable(
	{ machine }: Pick<Hardware["platform"], "machine">,
	disks: readonly { bus: Bus }[],
	drives: number,
): string | undefined {
	const on = (bus: Bus) => disks.filter((disk) => disk.bus === bus).length;
	if (machine === "q35" && on("ide") > 0)
		return "the chip set q35 has no IDE; say `machine: pc`, or use `sata`";
	const board = drivesBus(machine);
	for (const bus of ["ide", "sata"] as const) {
		const used = on(bus) + (bus === board ? drives : 0);
		if (used > most[bus])
			return `${bus} has room for ${most[bus]} disks and CD drives, and these are ${used}`;
	}
	if (on("lsi") > 7 || on("lsi-sas") > 7 || on("pvscsi") > 7) return "a SCSI controller has room for 7 disks";
	return undefined;
}

/** Each board's own: what every firmware and installer knows. */
const drivesBus = (machine: Hardware["platform"]["machine"]) => (machine === "q35" ? "sata" : "ide");

/** The controllers that a machine's disks need. */
export function controllerArguments({ disks, hotplug, platform }: Hardware): string[] {
	const used = [...new Set(disks.map(({ bus }) => bus))];
	return [
		...(hotplug || used.includes("virtio-scsi")
			? ["-device", `virtio-scsi-pci,id=${hotplugController}`]
			: []),
		...(used.includes("sata") && platform.machine === "pc" ? ["-device", "ich9-ahci,id=sata"] : []),
		...used.flatMap((bus) => (added[bus] === undefined ? [] : ["-device", `${added[bus]},id=${bus}`])),
	];
}

/** Where each disk is plugged in, in the same order. */
export function placesOf({ disks, platform }: Pick<Hardware, "disks" | "platform">): Place[] {
	return disks.map((disk, i) => {
		const before = disks.slice(0, i).filter(({ bus }) => bus === disk.bus).length;
		switch (disk.bus) {
			case "virtio":
				return { driver: "virtio-blk-pci" };
			case "virtio-scsi":
				return { driver: "scsi-hd", bus: `${hotplugController}.0` };
			case "sata":
				return { driver: "ide-hd", bus: `${platform.machine === "pc" ? "sata" : "ide"}.${before}` };
			case "ide":
				return { driver: "ide-hd", ...ideChannel(before) };
			default:
				return { driver: "scsi-hd", bus: `${disk.bus}.0` };
		}
	});
}

/** Where a CD drive is plugged in: from the last channel downwards, so that disks keep theirs when drives come and go. */
export function drivePlace({ machine }: Hardware["platform"], index: number): Place {
	const last = most[drivesBus(machine)] - 1 - index;
	return { driver: "ide-cd", ...(machine === "q35" ? { bus: `ide.${last}` } : ideChannel(last)) };
}

function ideChannel(n: number): { bus: string; unit: number } {
	return { bus: `ide.${n >> 1}`, unit: n & 1 };
}
