import { explain } from "../api/errors.ts";
import { addressesOf } from "../network/addresses.ts";
import { askersOf, tellClients } from "../network/inbound/farewell.ts";
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

/** What is done in the sandbox. */
const realNetwork = { setYielding, askersOf, tellClients };
type Network = typeof realNetwork;

/**
 * Has controllers that are away yield to others of their domain: who comes for them is refused at once, and goes to the
 * others, which also come first where processors are short. It follows what happens to servers as it happens, and is looked
 * after every few seconds, as the rules may have been made anew.
 */
export class Yielding {
	private readonly context: Pick<Context, "history" | "log">;
	private readonly parts: Parts;
	private readonly network: Network;
	private readonly turns = new Turns();
	private readonly telling = new Turns();
	private readonly unsubscribe: () => void;
	/** What was set last, and in which sandbox. */
	private set: readonly string[] = [];
	private trouble = "";

	constructor(context: Pick<Context, "history" | "log">, parts: Parts, network: Network = realNetwork) {
		this.context = context;
		this.parts = parts;
		this.network = network;
		this.unsubscribe = context.history.subscribe(({ server }) => {
			if (server !== null) void this.look();
		});
	}

	/** @param anew whether what was set may be gone */
	async look(anew = false): Promise<void> {
		await this.turns.take(async () => {
			const units = this.parts.units();
			const yielding = yieldingServers(units.map(({ stored, record: { state } }) => ({ stored, state })));
			try {
				await Promise.all([this.share(units, yielding), this.refuse(yielding, anew)]);
				this.trouble = "";
			} catch (error) {
				const why = explain(error);
				if (why !== this.trouble)
					this.context.log.error({ err: error }, "controllers that are away do not yield; it is tried again");
				this.trouble = why;
			}
		});
	}

	private async share(units: readonly ServerUnit[], yielding: readonly StoredServer[]): Promise<void> {
		const yields = (unit: ServerUnit) => yielding.some(({ name }) => name === unit.stored.name);
		await Promise.all(units.map(async (unit) => await unit.setYielding(yields(unit))));
	}

	private async refuse(yielding: readonly StoredServer[], anew: boolean): Promise<void> {
		const namespace = this.parts.namespace();
		if (namespace === null) return;
		const addresses = yielding.flatMap(serverAddresses);
		const wanted = [namespace, ...addresses];
		const before = this.set;
		if (wanted.join(" ") === before.join(" ") && !(anew && addresses.length > 0)) return;
		const refused = await this.network.setYielding(namespace, addresses);
		this.set = wanted;
		const begun = addresses.filter((address) => !before.includes(address));
		if (refused && begun.length > 0) await this.refuseAskers(namespace, begun);
	}

	/** Who has just asked is told beside what follows: a controller that is back does not wait for that. */
	private async refuseAskers(namespace: string, addresses: readonly string[]): Promise<void> {
		const untold = (error: unknown) =>
			this.context.log.warn({ err: error }, "who had just asked a controller that is away was not told");
		const askers = await this.network.askersOf(namespace, addresses).catch((error) => {
			untold(error);
			return [];
		});
		void this.telling.take(async () => await this.network.tellClients(namespace, askers).catch(untold));
	}

	async end(): Promise<void> {
		this.unsubscribe();
		await this.turns.settled();
		await this.telling.settled();
	}
}

/** By which it yields, and is known; none without a network. Pure. */
export function serverAddresses({ definition: { network } }: StoredServer): string[] {
	return network ? addressesOf(network) : [];
}

/** Controllers that are away while another of their domain is there. Pure. */
export function yieldingServers(
	servers: readonly { stored: StoredServer; state: ServerUnit["record"]["state"] }[],
): StoredServer[] {
	const away = servers.filter(({ stored: { name, domain }, state }) => {
		// Who comes wakes one that is asleep.
		if (!domain || state === "running" || state === "asleep") return false;
		// Another server may have got the name of a controller that was deleted.
		return servers.some(
			(other) =>
				other.state === "running" &&
				other.stored.name !== name &&
				domain.controllers.includes(other.stored.name) &&
				other.stored.domain?.realm === domain.realm &&
				other.stored.domain.controllers.includes(name),
		);
	});
	return away.map(({ stored }) => stored);
}
