import { ipv4, ipv6 } from "../addresses.ts";
import {
	type HostEnd,
	type InboundServer,
	type InboundWay,
	namesOf,
	type PortRange,
	refusedCounter,
	waysInto,
} from "./plan.ts";
import { toYielding } from "./yielding-rules.ts";

/** Clients that are remembered of each way; those that come when it is full are counted without a name. */
const mostClients = 10_000;

/** A rule of a chain: `[chain, words of nft]`. */
export type ChainRule = readonly [chain: string, rule: string];

/** The chains of a server: what comes for it through the cable, the first packet of it, and what it answers. */
export function chainsOf({ name }: Pick<InboundServer, "name">) {
	if (!/^[a-z][a-z0-9-]{0,23}$/.test(name)) throw new RangeError(`not a server's name: ${name}`);
	return { to: `to.${name}`, first: `first.${name}`, back: `back.${name}` };
}

/** Names of all counters of a server. */
export function inboundCounters(server: InboundServer): string[] {
	const ways = waysInto(server).map((way) => namesOf(server.name, way));
	return [refusedCounter(server.name), ...ways.flatMap(({ in: inward, out }) => [inward, out])];
}

/** Sets of a server's clients, with what nft has to know to make each: an element counts the connections of one. */
export function clientSets(server: InboundServer): { name: string; body: string }[] {
	return waysInto(server).flatMap((way) => {
		const { clients, clients6 } = namesOf(server.name, way);
		const body = (address: string) =>
			`{ typeof ${address}; size ${mostClients}; flags dynamic,timeout; timeout 24d; counter; }`;
		return [
			{ name: clients, body: body("ip saddr") },
			{ name: clients6, body: body("ip6 saddr") },
		];
	});
}

/**
 * What comes for a server and what it answers, each packet by itself: a way that is taken away is closed at once, also
 * to those who are connected. What comes in is judged by where it goes, whatever the kernel's tracking makes of it:
 * after a failure clients go on sending on connections that the next session knows nothing of, and its refusals end them.
 * Of such connections it may say that something could not be delivered (chain `errors`). That carries what the server
 * likes: of what is between others it says nothing.
 * @throws RangeError for what is no address, name or port
 */
export function inboundRules(server: InboundServer, host: HostEnd): ChainRule[] {
	const { to, first, back } = chainsOf(server);
	const ways = waysInto(server);
	return [
		[to, `ct state new jump ${first}`],
		...ways.flatMap((way) => firstRules(server, way, host).map((rule): ChainRule => [first, rule])),
		...ways.flatMap((way) => inwardRules(server, way, host).map((rule): ChainRule => [to, rule])),
		[to, `counter name ${refusedCounter(server.name)} drop`],
		...ways.flatMap((way) =>
			matches(way, "sport").map(
				(match): ChainRule => [back, words(match, `counter name ${namesOf(server.name, way).out} accept`)],
			),
		),
		...(ways.length === 0 ? [] : placesOf(server)).map(
			([family, address]): ChainRule => [
				"errors",
				`${family} saddr ${address} ct original ${family} daddr ${address} accept`,
			],
		),
	];
}

/** A server's addresses by family. @throws RangeError */
export function placesOf({
	address,
	address6,
}: Pick<InboundServer, "address" | "address6">): (readonly [family: string, address: string])[] {
	const four = ["ip", ipv4(address)] as const;
	return address6 === undefined ? [four] : [four, ["ip6", ipv6(address6)]];
}

/** Who a way's clients are, by family; nothing: everybody. @throws RangeError */
function sourcesOf({ to }: InboundWay, { address, address6 }: HostEnd): [four: string, six: string] {
	return to === "host" ? [`ip saddr ${ipv4(address)}`, `ip6 saddr ${ipv6(address6)}`] : ["", ""];
}

/** Remembers who opens a connection, by the first way that it comes by. */
function firstRules({ name }: InboundServer, way: InboundWay, host: HostEnd): string[] {
	const { clients, clients6 } = namesOf(name, way);
	const [four, six] = sourcesOf(way, host);
	return matches(way, "dport").flatMap((match) => [
		words(four, match, `update @${clients} { ip saddr } return`),
		words(six, match, `update @${clients6} { ip6 saddr } return`),
	]);
}

function inwardRules({ name, yields }: InboundServer, way: InboundWay, host: HostEnd): string[] {
	const sources = sourcesOf(way, host);
	const pass = `counter name ${namesOf(name, way).in} accept`;
	return matches(way, "dport").flatMap((match) => [
		...(yields ? sources.map((from, i) => words(from, match, toYielding[i] ?? "")) : []),
		...new Set(sources.map((from) => words(from, match, pass))),
	]);
}

/** The words that packets of a way match, by protocol. @throws RangeError */
function matches({ ports }: InboundWay, side: "dport" | "sport"): string[] {
	if (ports === "everything") return [""];
	return (["tcp", "udp"] as const).flatMap((protocol) => {
		const own = ports.filter((range) => range.protocol === protocol).map(portsOf);
		return own.length === 0 ? [] : [`${protocol} ${side} { ${[...new Set(own)].join(", ")} }`];
	});
}

/** @throws RangeError */
export function portsOf({ first, last }: PortRange): string {
	const whole = [first, last].every((port) => Number.isInteger(port) && port >= 1 && port <= 65_535);
	if (!whole || last < first) throw new RangeError(`not a range of ports: ${first}-${last}`);
	return first === last ? `${first}` : `${first}-${last}`;
}

/**
 * The jumps to servers' chains: what comes through the cable, and what is answered to it. One look each, however many
 * servers there are: each packet takes them.
 * @throws RangeError
 */
export function inboundJumps(servers: readonly InboundServer[]): { inward: string[]; answers: string[] } {
	const jumps = (side: "saddr" | "daddr", chain: "to" | "back") =>
		jumpsBy(
			side,
			servers.flatMap((server) =>
				placesOf(server).map((place) => [...place, chainsOf(server)[chain]] as const),
			),
		);
	return {
		inward: jumps("daddr", "to"),
		answers: jumps("saddr", "back").map((jump) => `ct direction reply ct state established ${jump}`),
	};
}

/**
 * Rules that lead a packet on by one of its addresses, a rule for each family. Of two with one address the first has it:
 * while a site is changed, one that is to be deleted is there beside the one that takes its place.
 * @param by family, address and chain
 */
export function jumpsBy(
	side: "saddr" | "daddr",
	by: readonly (readonly [family: string, address: string, chain: string])[],
): string[] {
	return ["ip", "ip6"].flatMap((family) => {
		const chains = new Map<string, string>();
		for (const [of, address, chain] of by)
			if (of === family && !chains.has(address)) chains.set(address, chain);
		const own = [...chains].map(([address, chain]) => `${address} : jump ${chain}`);
		return own.length === 0 ? [] : [`${family} ${side} vmap { ${own.join(", ")} }`];
	});
}

function words(...parts: string[]): string {
	return parts.filter((part) => part !== "").join(" ");
}
