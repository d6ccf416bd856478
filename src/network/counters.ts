import { z } from "zod";
import { inside } from "./namespace.ts";
import type { Counted } from "./plan.ts";
import { counters } from "./ruleset.ts";
import { spoofingCounters } from "./spoofing.ts";

const listed = z.object({
	nftables: z.array(
		z.object({
			counter: z.object({ name: z.string(), packets: z.int(), bytes: z.int() }).optional(),
		}),
	),
});

const names = [...counters, ...spoofingCounters] as const;
export type Counters = Record<(typeof names)[number], Counted>;

/** @returns what the firewall of a sandbox has counted. @throws CommandError when there is none */
export async function countersOf(namespace: string): Promise<Counters> {
	return countersIn(await inside(namespace, ["nft", "-j", "list", "counters"]));
}

/** @param text answer of `nft -j list counters`. @throws Error when one is missing */
export function countersIn(text: string): Counters {
	const all = listed.parse(JSON.parse(text)).nftables.flatMap(({ counter }) => counter ?? []);
	const found = names.map((name) => {
		const counter = all.find((one) => one.name === name);
		if (!counter) throw new Error(`the firewall does not count ${name}`);
		return [name, { packets: counter.packets, bytes: counter.bytes }] as const;
	});
	return Object.fromEntries(found) as Counters;
}
