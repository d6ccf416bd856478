import { z } from "zod";
import { inside } from "../namespace.ts";
import { hasInnerTable } from "../outbound/uplink.ts";

const listed = z.object({
	nftables: z.array(
		z.object({
			set: z
				.object({
					name: z.string(),
					elem: z
						.array(
							z.object({
								elem: z.object({ val: z.string(), counter: z.object({ packets: z.int() }) }),
							}),
						)
						.default([]),
				})
				.optional(),
		}),
	),
});

/** By the names of `namesOf`. A client that has not come for a day is forgotten. */
export type InboundClients = ReadonlyMap<string, { client: string; connections: number }[]>;

/**
 * Who came to servers at their own addresses: first packets that were let in, so that one that was sent again is counted
 * again. @throws CommandError
 */
export async function inboundClientsOf(namespace: string): Promise<InboundClients> {
	if (!(await hasInnerTable(namespace))) return new Map();
	const text = await inside(namespace, ["nft", "-j", "list", "table", "inet", "outbound"]);
	const sets = listed.parse(JSON.parse(text)).nftables.flatMap(({ set }) => set ?? []);
	return new Map(
		sets.map(({ name, elem }) => [
			name,
			elem.map(({ elem: { val, counter } }) => ({ client: val, connections: counter.packets })),
		]),
	);
}
