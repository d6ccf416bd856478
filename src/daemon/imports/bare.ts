import { basename } from "node:path";
import type { Bus } from "../../api/guest.ts";
import type { ImportView } from "../../api/import.ts";
import { type Image, openImage } from "../../qemu/images/examine.ts";
import { formatWords, type ImageFormat } from "../../qemu/images/formats.ts";
import { type Layout, layoutOf } from "../../qemu/images/partitions.ts";
import type { Context } from "../context.ts";
import { examinationOf } from "../image-disks.ts";

/**
 * What a disk without a description was attached to, where its format tells: Hyper-V starts from a VHD by IDE alone;
 * VMware's wizard gives servers an LSI Logic SAS.
 */
const usualBus: Readonly<Record<ImageFormat, Bus | null>> = {
	vpc: "ide",
	vmdk: "lsi-sas",
	vhdx: "sata",
	vdi: "sata",
	qcow2: null,
	raw: null,
};

/** A disk image by itself: of its machine nothing is known but what the disk tells. @throws ImageError */
export async function bareDisk(source: string, context: Context, signal: AbortSignal): Promise<ImportView> {
	const examination = examinationOf(context, signal);
	await using image = await openImage(source, examination);
	const layout = await layoutOf(image, examination);
	const bus = busOf(image, layout);
	return {
		source,
		kind: "disk",
		name: basename(source.split("#").at(-1) ?? source).replace(/\.[^.]*$/, ""),
		guest: "other",
		machine: bus === "ide" ? "pc" : null,
		firmware: layout.firmware,
		tpm: false,
		memoryBytes: null,
		cpus: null,
		disks: [
			{
				called: "disk",
				image: source,
				format: formatWords[image.format],
				virtualBytes: image.virtualBytes,
				bus,
				system: true,
			},
		],
		cards: [],
		notes: notesOf(layout),
	};
}

function busOf({ format, adapter }: Image, { firmware }: Layout): Bus | null {
	// A VHDX of Hyper-V's first generation is attached by IDE, and starts by BIOS.
	const ide = (format === "vhdx" && firmware === "bios") || adapter === "ide";
	return ide ? "ide" : usualBus[format];
}

function notesOf({ table, windows }: Layout): string[] {
	const unknown =
		"A disk alone does not say what its machine was like: look at memory, processors and network card, and say what it runs by --guest.";
	return [
		unknown,
		...(windows
			? ["Windows seems to be on it: say which by --guest, such as --guest windows-server-2022."]
			: []),
		...(table === "none"
			? ["It has no partition table: it may be a data disk, that nothing starts from."]
			: []),
	];
}
