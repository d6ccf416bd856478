import { type Document, isSeq } from "yaml";
import { type Bus, buses } from "../../api/guest.ts";
import { changeServer, SiteEditError } from "../site-edit.ts";

/**
 * From a controller of real hardware to virtio, in steps that the site file tells of:
 *
 *   bus: lsi-sas ──begin──▶ bus: lsi-sas, and a disk `was-lsi-sas` on virtio ──switch──▶ bus: virtio, and that disk
 *        ▲                                                                                     │
 *        └──────────────────────────────────── back ◀──────────────────────────────────────────┘
 *
 * The small disk is there so that the guest loads the driver before its own disk depends on it, and its name is what the
 * way back goes by.
 */
const prefix = "was-";
const size = "64MiB";

/**
 * Adds the small disk.
 * @param usual what the system disk is attached to when the file does not say it
 * @returns the new text; undefined when it is there already
 * @throws SiteEditError
 */
export function begin(text: string, name: string, usual: Bus): string | undefined {
	let there = false;
	const after = changeServer(text, name, (document, at) => {
		refuseUnfit(document, at, name, usual);
		there = markOf(document, at) !== undefined;
		if (there) return;
		const disk = document.createNode({
			name: markFor(busIn(document, at) ?? usual),
			size,
			bus: "virtio",
		});
		disk.flow = true;
		const data = document.getIn([...at, "data"]);
		if (isSeq(data)) data.add(disk);
		else document.setIn([...at, "data"], document.createNode([disk]));
	});
	return there ? undefined : after;
}

/** The small disk's name, which is also the serial number that the guest sees. */
export const markFor = (bus: Bus) => `${prefix}${bus}`;

/** Puts the system disk on virtio. @throws SiteEditError */
export function switchOver(text: string, name: string, usual: Bus): string {
	return changeServer(text, name, (document, at) => {
		refuseUnfit(document, at, name, usual);
		if (markOf(document, at) === undefined)
			throw new SiteEditError(
				`${name} has no small virtio disk yet; begin with: bulkhead convert-to-virtio ${name}`,
			);
		document.setIn([...at, "system", "bus"], "virtio");
	});
}

/** Puts the system disk back to where it was. @throws SiteEditError */
export function goBack(text: string, name: string): string {
	return changeServer(text, name, (document, at) => {
		const was = markOf(document, at);
		if (was === undefined)
			throw new SiteEditError(
				`${name} has no disk whose name tells where its system disk was; set \`system.bus\` by hand`,
			);
		document.setIn([...at, "system", "bus"], was);
	});
}

function refuseUnfit(document: Document, at: readonly string[], name: string, usual: Bus): void {
	if (document.hasIn([...at, "template"]))
		throw new SiteEditError(`${name} is made from a template, whose disks are on virtio already`);
	const bus = busIn(document, at) ?? usual;
	if (bus === "virtio" || bus === "virtio-scsi")
		throw new SiteEditError(`${name} has its system disk on ${bus} already`);
}

/** @returns undefined for one that is not said; a wrong one is told when the file is applied */
function busIn(document: Document, at: readonly string[]): Bus | undefined {
	const bus = document.getIn([...at, "system", "bus"]);
	return buses.find((one) => one === bus);
}

/** @returns where the system disk was, as the small disk's name says; undefined when there is none */
function markOf(document: Document, at: readonly string[]): Bus | undefined {
	const data = document.getIn([...at, "data"]);
	const names = isSeq(data) ? data.items.map((_, i) => document.getIn([...at, "data", i, "name"])) : [];
	return buses.find((bus) => names.includes(markFor(bus)));
}
