import type { ImportView } from "../../api/import.ts";
import type { ServerDefinition } from "../../api/site.ts";
import { formatSize } from "../../api/units.ts";
import { serverText } from "../site-edit.ts";
import { pairs, table } from "../table.ts";
import { type Line, type Part, styled } from "../terminal.ts";

const kinds: Readonly<Record<ImportView["kind"], string>> = {
	disk: "a disk image",
	ova: "an OVA",
	ovf: "an OVF",
	vmx: "a machine of VMware (.vmx)",
	proxmox: "a machine of Proxmox",
	libvirt: "a machine of libvirt",
};

const unknown = "not known; the guest's usual";

/** What was found, what becomes of it, and what does not. */
export function importLines(
	view: ImportView,
	name: string,
	definition: ServerDefinition,
	width?: number,
): Line[] {
	const { source, kind, disks, cards, notes } = view;
	const [card] = cards;
	const facts: [string, Part][] = [
		["source", `${source}, ${kinds[kind]}`],
		["runs", definition.guest ?? "other"],
		["starts by", definition.firmware ?? unknown],
		["chip set", definition.machine ?? "the guest's usual"],
		["memory", definition.memory ?? unknown],
		["processors", definition.cpus === undefined ? unknown : String(definition.cpus)],
		[
			"network card",
			card
				? `${card.card ?? "one of the guest's usual kind"}${card.mac ? `, ${card.mac}` : ""}`
				: "none told",
		],
		...(definition.guest?.startsWith("windows-")
			? [
					["time zone", definition.timeZone ?? "this host's; say --time-zone where another is set in it"] as [
						string,
						Part,
					],
				]
			: []),
	];
	const rows = disks.map(
		(disk): Line => [
			disk.called,
			disk.system ? "system" : "data",
			disk.format,
			formatSize(disk.virtualBytes),
			disk.bus ?? "usual",
			disk.image,
		],
	);
	const columns = [
		{ title: "DISK" },
		{ title: "USE" },
		{ title: "FORMAT" },
		{ title: "SIZE", align: "right" },
		{ title: "BUS" },
		{ title: "IMAGE", least: 20 },
	] as const;
	return [
		[styled(name, "bold")],
		...pairs(facts),
		[],
		...table(columns, rows, width),
		...(notes.length > 0 ? [[], ...notes.map((note): Line => [styled("note: ", "yellow"), note])] : []),
	];
}

/** The lines of the site file. */
export function entryLines(name: string, definition: ServerDefinition): Line[] {
	return serverText(name, definition)
		.split("\n")
		.map((line) => [`  ${line}`]);
}
