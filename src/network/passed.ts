import { isIPv4, isIPv6 } from "node:net";
import { z } from "zod";
import { formatAddress6, parseAddress6 } from "../api/addresses6.ts";
import { inside } from "./namespace.ts";
import { bridgeNameOf, type Counted, type Path } from "./plan.ts";

/**
 * What guests send each other is counted by the elements of the sets that allow it: each path, by its addresses, and each
 * segment whose servers all reach each other. An element that stays is not touched by a change, and goes on counting.
 */
export const countingSets = ["allowed", "allowed6", "open"] as const;
export type CountingSet = (typeof countingSets)[number];

/** Packets and bytes of each element, both ways together, by the text that stands for it in nft. */
export type Elements = Readonly<Record<CountingSet, ReadonlyMap<string, Counted>>>;

const range = z.object({ range: z.tuple([z.int(), z.int()]) });
const concat = z.object({ concat: z.array(z.union([z.string(), z.int(), range])) });
const listed = z.object({
	nftables: z.array(
		z.object({
			set: z
				.object({
					table: z.string(),
					name: z.string(),
					elem: z
						.array(z.object({ elem: z.object({ val: z.unknown(), counter: z.unknown() }) }))
						.optional()
						.catch(undefined),
				})
				.optional(),
		}),
	),
});
const counted = z.object({ packets: z.int(), bytes: z.int() });

/** @returns what is allowed now, with what it has counted. @throws CommandError when there is no firewall */
export async function elementsOf(namespace: string): Promise<Elements> {
	// One by one: with several, nft lists those of all tables, and anybody outside may fill some of them.
	const list = (set: string) => ["nft", "-j", "list", "set", "inet", "bulkhead", set];
	return elementsIn(...(await Promise.all(countingSets.map((set) => inside(namespace, list(set))))));
}

/** Pure. @param texts answers of `nft -j list set`. @throws ZodError for what nft never says */
export function elementsIn(...texts: string[]): Elements {
	const found: Record<CountingSet, Map<string, Counted>> = {
		allowed: new Map(),
		allowed6: new Map(),
		open: new Map(),
	};
	for (const { set } of texts.flatMap((text) => listed.parse(JSON.parse(text)).nftables)) {
		const name = countingSets.find((one) => one === set?.name);
		if (!set || !name || set.table !== "bulkhead") continue;
		for (const { elem } of set.elem ?? [])
			found[name].set(textOf(concat.parse(elem.val).concat), counted.parse(elem.counter));
	}
	return found;
}

function textOf(parts: readonly (string | number | z.infer<typeof range>)[]): string {
	return parts
		.map((part) => {
			if (typeof part === "object") return part.range.join("-");
			return typeof part === "string" && part.startsWith("br-") ? `"${part}"` : part;
		})
		.join(" . ");
}

/** The lines of nft that bring a set to these elements; those that stay are not touched. Pure. */
export function changesOf(set: CountingSet, there: Elements, elements: readonly string[]): string[] {
	const wanted = new Set(elements);
	const gone = [...there[set].keys()].filter((one) => !wanted.has(one));
	const fresh = [...wanted].filter((one) => !there[set].has(one));
	const line = (what: string, some: readonly string[]) =>
		some.length === 0 ? [] : [`${what} element inet bulkhead ${set} { ${[...some].sort().join(", ")} }`];
	return [...line("delete", gone), ...line("add", fresh)];
}

/** The text of a path's element. @throws RangeError for what is no path */
export function pathText({ from, to, protocol, port, last = port }: Path): string {
	const both = [isIPv4, isIPv6].some((of) => of(from) && of(to) && !`${from}${to}`.includes("%"));
	const known = protocol === "tcp" || protocol === "udp";
	const whole = [port, last].every((one) => Number.isInteger(one) && one >= 1 && one <= 65_535);
	const ports = last === port ? `${port}` : `${port}-${last}`;
	if (!both || !known || !whole || last < port)
		throw new RangeError(`not a path: ${from} to ${to}, ${protocol} port ${ports}`);
	return `${plain(from)} . ${plain(to)} . ${protocol} . ${ports}`;
}

/** As nft writes it, so that it is found again. */
function plain(address: string): string {
	const parsed = isIPv4(address) ? undefined : parseAddress6(address);
	return parsed === undefined ? address : formatAddress6(parsed);
}

/** The text of the element by which all servers of a segment reach each other. @throws RangeError for a name that is none */
export function segmentText(segment: string): string {
	const bridge = bridgeNameOf(segment);
	if (!/^[a-z][a-z0-9-]*$/.test(bridge)) throw new RangeError(`not a segment: ${segment}`);
	return `"${bridge}" . "${bridge}"`;
}

/** What has gone by paths, all of them together; an element may be a part of one (disjoint.ts). Pure. */
export function passedBy(elements: Elements, paths: readonly Path[]): Counted {
	return passages(elements)(paths);
}

/** The same, for who asks of many: with services of many ports there are thousands of elements, and they are read once. Pure. */
export function passages(elements: Elements): (paths: readonly Path[]) => Counted {
	const sets = { allowed: byEnds(elements.allowed), allowed6: byEnds(elements.allowed6) };
	return (paths) => {
		const found = paths.flatMap((path) => {
			const { ends, first, last } = partsOf(pathText(path));
			const between = sets[isIPv4(path.from) ? "allowed" : "allowed6"].get(ends) ?? [];
			return between.filter((part) => first <= part.first && part.last <= last);
		});
		return {
			packets: found.reduce((sum, { packets }) => sum + packets, 0),
			bytes: found.reduce((sum, { bytes }) => sum + bytes, 0),
		};
	};
}

/** By addresses and protocol, which ports of theirs have counted what. */
function byEnds(elements: ReadonlyMap<string, Counted>) {
	const parts = [...elements].map(([text, counted]) => ({ ...partsOf(text), ...counted }));
	return Map.groupBy(parts, ({ ends }) => ends);
}

function partsOf(text: string): { ends: string; first: number; last: number } {
	const at = text.lastIndexOf(" . ");
	const [first = 0, last = first] = text
		.slice(at + 3)
		.split("-")
		.map(Number);
	return { ends: text.slice(0, at), first, last };
}
