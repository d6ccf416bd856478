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

/** `ostype` of Proxmox stands for a client and a server of one age; servers are what is moved. qm.conf(5). */
const ostypes: ReadonlyMap<string, string> = new Map([
	["win11", "windows2022"],
	["win10", "windows2019"],
	["win8", "windows2012"],
	["win7", "windows2008"],
	["w2k8", "windows2008"],
	["wxp", "windows2003"],
	["wvista", "windows2008"],
]);

/** Reads /etc/pve/qemu-server/VMID.conf: lines of `key: value`, then sections of snapshots. @throws DescriptionError */
export function readProxmox(text: string): Described {
	const { settings, hasSnapshots } = settingsOf(text);
	const value = (key: string) => settings.get(key);
	const uefi = value("bios") === "ovmf";
	const secure = uefi && optionsOf(value("efidisk0") ?? "").get("pre-enrolled-keys") === "1";
	const ostype = value("ostype") ?? "";
	const tpm = settings.has("tpmstate0");
	const told = [
		...(hasSnapshots ? [notes.snapshots] : []),
		...(uefi ? [notes.efi] : []),
		...(tpm ? [notes.tpm] : []),
		...(settings.has("audio0") ? [notes.sound] : []),
		...(hasAny(settings, /^(usb|hostpci)\d+$/) ? [notes.passthrough] : []),
		...(ostypes.has(ostype)
			? [
					`Proxmox calls its system ${ostype}, which is a client's and a server's name: say which it is by --guest, when it is not the server.`,
				]
			: []),
	];
	const disks = disksOf(settings, told);
	return settled({
		name: shown(value("name") ?? ""),
		guest: guessGuest(ostypes.get(ostype) ?? ostype),
		machine: /q35/.test(value("machine") ?? "") ? "q35" : "pc",
		firmware: uefi ? (secure ? "uefi-secure" : "uefi") : "bios",
		tpm,
		memoryBytes: megabytes(optionsOf(value("memory") ?? "512").get("") ?? ""),
		cpus: cpusOf(value("sockets"), value("cores")),
		disks,
		cards: cardsOf(settings),
		notes: told,
	});
}

function settingsOf(text: string): { settings: Settings; hasSnapshots: boolean } {
	if (text.length > longestDescription) throw new DescriptionError("is too long for a machine of Proxmox");
	const settings = new Map<string, string>();
	let hasSnapshots = false;
	for (const line of text.split(/\r?\n/)) {
		// From here on it is about other times.
		if (/^\[.*\]\s*$/.test(line)) {
			hasSnapshots = true;
			break;
		}
		const [, key, value] = /^([a-z][a-z0-9]*):(.*)$/.exec(line) ?? [];
		if (key !== undefined && value !== undefined) settings.set(key, value.trim());
	}
	return { settings, hasSnapshots };
}

/** `local:100/vm-100-disk-0.qcow2,size=32G` → the first word under "", the others under their names. */
function optionsOf(value: string): ReadonlyMap<string, string> {
	return new Map(
		value.split(",").map((part): [string, string] => {
			const at = part.indexOf("=");
			return at < 0 ? ["", part] : [part.slice(0, at), part.slice(at + 1)];
		}),
	);
}

function disksOf(settings: Settings, told: string[]): DescribedDisk[] {
	const drives = [...settings]
		.filter(([key]) => /^(scsi|sata|ide|virtio)\d+$/.test(key))
		.map(([called, value]) => ({ called, options: optionsOf(value) }))
		.map(({ called, options }) => ({
			called,
			volume: options.get("") ?? options.get("file") ?? "",
			isOptical: options.get("media") === "cdrom",
		}));
	const disks = drives.filter(({ volume, isOptical }) => !isOptical && volume !== "none");
	if (disks.length < drives.length) told.push(notes.opticals);
	refuseMany(disks.length, "disks");
	disks.sort((a, b) => a.called.localeCompare(b.called, "en", { numeric: true }));
	const first = firstOf(settings);
	return disks.map(({ called, volume }) => ({
		called,
		file: volume,
		places: placesOf(volume),
		bus: busOf(called, settings, told),
		system: called === first,
	}));
}

/** `boot: order=scsi0;net0`, or the older `bootdisk: scsi0`. */
function firstOf(settings: Settings): string | undefined {
	const order =
		optionsOf(settings.get("boot") ?? "")
			.get("order")
			?.split(";") ?? [];
	return (
		order.find((name) => /^(scsi|sata|ide|virtio)\d+$/.test(name) && settings.has(name)) ??
		settings.get("bootdisk")
	);
}

/** Where Proxmox itself keeps a volume: of the storage `local` in a folder, of LVM as a device. */
function placesOf(volume: string): string[] {
	const [, storage, name = ""] = /^([A-Za-z][\w.-]*):((?:\d+\/)?[\w.-]+)$/.exec(volume) ?? [];
	if (storage === undefined || name.includes("..")) return [];
	if (storage === "local") return [`/var/lib/vz/images/${name}`];
	return storage === "local-lvm" ? [`/dev/pve/${name}`] : [`/mnt/pve/${storage}/images/${name}`];
}

function busOf(called: string, settings: Settings, told: string[]): Bus {
	if (called.startsWith("virtio")) return "virtio";
	if (called.startsWith("ide")) return "ide";
	if (called.startsWith("sata")) return "sata";
	const controller = settings.get("scsihw") ?? "lsi";
	if (controller.startsWith("virtio-scsi")) return "virtio-scsi";
	if (controller === "lsi" || controller === "lsi53c810") return "lsi";
	if (controller === "pvscsi") return "pvscsi";
	told.push(`Its disk controller ${shown(controller)} is not built here: the disk is attached by SATA.`);
	return "sata";
}

function cardsOf(settings: Settings): DescribedCard[] {
	const named = [...settings].filter(([key]) => /^net\d+$/.test(key));
	refuseMany(named.length, "network cards");
	named.sort(([a], [b]) => a.localeCompare(b, "en", { numeric: true }));
	return named.map(([, value]) => {
		const [[model = "", mac = ""] = []] = [...optionsOf(value)];
		return { mac: macOf(mac), card: cardOf(model) };
	});
}

function cpusOf(sockets = "1", cores = "1"): number | null {
	return numberOf(String((numberOf(sockets, 1, 64) ?? 1) * (numberOf(cores, 1, 64) ?? 1)), 1, 64);
}

const hasAny = (settings: Settings, pattern: RegExp) => [...settings.keys()].some((key) => pattern.test(key));

function megabytes(text: string): number | null {
	const number = numberOf(text, 1, 2 ** 26);
	return number === null ? null : number * 2 ** 20;
}
