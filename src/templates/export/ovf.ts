import type { Bus, Card, FirmwareKind, GuestName } from "../../api/guest.ts";

/** A server as it is written down for another house. */
export interface Exported {
	name: string;
	guest: GuestName;
	firmware: FirmwareKind;
	memoryBytes: number;
	cpus: number;
	/** The first is the one that it starts from. */
	disks: readonly ExportedDisk[];
	card: { mac: string; card: Card } | null;
}

export interface ExportedDisk {
	/** Name in the package. */
	file: string;
	/** Bytes of that file, and of the disk. */
	fileBytes: number;
	virtualBytes: number;
	bus: Bus;
}

/** Kinds of CIM_ResourceAllocationSettingData. */
const kind = { cpu: 3, memory: 4, ide: 5, scsi: 6, card: 10, disk: 17, otherStorage: 20 } as const;

/** What VMware and VirtualBox call controllers; what neither of them has keeps a name of its own. */
const controllers: Readonly<Record<Bus, { type: number; name: string; disks: number }>> = {
	ide: { type: kind.ide, name: "PIIX4", disks: 2 },
	sata: { type: kind.otherStorage, name: "AHCI", disks: 30 },
	"lsi-sas": { type: kind.scsi, name: "lsilogicsas", disks: 15 },
	pvscsi: { type: kind.scsi, name: "VirtualSCSI", disks: 15 },
	lsi: { type: kind.scsi, name: "lsi53c895a", disks: 15 },
	"virtio-scsi": { type: kind.scsi, name: "VirtioSCSI", disks: 15 },
	virtio: { type: kind.otherStorage, name: "virtio-blk", disks: 30 },
};

const cards: Readonly<Record<Card, string>> = {
	virtio: "virtio",
	e1000e: "E1000e",
	e1000: "E1000",
	vmxnet3: "VmxNet3",
	rtl8139: "RTL8139",
	pcnet: "PCNet32",
};

/** VMware's names of systems, and the numbers of CIM_OperatingSystem. */
const systems: Readonly<Record<GuestName, readonly [osType: string, id: number]>> = {
	"windows-server-2025": ["windows2022srvNext_64Guest", 1],
	"windows-server-2022": ["windows2019srvNext_64Guest", 1],
	"windows-server-2019": ["windows2019srv_64Guest", 1],
	"windows-server-2016": ["windows9Server64Guest", 1],
	"windows-server-2012-r2": ["windows8Server64Guest", 1],
	"windows-server-2008-r2": ["windows7Server64Guest", 103],
	"windows-server-2003": ["winNetStandardGuest", 69],
	"windows-2000": ["win2000ServGuest", 58],
	"windows-nt4": ["winNTGuest", 18],
	"windows-11": ["windows11_64Guest", 1],
	"windows-10": ["windows9_64Guest", 1],
	"windows-7": ["windows7_64Guest", 105],
	linux: ["otherLinux64Guest", 101],
	freebsd: ["freebsd64Guest", 78],
	other: ["otherGuest64", 1],
};

