import type { GuestName } from "../api/guest.ts";
import type { ServerDefinition } from "../api/site.ts";
import { guests, platformOf } from "../qemu/guests.ts";
import type { StoredServer } from "../store/servers.ts";
import { busOf, cardOf, dataDisksOf, guestOf, timeZoneOf } from "./resolve.ts";

/**
 * What of a server's virtual hardware another definition changes without naming it, as another is usual then, for another
 * guest mostly: `system.bus: sata → virtio (as is usual then)`. A guest may not boot with it, so that a plan tells. Pure.
 * @param named whether the plan names a key already
 */
export function followingChanges(
	old: StoredServer,
	definition: ServerDefinition,
	named: (key: string) => boolean,
): string[] {
	const now = { ...old, definition };
	const [before, after] = [hardwareOf(old), hardwareOf(now)];
	return [...after].flatMap(([key, value]) => {
		const was = before.get(key);
		if (was === undefined || was === value || named(key)) return [];
		return [`${key}: ${was} → ${value} (as is usual then)`];
	});
}

/** By the keys of the site file. Those that there are twice are compared. */
function hardwareOf(server: StoredServer): Map<string, string> {
	const { definition } = server;
	const guest: GuestName = guestOf(server);
	const { machine, firmware, tpm } = platformOf(guest, "tcg", definition);
	return new Map([
		["machine", machine],
		["firmware", firmware],
		["tpm", String(tpm !== "none")],
		["clock", guests[guest].clock],
		...(guests[guest].clock === "localtime"
			? [["timeZone", timeZoneOf(server) ?? "this host's"] as [string, string]]
			: []),
		["system.bus", busOf(server)],
		...dataDisksOf(server).map(({ name, bus }): [string, string] => [`data[${name}].bus`, bus]),
		...(definition.network ? [["network.card", cardOf(server)] as [string, string]] : []),
	]);
}
