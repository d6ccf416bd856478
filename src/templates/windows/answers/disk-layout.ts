import { type Element, element, item } from "./xml.ts";

/** What keeps it from being another one: ../setup-disks.ts. */
const systemDisk = 0;

/** Sizes in MiB, as Microsoft recommends: "UEFI/GPT-based hard drive partitions", "BIOS/MBR-based hard drive partitions". */
const efiSize = 300;
const reservedSize = 16;
const activeSize = 350;

/**
 * Wipes the first disk and divides it. Windows is on the last partition, so that it can grow with its disk; its recovery
 * environment stays on that too.
 */
export function diskLayout(firmware: "bios" | "uefi"): { layout: Element; windowsPartition: number } {
	const partitions =
		firmware === "uefi"
			? [
					{ type: "EFI", size: efiSize, format: "FAT32", label: "System" },
					{ type: "MSR", size: reservedSize },
					{ type: "Primary", format: "NTFS", label: "Windows", letter: "C" },
				]
			: [
					{ type: "Primary", size: activeSize, format: "NTFS", label: "System", active: true },
					{ type: "Primary", format: "NTFS", label: "Windows", letter: "C" },
				];
	const layout = element("DiskConfiguration", [
		item("Disk", [
			element("DiskID", systemDisk),
			element("WillWipeDisk", true),
			element("CreatePartitions", partitions.map(created)),
			element("ModifyPartitions", partitions.flatMap(modified).map(ordered)),
		]),
		element("WillShowUI", "OnError"),
	]);
	return { layout, windowsPartition: partitions.length };
}

interface Partition {
	type: string;
	size?: number;
	format?: string;
	label?: string;
	letter?: string;
	active?: boolean;
}

function created({ type, size }: Partition, index: number): Element {
	return item("CreatePartition", [
		element("Order", index + 1),
		element("Type", type),
		size === undefined ? element("Extend", true) : element("Size", size),
	]);
}

/** Settings of partitions that get a file system; the others are left as they are. */
function modified({ format, label, letter, active }: Partition, index: number): (Element | undefined)[][] {
	if (!format || !label) return [];
	return [
		[
			element("PartitionID", index + 1),
			active ? element("Active", true) : undefined,
			element("Format", format),
			element("Label", label),
			letter ? element("Letter", letter) : undefined,
		],
	];
}

function ordered(partition: (Element | undefined)[], index: number): Element {
	return item("ModifyPartition", [element("Order", index + 1), ...partition]);
}

/** Where Setup puts Windows. */
export function installTo(partition: number): Element {
	return element("InstallTo", [element("DiskID", systemDisk), element("PartitionID", partition)]);
}
