import type { GuestName } from "../../api/guest.ts";
import type { ImportedDisk, ImportView } from "../../api/import.ts";
import type { ServerDefinition } from "../../api/site.ts";
import { exactSize } from "../../api/units.ts";

/** What a person says of it beside its source. */
export interface Wishes {
	guest?: GuestName | undefined;
	segment?: string | undefined;
	address?: string | undefined;
	/** That is set in a Windows; no description tells it. */
	timeZone?: string | undefined;
}

/** How an imported machine is written into the site file. What is not known is left out: the guest's usual counts then. */
export function definitionOf(view: ImportView, wishes: Wishes): ServerDefinition {
	const guest = wishes.guest ?? view.guest;
	const [system] = view.disks.filter((disk) => disk.system);
	const others = view.disks.filter((disk) => !disk.system);
	return {
		...(system ? { image: system.image } : {}),
		guest,
		...(view.machine ? { machine: view.machine } : {}),
		...(view.firmware ? { firmware: view.firmware } : {}),
		// Newer Windows is given one unless it is said otherwise, and has to be told of it where it had none.
		...(view.tpm ? { tpm: true } : guest.startsWith("windows-") ? { tpm: false } : {}),
		...(wishes.timeZone === undefined ? {} : { timeZone: wishes.timeZone }),
		...(view.memoryBytes === null ? {} : { memory: exactSize(view.memoryBytes) }),
		...(view.cpus === null ? {} : { cpus: view.cpus }),
		...(system?.bus ? { system: { bus: system.bus } } : {}),
		...(others.length > 0 ? { data: others.map(dataDisk) } : {}),
		...networkOf(view, wishes),
	};
}

function dataDisk({ image, virtualBytes, bus }: ImportedDisk, index: number) {
	const leastBytes = 4 * 2 ** 20;
	return {
		name: `disk${index + 2}`,
		size: exactSize(Math.max(leastBytes, virtualBytes)),
		image,
		...(bus ? { bus } : {}),
	};
}

/** The server that has its hardware address already, on the segment that it is to be on: two would take each other's packets. */
export function holderOfMac({ cards: [first] }: ImportView, { segment }: Wishes): string | undefined {
	return first?.takenBy.find((one) => one.segment === segment)?.server;
}

function networkOf(view: ImportView, wishes: Wishes): Pick<ServerDefinition, "network"> {
	const { segment, address } = wishes;
	if (segment === undefined || address === undefined) return {};
	const [first] = view.cards;
	const mac = holderOfMac(view, wishes) === undefined ? first?.mac : undefined;
	return {
		network: {
			segment,
			address,
			...(mac ? { mac } : {}),
			...(first?.card ? { card: first.card } : {}),
		},
	};
}

const longestName = 24;

/** A name that a server may have, made of one that a machine had elsewhere; `server` when nothing of it is left. */
export function nameFrom(text: string): string {
	const plain = text
		.toLowerCase()
		.normalize("NFKD")
		.replaceAll(/\p{M}/gu, "")
		.replaceAll(/[^a-z0-9]+/g, "-")
		.replace(/^[^a-z]+/, "")
		.slice(0, longestName)
		.replace(/-+$/, "");
	return plain === "" ? "server" : plain;
}
