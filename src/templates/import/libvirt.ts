import type { Bus } from "../../api/guest.ts";
import { cardOf } from "./cards.ts";
import {
	type Described,
	type DescribedCard,
	type DescribedDisk,
	DescriptionError,
	macOf,
	notes,
	numberOf,
	refuseMany,
	settled,
	shown,
} from "./described.ts";
import { guessGuest } from "./guess.ts";
import { child, children, descendants, textIn, type XmlElement } from "./xml.ts";

/** Reads what `virsh dumpxml --inactive` writes. @throws DescriptionError */
export function readLibvirt(domain: XmlElement): Described {
	if (domain.name !== "domain")
		throw new DescriptionError("is no machine of libvirt: its outermost element is not <domain>");
	const devices = child(domain, "devices");
	const os = child(domain, "os");
	const efi = isEfi(os);
	const has = (name: string) => children(devices, name).length > 0;
	const told = [
		...(efi ? [notes.efi] : []),
		...(has("tpm") ? [notes.tpm] : []),
		...(has("sound") ? [notes.sound] : []),
		...(has("hostdev") || has("redirdev") ? [notes.passthrough] : []),
		...(has("filesystem") ? [notes.folders] : []),
	];
	const osinfo = [...descendants(domain, "os")].map(({ attributes }) => attributes.get("id"));
	return settled({
		name: shown(textIn(domain, "name")),
		guest: guessGuest(...osinfo),
		machine: /q35/.test(child(os, "type")?.attributes.get("machine") ?? "") ? "q35" : "pc",
		firmware: efi ? (isSecure(os) ? "uefi-secure" : "uefi") : "bios",
		tpm: has("tpm"),
		memoryBytes: memoryOf(child(domain, "memory")),
		cpus: numberOf(textIn(domain, "vcpu"), 1, 64),
		disks: disksOf(devices, told),
		cards: cardsOf(devices),
		notes: told,
	});
}

function isEfi(os: XmlElement | undefined): boolean {
	const loader = child(os, "loader");
	return os?.attributes.get("firmware") === "efi" || loader?.attributes.get("type") === "pflash";
}

function isSecure(os: XmlElement | undefined): boolean {
	const enrolled = children(child(os, "firmware"), "feature").some(
		({ attributes }) => attributes.get("name") === "enrolled-keys" && attributes.get("enabled") === "yes",
	);
	return enrolled || child(os, "loader")?.attributes.get("secure") === "yes";
}

/** In KiB when it does not say; `KB` is 1000 bytes, `K` and `KiB` 1024: formatdomain.html. */
const units: ReadonlyMap<string, number> = new Map([
	["b", 1],
	["bytes", 1],
	["kb", 1e3],
	["k", 2 ** 10],
	["kib", 2 ** 10],
	["mb", 1e6],
	["m", 2 ** 20],
	["mib", 2 ** 20],
	["gb", 1e9],
	["g", 2 ** 30],
	["gib", 2 ** 30],
	["tb", 1e12],
	["t", 2 ** 40],
	["tib", 2 ** 40],
]);

function memoryOf(memory: XmlElement | undefined): number | null {
	const number = numberOf(memory?.text, 1, 2 ** 48);
	const unit = units.get(memory?.attributes.get("unit")?.toLowerCase() ?? "kib");
	return number === null || unit === undefined ? null : number * unit;
}

function disksOf(devices: XmlElement | undefined, told: string[]): DescribedDisk[] {
	const drives = children(devices, "disk");
	const disks = drives.filter(({ attributes }) => (attributes.get("device") ?? "disk") === "disk");
	if (disks.length < drives.length) told.push(notes.opticals);
	refuseMany(disks.length, "disks");
	const found = disks.map((disk): DescribedDisk & { order: number } => {
		const target = child(disk, "target")?.attributes;
		const called = shown(target?.get("dev") ?? "");
		const source = child(disk, "source")?.attributes;
		const file = source?.get("file") ?? source?.get("dev") ?? source?.get("name") ?? "";
		// An empty one is what `dumpxml` shows of a machine that runs.
		if ((child(disk, "backingStore")?.children.length ?? 0) > 0)
			throw new DescriptionError(
				`has a snapshot, or leans on another image (${called}); merge it in libvirt (virsh blockcommit, or blockpull), and write the description again`,
			);
		const bus = busOf(target?.get("bus") ?? "", disk, devices, told);
		const order = numberOf(child(disk, "boot")?.attributes.get("order"), 1, 1000) ?? 1001;
		return { called, file, places: placesOf(file, source?.get("pool")), bus, system: false, order };
	});
	return found.sort((a, b) => a.order - b.order).map(({ order: _, ...disk }) => disk);
}

/** Only where libvirt's own disks are: a description may come from anybody, and name any file of this host. */
function placesOf(file: string, pool: string | undefined): string[] {
	if (file.includes("..")) return [];
	if (/^\/var\/lib\/libvirt\/images\/[^\0\n]+$/.test(file)) return [file];
	return pool === "default" && /^[^/\0\n]+$/.test(file) ? [`/var/lib/libvirt/images/${file}`] : [];
}

const scsiModels: ReadonlyMap<string, Bus> = new Map<string, Bus>([
	["virtio-scsi", "virtio-scsi"],
	["virtio-transitional", "virtio-scsi"],
	["virtio-non-transitional", "virtio-scsi"],
	["lsilogic", "lsi"],
	["lsisas1068", "lsi-sas"],
	["vmpvscsi", "pvscsi"],
]);

function busOf(bus: string, disk: XmlElement, devices: XmlElement | undefined, told: string[]): Bus {
	if (bus === "virtio" || bus === "ide" || bus === "sata") return bus;
	if (bus === "scsi") {
		const number = child(disk, "address")?.attributes.get("controller") ?? "0";
		const controller = children(devices, "controller").find(
			({ attributes }) => attributes.get("type") === "scsi" && attributes.get("index") === number,
		);
		const known = scsiModels.get(controller?.attributes.get("model") ?? "lsilogic");
		if (known) return known;
	}
	told.push(`A disk of it is attached by ${shown(bus)}, which is not built here: it is attached by SATA.`);
	return "sata";
}

function cardsOf(devices: XmlElement | undefined): DescribedCard[] {
	const found = children(devices, "interface");
	refuseMany(found.length, "network cards");
	return found.map((card) => ({
		mac: macOf(child(card, "mac")?.attributes.get("address")),
		card: cardOf(child(card, "model")?.attributes.get("type") ?? "rtl8139"),
	}));
}
