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
import { scsiBus } from "./vmx.ts";
import { child, children, descendants, textIn, type XmlElement } from "./xml.ts";

/**
 * OVF, DMTF's DSP0243 (1.x and 2.x), with what VMware and VirtualBox add of their own. An item's kind is a number of
 * CIM_ResourceAllocationSettingData.
 */
const kind = {
	cpu: 3,
	memory: 4,
	ide: 5,
	scsi: 6,
	card: 10,
	floppy: 14,
	cd: 15,
	dvd: 16,
	disk: 17,
	otherStorage: 20,
	usb: 23,
	sound: 35,
} as const;

/** Reads the envelope of an OVF. @throws DescriptionError */
export function readOvf(envelope: XmlElement): Described {
	if (envelope.name !== "Envelope")
		throw new DescriptionError("is no OVF: its outermost element is not <Envelope>");
	const systems = [...descendants(envelope, "VirtualSystem")];
	const [system] = systems;
	if (!system || systems.length > 1)
		throw new DescriptionError(`holds ${systems.length} machines; export the one that is meant by itself`);
	const hardware = child(system, "VirtualHardwareSection");
	const items = ["Item", "StorageItem", "EthernetPortItem"].flatMap((name) => children(hardware, name));
	const told: string[] = [];
	const efi = isEfi(system, hardware);
	if (efi) told.push(notes.efi);
	const of = (...kinds: number[]) =>
		items.filter((item) => kinds.includes(Number(textIn(item, "ResourceType"))));
	if (of(kind.sound).length > 0 || [...descendants(system, "AudioAdapter")].some(isEnabled))
		told.push(notes.sound);
	if (of(kind.cd, kind.dvd, kind.floppy).length > 0) told.push(notes.opticals);
	const os = child(system, "OperatingSystemSection");
	const names = [os?.attributes.get("osType"), textIn(os, "OSType"), textIn(os, "Description")];
	return settled({
		name: shown(textIn(system, "Name") || (system.attributes.get("id") ?? "")),
		guest: guessGuest(...names),
		machine: null,
		firmware: efi ? (isSecure(hardware) ? "uefi-secure" : "uefi") : "bios",
		tpm: false,
		memoryBytes: memoryOf(of(kind.memory)[0]),
		cpus: numberOf(textIn(of(kind.cpu)[0], "VirtualQuantity"), 1, 64),
		disks: disksOf(envelope, of(kind.disk), items, efi, told),
		cards: cardsOf(system, of(kind.card)),
		notes: told,
	});
}

const isEnabled = ({ attributes }: XmlElement) => attributes.get("enabled") === "true";

/** VMware says it in a `vmw:Config`, VirtualBox in its own section. */
function isEfi(system: XmlElement, hardware: XmlElement | undefined): boolean {
	const vmware = configOf(hardware, "firmware") === "efi";
	const virtualBox = [...descendants(system, "Firmware")].some(({ attributes }) =>
		/^efi/i.test(attributes.get("type") ?? ""),
	);
	return vmware || virtualBox;
}

function isSecure(hardware: XmlElement | undefined): boolean {
	return configOf(hardware, "bootOptions.efiSecureBootEnabled") === "true";
}

function configOf(hardware: XmlElement | undefined, key: string): string | undefined {
	return children(hardware, "Config")
		.find(({ attributes }) => attributes.get("key") === key)
		?.attributes.get("value");
}

const namedUnits = new Map([
	["kilobytes", 10],
	["megabytes", 20],
	["gigabytes", 30],
]);

/** `byte * 2^20`, `MegaBytes`: both are written. */
function memoryOf(item: XmlElement | undefined): number | null {
	const number = numberOf(textIn(item, "VirtualQuantity"), 1, 2 ** 48);
	const units = textIn(item, "AllocationUnits") || "byte * 2^20";
	const power = /^byte(?:s)?\s*\*\s*2\s*\^\s*(\d{1,2})$/.exec(units)?.[1];
	const shift = power === undefined ? namedUnits.get(units.toLowerCase()) : Number(power);
	return number === null || shift === undefined || shift > 50 ? null : number * 2 ** shift;
}

