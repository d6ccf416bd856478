import type { Bus, Card, FirmwareKind, GuestName, MachineKind } from "../../api/guest.ts";

/** A machine of another house, as its description says it. */
export interface Described {
	name: string;
	guest: GuestName;
	machine: MachineKind | null;
	firmware: FirmwareKind | null;
	tpm: boolean;
	memoryBytes: number | null;
	cpus: number | null;
	disks: DescribedDisk[];
	cards: DescribedCard[];
	/** What is not taken over, or has to be seen to, in words. */
	notes: string[];
}

export interface DescribedDisk {
	/** What the description calls it, for people: `scsi0:0`, `sda`. */
	called: string;
	/** Its file as the description names it. */
	file: string;
	/** Where else the house that it is from keeps it, when it is not beside the description. */
	places: string[];
	bus: Bus | null;
	system: boolean;
}

export interface DescribedCard {
	mac: string | null;
	card: Card | null;
}

/** Thrown for a description that cannot be used, with the reason in words for the user. */
export class DescriptionError extends Error {
	override readonly name = "DescriptionError";
}

/** Descriptions have a few KiB. */
export const longestDescription = 4 * 2 ** 20;

/** No machine has more than the site file takes: one system disk and 16 for data. */
const most = { disks: 17, "network cards": 64 } as const;

/**
 * To be asked before anything is done with each of them: a description may have a hundred thousand.
 * @throws DescriptionError
 */
export function refuseMany(count: number, what: keyof typeof most): void {
	if (count > most[what]) throw new DescriptionError(`has ${count} ${what}; the most are ${most[what]}`);
}

/**
 * What all kinds of descriptions have in common: the first disk is the one that it starts from, what QEMU builds in no
 * other machine decides which it is, and what a server here does not have is told.
 * @throws DescriptionError without a disk, with too many, or with one that no file can be called
 */
export function settled(described: Described): Described {
	const { disks, cards, notes, machine } = described;
	if (disks.length === 0)
		throw new DescriptionError("describes a machine without a disk; name its disk instead");
	refuseMany(disks.length, "disks");
	refuseMany(cards.length, "network cards");
	for (const { called, file } of disks)
		if (/\p{Cc}/u.test(file))
			throw new DescriptionError(
				`has a disk ${called} (${shown(file)}) whose file name has control characters; give the file another name there, and export it again`,
			);
	const system = Math.max(
		0,
		disks.findIndex(({ system }) => system),
	);
	const more = cards.length > 1 ? [`It has ${cards.length} network cards; the first is taken over.`] : [];
	return {
		...described,
		// IDE is of the older chip set alone.
		machine: disks.some(({ bus }) => bus === "ide") ? "pc" : machine,
		disks: disks.map((disk, i) => ({ ...disk, system: i === system })),
		notes: [...new Set([...notes, ...more])],
	};
}

/** @returns the hardware address as the site file takes it; null for one that no card of ours can have */
export function macOf(text: string | undefined): string | null {
	const digits = (text ?? "").toLowerCase().replaceAll(/[^0-9a-f]/g, "");
	const mac = digits.length === 12 ? (digits.match(/../g) ?? []).join(":") : "";
	return /^[0-9a-f][02468ace](:[0-9a-f]{2}){5}$/.test(mac) && mac !== "00:00:00:00:00:00" ? mac : null;
}

/** A whole number within bounds; null for anything else. */
export function numberOf(text: string | undefined, least: number, most: number): number | null {
	const number = /^\s*\d{1,15}\s*$/.test(text ?? "") ? Number(text) : Number.NaN;
	return number >= least && number <= most ? number : null;
}

/** Words of a description, as they may be shown: without signs that do something. */
export const shown = (text: string) => text.slice(0, 80).replaceAll(/\p{C}/gu, "?");

export const notes = {
	parallel:
		"Its disk controller (LSI Logic Parallel or BusLogic) is not built by QEMU: the disk is attached otherwise. When it does not boot, change the controller to LSI Logic SAS where it comes from, boot it there once, and import it again.",
	nvme: "Its disk is attached by NVMe, which is not built here: it is attached by SATA.",
	efi: "UEFI's variables stay behind: it boots from \\EFI\\BOOT\\BOOTX64.EFI, or from what its firmware finds. Where it does not boot, choose its loader once in the firmware's menu.",
	tpm: "It has a TPM here, and what was kept in the old one stays behind: keep the recovery key of BitLocker at hand.",
	snapshots: "Its snapshots are not taken over: what it is now is.",
	passthrough: "What is passed through to it from its host (USB, PCI) is not taken over.",
	sound: "Its sound card is not taken over.",
	folders: "Its shared folders are not taken over.",
	opticals: "CD and floppy drives are not taken over.",
} as const;