/** Writes the description of a server (OVF 1.1, DSP0243). */
export function ovfOf(server: Exported): string {
	const { name, guest, disks, firmware } = server;
	const [osType, id] = systems[guest];
	const efi =
		firmware === "bios"
			? []
			: [
					config("firmware", "efi"),
					...(firmware === "uefi-secure" ? [config("bootOptions.efiSecureBootEnabled", "true")] : []),
				];
	return [
		'<?xml version="1.0" encoding="UTF-8"?>',
		'<Envelope xmlns="http://schemas.dmtf.org/ovf/envelope/1" xmlns:ovf="http://schemas.dmtf.org/ovf/envelope/1"',
		'  xmlns:rasd="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_ResourceAllocationSettingData"',
		'  xmlns:vssd="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_VirtualSystemSettingData"',
		'  xmlns:vmw="http://www.vmware.com/schema/ovf">',
		"  <References>",
		...disks.map(
			({ file, fileBytes }, i) =>
				`    <File ovf:id="file${i + 1}" ovf:href="${escaped(file)}" ovf:size="${fileBytes}"/>`,
		),
		"  </References>",
		"  <DiskSection>",
		"    <Info>Disks</Info>",
		...disks.map(
			({ virtualBytes }, i) =>
				`    <Disk ovf:capacity="${virtualBytes}" ovf:capacityAllocationUnits="byte" ovf:diskId="vmdisk${i + 1}" ovf:fileRef="file${i + 1}" ovf:format="http://www.vmware.com/interfaces/specifications/vmdk.html#streamOptimized"/>`,
		),
		"  </DiskSection>",
		...(server.card
			? [
					"  <NetworkSection>",
					"    <Info>Networks</Info>",
					'    <Network ovf:name="network"/>',
					"  </NetworkSection>",
				]
			: []),
		`  <VirtualSystem ovf:id="${escaped(name)}">`,
		"    <Info>A server</Info>",
		`    <Name>${escaped(name)}</Name>`,
		`    <OperatingSystemSection ovf:id="${id}" vmw:osType="${osType}"><Info>${guest}</Info></OperatingSystemSection>`,
		"    <VirtualHardwareSection>",
		"      <Info>Hardware</Info>",
		`      <System><vssd:ElementName>Hardware</vssd:ElementName><vssd:InstanceID>0</vssd:InstanceID><vssd:VirtualSystemIdentifier>${escaped(name)}</vssd:VirtualSystemIdentifier><vssd:VirtualSystemType>vmx-13</vssd:VirtualSystemType></System>`,
		...itemsOf(server).map(itemText),
		...efi,
		"    </VirtualHardwareSection>",
		"  </VirtualSystem>",
		"</Envelope>",
		"",
	].join("\n");
}

type Item = Readonly<Record<string, string | number>>;

function itemsOf({ memoryBytes, cpus, disks, card }: Exported): Item[] {
	const memory = Math.ceil(memoryBytes / 2 ** 20);
	const items: Item[] = [
		{
			AllocationUnits: "hertz * 10^6",
			ElementName: `${cpus} processors`,
			InstanceID: 1,
			ResourceType: kind.cpu,
			VirtualQuantity: cpus,
		},
		{
			AllocationUnits: "byte * 2^20",
			ElementName: `${memory} MiB`,
			InstanceID: 2,
			ResourceType: kind.memory,
			VirtualQuantity: memory,
		},
	];
	const places = new Map<string, { id: number; used: number }>();
	for (const [i, { bus }] of disks.entries()) {
		const { type, name, disks: most } = controllers[bus];
		const nth = Math.floor(disks.slice(0, i).filter((other) => other.bus === bus).length / most);
		const key = `${bus} ${nth}`;
		const place = places.get(key) ?? { id: items.length + 1, used: 0 };
		if (!places.has(key))
			items.push({
				Address: nth,
				ElementName: `controller ${key}`,
				InstanceID: place.id,
				ResourceSubType: name,
				ResourceType: type,
			});
		places.set(key, { ...place, used: place.used + 1 });
		items.push({
			AddressOnParent: place.used,
			ElementName: `disk${i}`,
			HostResource: `ovf:/disk/vmdisk${i + 1}`,
			InstanceID: items.length + 1,
			Parent: place.id,
			ResourceType: kind.disk,
		});
	}
	if (card)
		items.push({
			Address: card.mac,
			AutomaticAllocation: "true",
			Connection: "network",
			ElementName: "network card",
			InstanceID: items.length + 1,
			ResourceSubType: cards[card.card],
			ResourceType: kind.card,
		});
	return items;
}

/** Elements have to come in the alphabet's order: DSP0243, 8.3. */
function itemText(item: Item): string {
	const parts = Object.entries(item).sort(([a], [b]) => (a < b ? -1 : 1));
	return `      <Item>${parts.map(([key, value]) => `<rasd:${key}>${escaped(String(value))}</rasd:${key}>`).join("")}</Item>`;
}

const config = (key: string, value: string) =>
	`      <vmw:Config ovf:required="false" vmw:key="${key}" vmw:value="${value}"/>`;

function escaped(text: string): string {
	return text.replaceAll(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);
}
