import { explain } from "../api/errors.ts";
import { setYielding } from "../network/inbound/yielding.ts";
import type { StoredServer } from "../store/servers.ts";
import type { Context } from "./context.ts";
import type { ServerUnit } from "./server-unit.ts";
import { Turns } from "./turns.ts";

interface Parts {
	units: () => ServerUnit[];
	/** Of the site's sandbox; null when there is none. */
	namespace: () => string | null;
}

/**
 * Has controllers that are away yield to others of their domain. It follows what happens to servers as it happens, and is
 * looked after every few seconds, as the rules may have been made anew.
 */
export class Yielding {
	private readonly context: Context;
	private readonly parts: Parts;
	private readonly turns = new Turns();
	private readonly unsubscribe: () => void;
	/** What was set last, and in which sandbox. */
	private set = "";
	private trouble = "";

	constructor(context: Context, parts: Parts) {
		this.context = context;
		this.parts = parts;
		this.unsubscribe = context.history.subscribe(({ server }) => {
			if (server !== null) void this.look();
		});
	}

	/** @param anew whether what was set may be gone */
	async look(anew = false): Promise<void> {
		await this.turns.take(async () => {
			const namespace = this.parts.namespace();
			if (namespace === null) return;
			const servers = this.parts.units().map(({ stored, record: { state } }) => ({ stored, state }));
			const addresses = yieldingAddresses(servers);
			const wanted = [namespace, ...addresses].join(" ");
			if (wanted === this.set && !(anew && addresses.length > 0)) return;
			try {
				await setYielding(namespace, addresses);
				this.set = wanted;
				this.trouble = "";
			} catch (error) {
				const why = explain(error);
				if (why !== this.trouble)
					this.context.log.error({ err: error }, "controllers that are away do not yield; it is tried again");
				this.trouble = why;
			}
		});
	}

	async end(): Promise<void> {
		this.unsubscribe();
		await this.turns.settled();
	}
}

/** Addresses of the controllers that are away while another of their domain is there. Pure. */
export function yieldingAddresses(
	servers: readonly { stored: StoredServer; state: ServerUnit["record"]["state"] }[],
): string[] {
	return servers.flatMap(({ stored: { name, domain, definition }, state }) => {
		const { network } = definition;
		// Who comes wakes one that is asleep.
		if (!domain || !network || state === "running" || state === "asleep") return [];
		// Another server may have got the name of a controller that was deleted.
		const isThere = servers.some(
			(other) =>
				other.state === "running" &&
				other.stored.name !== name &&
				domain.controllers.includes(other.stored.name) &&
				other.stored.domain?.realm === domain.realm &&
				other.stored.domain.controllers.includes(name),
		);
		if (!isThere) return [];
		return [network.address, ...(network.address6 === undefined ? [] : [network.address6])];
	});
}
