import { z } from "zod";
import { inside } from "../namespace.ts";
import { hasInnerTable } from "../outbound/uplink.ts";
import { isOfClients } from "./plan.ts";

const sets = z.object({ nftables: z.array(z.object({ set: z.object({ name: z.string() }).optional() })) });
const element = z.object({ val: z.string(), counter: z.object({ packets: z.int() }) });
const listed = z.object({
	nftables: z.array(
		z.object({ set: z.object({ elem: z.array(z.object({ elem: element })).default([]) }).optional() }),
	),
});

/** By the names of `namesOf`. A client that has not come for a day is forgotten. */
export type InboundClients = ReadonlyMap<string, Client[]>;
interface Client {
	client: string;
	connections: number;
}

/**
 * Who came to servers at their own addresses: first packets that were let in, so that one that was sent again is counted
 * again. @throws CommandError
 */
export async function inboundClientsOf(namespace: string): Promise<InboundClients> {
	if (!(await hasInnerTable(namespace))) return new Map();
	const text = await inside(namespace, ["nft", "-j", "-t", "list", "table", "inet", "outbound"]);
	const names = sets.parse(JSON.parse(text)).nftables.flatMap(({ set }) => set?.name ?? []);
	const found = new Map<string, Client[]>();
	// One after the other: each may hold thousands, and all of them are more than one answer may be.
	for (const name of names.filter(isOfClients)) found.set(name, await clientsIn(namespace, name));
	return found;
}

async function clientsIn(namespace: string, set: string): Promise<Client[]> {
	const text = await inside(namespace, ["nft", "-j", "list", "set", "inet", "outbound", set]);
	return listed
		.parse(JSON.parse(text))
		.nftables.flatMap(({ set }) => set?.elem ?? [])
		.map(({ elem: { val, counter } }) => ({ client: val, connections: counter.packets }));
}