function disksOf(
	envelope: XmlElement,
	disks: readonly XmlElement[],
	items: readonly XmlElement[],
	efi: boolean,
	told: string[],
): DescribedDisk[] {
	refuseMany(disks.length, "disks");
	const described = firstBy(descendants(envelope, "Disk"), ({ attributes }) => attributes.get("diskId"));
	const numbered = firstBy(items, (item) => textIn(item, "InstanceID"));
	const files = firstBy(children(child(envelope, "References"), "File"), ({ attributes }) =>
		attributes.get("id"),
	);
	const found = disks.map((item) => {
		const id = /^(?:ovf:)?\/disk\/(.+)$/.exec(textIn(item, "HostResource"))?.[1] ?? "";
		const disk = described.get(id);
		const controller = numbered.get(textIn(item, "Parent"));
		const place = [textIn(controller, "Address"), textIn(item, "AddressOnParent")].map(
			(text) => numberOf(text, 0, 1000) ?? 0,
		);
		return { item, disk, id, controller, place };
	});
	found.sort((a, b) => (a.place[0] ?? 0) - (b.place[0] ?? 0) || (a.place[1] ?? 0) - (b.place[1] ?? 0));
	const names = found.map(({ item, id }) => textIn(item, "ElementName") || id);
	// What several are called tells none of them.
	const isShared = (name: string) => names.indexOf(name) !== names.lastIndexOf(name);
	return found.map(({ disk, id, controller }, i) => ({
		called: shown(isShared(names[i] ?? "") ? id : (names[i] ?? "")),
		file: fileOf(files, disk, id),
		places: [],
		bus: busOf(controller, efi, told),
		system: false,
	}));
}

/** Elements by what they are called; of several of one name the first. */
function firstBy(
	elements: Iterable<XmlElement>,
	nameOf: (element: XmlElement) => string | undefined,
): ReadonlyMap<string | undefined, XmlElement> {
	const found = new Map<string | undefined, XmlElement>();
	for (const element of elements) {
		const name = nameOf(element);
		if (!found.has(name)) found.set(name, element);
	}
	return found;
}

function fileOf(
	files: ReadonlyMap<string | undefined, XmlElement>,
	disk: XmlElement | undefined,
	id: string,
): string {
	if (disk?.attributes.has("parentRef"))
		throw new DescriptionError(
			"has a snapshot (a disk with a parent); export the machine without its snapshots",
		);
	const reference = disk?.attributes.get("fileRef");
	if (reference === undefined)
		throw new DescriptionError(
			`has a disk ${shown(id)} without a file: an empty one; take it out of the machine, and export it again`,
		);
	const file = files.get(reference);
	const href = file?.attributes.get("href") ?? "";
	if (file?.attributes.has("compression") && file.attributes.get("compression") !== "identity")
		throw new DescriptionError(
			`has its disk ${shown(href)} compressed; unpack it, and take \`ovf:compression\` out of the OVF`,
		);
	if (file?.attributes.has("chunkSize"))
		throw new DescriptionError(`has its disk ${shown(href)} in pieces; export it as one file`);
	return decoded(href);
}

/** References are URIs: a blank is written as %20. */
function decoded(href: string): string {
	try {
		return decodeURIComponent(href);
	} catch {
		return href;
	}
}

function busOf(controller: XmlElement | undefined, efi: boolean, told: string[]): Bus {
	const model = textIn(controller, "ResourceSubType").toLowerCase();
	const own = ours.get(model);
	if (own) return own;
	switch (Number(textIn(controller, "ResourceType"))) {
		case kind.ide:
			return "ide";
		case kind.otherStorage:
			if (model.includes("nvme")) told.push(notes.nvme);
			return "sata";
		case kind.scsi:
			return scsiBus(model, efi, told);
		default:
			return "sata";
	}
}

/** As `bulkhead export` writes them, where no other house has a name. */
const ours: ReadonlyMap<string, Bus> = new Map([
	["virtio-scsi", "virtio-scsi"],
	["virtioscsi", "virtio-scsi"],
	["virtio-blk", "virtio"],
	["lsi53c895a", "lsi"],
]);

/** VMware has the address in the item, VirtualBox in its own section. */
function cardsOf(system: XmlElement, items: readonly XmlElement[]): DescribedCard[] {
	refuseMany(items.length, "network cards");
	const adapters = [...descendants(system, "Adapter")].filter(isEnabled);
	return items.map((item, i) => ({
		mac: macOf(textIn(item, "Address")) ?? macOf(adapters[i]?.attributes.get("MACAddress")),
		card: cardOf(textIn(item, "ResourceSubType")),
	}));
}
