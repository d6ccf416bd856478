import { z } from "zod";
import { inside } from "../namespace.ts";
import { innerLines } from "./inner-rules.ts";
import type { Outside } from "./outside.ts";
import type { OutboundPlan } from "./plan.ts";
import { ensureLink, hasInnerTable, removeLink } from "./uplink.ts";

const listed = z.object({
	nftables: z.array(
		z.object({
			chain: z.object({ name: z.string() }).optional(),
			counter: z.object({ name: z.string(), packets: z.int(), bytes: z.int() }).optional(),
		}),
	),
});

/** By the names of `passedCounter` and `droppedCounter`. */
export type OutboundCounters = ReadonlyMap<string, { packets: number; bytes: number }>;

/**
 * Lets out of a sandbox exactly what the plan says. There is a way out only while some server may use one: without, what
 * guests send to the outside leads nowhere, and the sandbox's own firewall drops and counts it.
 * What stays allowed goes on, with its connections and counters.
 * @throws CommandError, RangeError for a plan that no rules can be made of; then nothing has changed
 */
export async function ensureOutbound(plan: OutboundPlan, outside: Outside = {}): Promise<void> {
	if (plan.servers.every(({ rules }) => rules.length === 0))
		return await removeOutbound(plan.namespace, outside);
	const { chains, counters } = await contentsOf(plan.namespace);
	const lines = innerLines(plan, { chains, counters: [...counters.keys()] });
	// Rules first: from the moment that there is a way out, they say who may use it.
	await inside(plan.namespace, ["nft", "-f", "-"], `${lines.join("\n")}\n`);
	await ensureLink(plan.namespace, outside);
}

/** Closes the way out; nothing of it is left. The sandbox need not be there any more. @throws CommandError */
export async function removeOutbound(namespace: string, outside: Outside = {}): Promise<void> {
	await removeLink(namespace, outside);
	if (await hasInnerTable(namespace)) await inside(namespace, ["nft", "delete", "table", "inet", "outbound"]);
}

/** @returns what was counted; empty when there is no way out. @throws CommandError */
export async function outboundCountersOf(namespace: string): Promise<OutboundCounters> {
	return (await contentsOf(namespace)).counters;
}

async function contentsOf(namespace: string): Promise<{ chains: string[]; counters: OutboundCounters }> {
	if (!(await hasInnerTable(namespace))) return { chains: [], counters: new Map() };
	const text = await inside(namespace, ["nft", "-j", "list", "table", "inet", "outbound"]);
	const { nftables } = listed.parse(JSON.parse(text));
	const counters = nftables.flatMap(({ counter }) => counter ?? []);
	return {
		chains: nftables.flatMap(({ chain }) => chain?.name ?? []),
		counters: new Map(counters.map(({ name, packets, bytes }) => [name, { packets, bytes }])),
	};
}
