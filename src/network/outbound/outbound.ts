import { z } from "zod";
import { ensureInward, removeInward } from "../inbound/inward.ts";
import type { InboundServer } from "../inbound/plan.ts";
import { forgetMoved, forgetSendersTo, ledBy } from "../inbound/tracked.ts";
import { inside } from "../namespace.ts";
import { innerLines } from "./inner-rules.ts";
import type { Outside } from "./outside.ts";
import type { OutboundPlan, OutboundServer } from "./plan.ts";
import { chooseLink, ensureLink, hasInnerTable, removeLink } from "./uplink.ts";

const listed = z.object({
	nftables: z.array(
		z.object({
			chain: z.object({ name: z.string() }).optional(),
			counter: z.object({ name: z.string(), packets: z.int(), bytes: z.int() }).optional(),
			set: z.object({ name: z.string() }).optional(),
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
	const { namespace, servers, inbound = [] } = plan;
	if (!isNeeded(plan)) return await removeOutbound(namespace, outside);
	const { chains, counters, sets } = await contentsOf(namespace);
	const link = await chooseLink(namespace, outside);
	const [address, address6] = link.outerAddresses;
	const known = { chains, sets, counters: [...counters.keys()] };
	const lines = innerLines(plan, known, { address, address6 });
	// Rules first: from the moment that there is a way out, they say who may use it.
	await inside(namespace, ["nft", "-f", "-"], `${lines.join("\n")}\n`);
	const isNew = await ensureLink(namespace, link, outside);
	const before = await ledBy(namespace, outside);
	try {
		await ensureInward(link, inbound, onLan(servers, inbound), outside);
	} finally {
		// Also when only a route could not be made: the rules are others.
		await forgetMoved(before, await ledBy(namespace, outside), outside);
		if (isNew) await forgetSendersTo(inbound, outside);
	}
}

/** A server with an address of the LAN answers the sandbox itself by way of its gateway, which lies beyond the cable. */
function isNeeded({ servers, inbound = [] }: OutboundPlan): boolean {
	return (
		servers.some(({ rules, lan }) => rules.length > 0 || lan !== undefined) ||
		inbound.some(({ ways, redirects }) => ways.length + redirects.length > 0)
	);
}

/** Servers that the LAN has to find: those that it may reach, and those that reach it and get answers. */
function onLan(servers: readonly OutboundServer[], inbound: readonly InboundServer[]): OutboundServer[] {
	return servers.filter(({ name, lan, rules }) => {
		const isReached = inbound.some((one) => one.name === name && one.ways.some(({ to }) => to === "lan"));
		return lan !== undefined && (isReached || rules.length > 0);
	});
}

/** Closes the way out; nothing of it is left. The sandbox need not be there any more. @throws CommandError */
export async function removeOutbound(namespace: string, outside: Outside = {}): Promise<void> {
	const before = await ledBy(namespace, outside);
	await removeInward(namespace, outside);
	await removeLink(namespace, outside);
	await forgetMoved(before, [], outside);
	if (await hasInnerTable(namespace)) await inside(namespace, ["nft", "delete", "table", "inet", "outbound"]);
}

/** @returns what was counted; empty when there is no way out. @throws CommandError */
export async function outboundCountersOf(namespace: string): Promise<OutboundCounters> {
	return (await contentsOf(namespace)).counters;
}

interface Contents {
	chains: string[];
	sets: string[];
	counters: OutboundCounters;
}

async function contentsOf(namespace: string): Promise<Contents> {
	if (!(await hasInnerTable(namespace))) return { chains: [], sets: [], counters: new Map() };
	// Without the elements of its sets: those of clients, who are as many as others like.
	const text = await inside(namespace, ["nft", "-j", "-t", "list", "table", "inet", "outbound"]);
	const { nftables } = listed.parse(JSON.parse(text));
	const counters = nftables.flatMap(({ counter }) => counter ?? []);
	return {
		chains: nftables.flatMap(({ chain }) => chain?.name ?? []),
		sets: nftables.flatMap(({ set }) => set?.name ?? []),
		counters: new Map(counters.map(({ name, packets, bytes }) => [name, { packets, bytes }])),
	};
}
