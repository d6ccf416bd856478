import type { Bus } from "../../api/guest.ts";
import { cardOf } from "./cards.ts";
import {
	type Described,
	type DescribedCard,
	type DescribedDisk,
	DescriptionError,
	longestDescription,
	macOf,
	notes,
	numberOf,
	refuseMany,
	settled,
	shown,
} from "./described.ts";
import { guessGuest } from "./guess.ts";

type Settings = ReadonlyMap<string, string>;

/** Reads a .vmx of VMware Workstation or ESXi: lines of `key = "value"`. @throws DescriptionError */
export function readVmx(text: string): Described {
	const settings = settingsOf(text);
	const value = (key: string) => settings.get(key);
	if (value("encryption.keysafe") !== undefined || value("encryption.data") !== undefined)
		throw new DescriptionError("is of an encrypted machine; take the encryption away in VMware first");
	const told: string[] = [];
	const efi = value("firmware")?.toLowerCase() === "efi";
	if (efi) told.push(notes.efi);
	if (isOn(value("sound.present"))) told.push(notes.sound);
	if ([...settings.keys()].some((key) => /^sharedfolder\d+\.present$/.test(key))) told.push(notes.folders);
	if ([...settings.keys()].some((key) => /^(usb\.autoconnect|pcipassthru\d+\.present)/.test(key)))
		told.push(notes.passthrough);
	const disks = disksOf(settings, efi, told);
	const secure = isOn(value("uefi.secureboot.enabled"));
	return settled({
		name: shown(value("displayname") ?? ""),
		guest: guessGuest(value("guestos"), value("guestinfo.detailed.data")),
		machine: null,
		firmware: efi ? (secure ? "uefi-secure" : "uefi") : "bios",
		tpm: isOn(value("vtpm.present")),
		memoryBytes: megabytes(value("memsize") ?? "256"),
		cpus: numberOf(value("numvcpus") ?? "1", 1, 64),
		disks,
		cards: cardsOf(settings),
		notes: told,
	});
}

function settingsOf(text: string): Settings {
	if (text.length > longestDescription) throw new DescriptionError("is too long for a .vmx");
	const settings = new Map<string, string>();
	for (const line of text.split(/\r?\n/)) {
		const [, key, value] = /^\s*([\w.:/-]+)\s*=\s*"(.*)"\s*$/.exec(line) ?? [];
		// Signs that would end the value are written as |22.
		if (key !== undefined && value !== undefined)
			settings.set(
				key.toLowerCase(),
				value.replaceAll(/\|([0-9A-Fa-f]{2})/g, (_, hex: string) =>
					String.fromCharCode(Number.parseInt(hex, 16)),
				),
			);
	}
	if (!settings.has("config.version") && !settings.has("virtualhw.version"))
		throw new DescriptionError("is no .vmx: it does not say which version of one it is");
	return settings;
}

function disksOf(settings: Settings, efi: boolean, told: string[]): DescribedDisk[] {
	const hard = hardDisksOf(settings, told);
	refuseMany(hard.length, "disks");
	const disks = hard.map(({ called, file }): DescribedDisk => {
		if (/-\d{6}\.vmdk$/i.test(file))
			throw new DescriptionError(
				`has a snapshot (${shown(file)}); delete all snapshots in VMware (consolidate them), which keeps what the machine is now, and import it again`,
			);
		if (/independent-nonpersistent/i.test(settings.get(`${called}.mode`) ?? "")) told.push(notes.snapshots);
		const controller = called.split(":")[0] ?? "";
		const bus = busOf(controller, settings.get(`${controller}.virtualdev`), efi, told);
		return { called, file, places: [], bus, system: false };
	});
	// By the order in which a BIOS of VMware's looks at them: IDE, then SCSI, SATA, NVMe, by number.
	const rank = ({ called }: DescribedDisk) =>
		["ide", "scsi", "sata", "nvme"].findIndex((kind) => called.startsWith(kind));
	disks.sort((a, b) => rank(a) - rank(b) || a.called.localeCompare(b.called, "en", { numeric: true }));
	return disks;
}

function hardDisksOf(settings: Settings, told: string[]): Pick<DescribedDisk, "called" | "file">[] {
	const disks: Pick<DescribedDisk, "called" | "file">[] = [];
	for (const [key, file] of settings) {
		const called = /^((?:scsi|sata|ide|nvme)\d:\d+)\.filename$/.exec(key)?.[1];
		if (called === undefined || !isOn(settings.get(`${called}.present`) ?? "true")) continue;
		const kind = settings.get(`${called}.devicetype`)?.toLowerCase() ?? "";
		if (/cdrom|^atapi/.test(kind) || !/\.vmdk$/i.test(file)) told.push(notes.opticals);
		else disks.push({ called, file });
	}
	return disks;
}

function busOf(controller: string, model: string | undefined, efi: boolean, told: string[]): Bus {
	if (controller.startsWith("ide")) return "ide";
	if (controller.startsWith("sata")) return "sata";
	if (controller.startsWith("nvme")) {
		told.push(notes.nvme);
		return "sata";
	}
	return scsiBus(model, efi, told);
}

/**
 * @param model as VMware and VirtualBox name it. `lsilogic` is the LSI 53C1030, which QEMU does not build: its `lsi` is
 * the 53C895A, for which systems have another driver.
 */
export function scsiBus(model: string | undefined, efi: boolean, told: string[]): Bus {
	switch (model?.toLowerCase()) {
		case "lsisas1068":
		case "lsilogicsas":
			return "lsi-sas";
		case "pvscsi":
		case "virtualscsi":
			return "pvscsi";
		default:
			told.push(notes.parallel);
			return efi ? "sata" : "ide";
	}
}

function cardsOf(settings: Settings): DescribedCard[] {
	const numbers = Array.from({ length: 10 }, (_, i) => `ethernet${i}`);
	return numbers
		.filter((card) => isOn(settings.get(`${card}.present`)))
		.map((card) => ({
			mac: macOf(settings.get(`${card}.address`) ?? settings.get(`${card}.generatedaddress`)),
			card: cardOf(settings.get(`${card}.virtualdev`) ?? "vlance"),
		}));
}

const isOn = (value: string | undefined) => value?.toLowerCase() === "true";

function megabytes(text: string): number | null {
	const number = numberOf(text, 1, 2 ** 26);
	return number === null ? null : number * 2 ** 20;
}
