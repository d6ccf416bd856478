import { isIPv4 } from "node:net";
import { parseAddress, parseSubnet } from "../../api/addresses.ts";
import { parseAddress6, parseSubnet6 } from "../../api/addresses6.ts";
import { ipv6 } from "../addresses.ts";
import {
	chainsOf,
	clientSets,
	inboundCounters,
	inboundJumps,
	inboundRules,
	jumpsBy,
	placesOf,
} from "../inbound/inner-rules.ts";
import type { HostEnd } from "../inbound/plan.ts";
import { yieldingBody, yieldingChains, yieldingRules, yieldingSets } from "../inbound/yielding-rules.ts";
import {
	droppedCounter,
	type OutboundPlan,
	type OutboundRule,
	type OutboundServer,
	passedCounter,
} from "./plan.ts";

/** The sandbox's own end of the way out. */
export const uplink = "uplink";
const table = "inet outbound";
/**
 * Connections that one server may have open to the outside. Each is an entry in the host's connection tracking, which has
 * some hundred thousand for everybody, and keeps an idle one for five days.
 */
const mostConnections = 10_000;
/**
 * Counts them by server, over IPv4 and IPv6 together: each sends under its own hardware address only (spoofing.ts). Not a
 * rule's own count, which would begin anew with each change of the rules.
 */
const opened = "opened";
/** Errors that are told of packets of a connection. */
const errors = "ct state related meta l4proto { icmp, ipv6-icmp }";
/**
 * What the kernel's tracking makes nothing of, such as the end of a connection that it does not know. It is not translated
 * either: it would leave under the guest's own address.
 */
const unknown = "ct state invalid";
const baseChains = ["forward", "inward", "outward", "leaving", "errors"];

/** Names of what the table has. */
export interface Known {
	chains: readonly string[];
	counters: readonly string[];
	sets: readonly string[];
}

/**
 * Never outside: this very host and network by their reserved names, groups, broadcast (RFC 6890). What is let out by
 * `any` or by a network around them stays away from them. The host's own addresses are refused by the host's end.
 */
const never4 = "0.0.0.0/8, 127.0.0.0/8, 169.254.0.0/16, 224.0.0.0/4, 240.0.0.0/4";
const never6 = "::/127, fe80::/10, ff00::/8";

/**
 * The lines for `nft -f -` that let out what the plan says, of whatever was let out before, in one transaction. Counters
 * of what stays go on counting. Each packet of a guest is looked up: a rule that is taken away closes what it let out.
 * @param known what the table has now
 * @param host the cable's outer end
 * @throws RangeError for what is no address, network, name or port
 */
export function innerLines(plan: OutboundPlan, known: Known, host: HostEnd): string[] {
	const { inbound = [] } = plan;
	const fixed = [...baseChains, ...yieldingChains];
	const fixedSets = [opened, ...yieldingSets];
	const wanted = [...countersOf(plan), ...inbound.flatMap(inboundCounters)];
	const sets = inbound.flatMap(clientSets);
	const kept = [...plan.servers.map(chainOf), ...inbound.flatMap((one) => Object.values(chainsOf(one)))];
	const { inward, answers } = inboundJumps(inbound);
	const gone = known.chains.filter((name) => ![...fixed, ...kept].includes(name));
	return [
		`table ${table} {`,
		...wanted.map((name) => `\tcounter ${name} { }`),
		...sets.map(({ name, body }) => `\tset ${name} ${body}`),
		`\tset ${opened} { type ether_addr; size 65535; flags dynamic; }`,
		"\tchain errors { }",
		"\tchain inward { }",
		"\tchain outward { }",
		"\tchain forward { type filter hook forward priority filter + 5; policy accept; }",
		"\tchain leaving { type nat hook postrouting priority srcnat; policy accept; }",
		...yieldingBody.map((line) => `\t${line}`),
		...kept.map((name) => `\tchain ${name} { }`),
		"}",
		...fixed.map((name) => `flush chain ${table} ${name}`),
		...[...kept, ...gone].map((name) => `flush chain ${table} ${name}`),
		...plan.servers.flatMap(serverLines),
		...yieldingRules.map(([chain, rule]) => add(chain, rule)),
		...inbound.flatMap((server) => inboundRules(server, host)).map(([chain, rule]) => add(chain, rule)),
		...errorsOut(plan.servers).map((rule) => add("errors", rule)),
		add("forward", `iifname "${uplink}" goto inward`),
		add("forward", `oifname "${uplink}" goto outward`),
		add("forward", "goto among"),
		add("inward", "ct state established,related ct direction reply accept"),
		// What routers say of packets that went out, such as that one was too large.
		add("inward", `${errors} accept`),
		...inward.map((rule) => add("inward", rule)),
		add("inward", "counter name unasked drop"),
		...answers.map((rule) => add("outward", rule)),
		add("outward", `${errors} goto errors`),
		...jumpsOf(plan.servers).map((rule) => add("outward", rule)),
		add("outward", "counter name dropped_other drop"),
		// Servers with addresses of the LAN go by them.
		...plan.servers.filter(({ lan }) => lan !== undefined).flatMap(asItIs),
		add("leaving", `oifname "${uplink}" masquerade`),
		...gone.map((name) => `delete chain ${table} ${name}`),
		...known.counters
			.filter((name) => !wanted.includes(name))
			.map((name) => `delete counter ${table} ${name}`),
		...known.sets
			.filter((name) => !fixedSets.includes(name) && !sets.some((set) => set.name === name))
			.map((name) => `delete set ${table} ${name}`),
	];
}

/** Names of all counters of a plan. */
function countersOf({ servers }: OutboundPlan): string[] {
	const own = servers.flatMap(({ name, rules }) => [
		droppedCounter(name),
		...rules.map((rule) => passedCounter(name, rule)),
	]);
	return ["unasked", "dropped_other", ...new Set(own)];
}

function jumpsOf(servers: readonly OutboundServer[]): string[] {
	const places = servers.flatMap((server) =>
		placesOf(server).map((place) => [...place, chainOf(server)] as const),
	);
	return jumpsBy("saddr", places);
}

/**
 * What servers say of packets that came to them goes where their rules let it, and is about a connection that they opened:
 * it names any, and carries what who sends it likes. (About those that were opened to them: inboundRules.)
 */
function errorsOut(servers: readonly OutboundServer[]): string[] {
	const own = servers.flatMap((server) =>
		placesOf(server).flatMap(([family, address]) => [
			`${family} saddr ${address} ct original ${family} saddr ${address} goto ${chainOf(server)}`,
			`${family} saddr ${address} counter name ${droppedCounter(server.name)} drop`,
		]),
	);
	return [...own, "counter name dropped_other drop"];
}

function asItIs(server: OutboundServer): string[] {
	return placesOf(server).map(([family, address]) =>
		add("leaving", `oifname "${uplink}" ${family} saddr ${address} accept`),
	);
}

function serverLines(server: OutboundServer): string[] {
	const chain = chainOf(server);
	const refuse = `counter name ${droppedCounter(server.name)} drop`;
	return [
		add(chain, `ip daddr { ${never4} } ${refuse}`),
		add(chain, `ip6 daddr { ${never6} } ${refuse}`),
		...(server.lan === undefined ? [add(chain, `${unknown} ${refuse}`)] : []),
		add(chain, `ct state new add @${opened} { ether saddr ct count over ${mostConnections} } ${refuse}`),
		...server.rules.flatMap((rule) =>
			matchesOf(rule).map((match) =>
				add(chain, `${match} counter name ${passedCounter(server.name, rule)} accept`.trimStart()),
			),
		),
		add(chain, refuse),
	];
}

/** The words of nft that a packet of a rule matches, by each of them. @throws RangeError */
function matchesOf(rule: OutboundRule): string[] {
	if (rule.addresses === undefined) return [matchOf(rule, placeOf(rule.to))];
	const four = rule.addresses.filter((address) => isIPv4(address));
	const six = rule.addresses.filter((address) => !isIPv4(address)).map(ipv6);
	return [
		...(four.length === 0 ? [] : [matchOf(rule, [`ip daddr { ${four.join(", ")} }`])]),
		...(six.length === 0 ? [] : [matchOf(rule, [`ip6 daddr { ${six.join(", ")} }`])]),
	];
}

function placeOf(to: string): string[] {
	const family = familyOf(to);
	return family === "any" ? [] : [`${family} daddr ${to}`];
}

function matchOf({ protocol, ports }: OutboundRule, where: readonly string[]): string {
	const kinds = { tcp: "tcp", udp: "udp", icmp: "{ icmp, ipv6-icmp }", any: "" } as const;
	const what = protocol === "any" ? [] : [`meta l4proto ${kinds[protocol]}`];
	const at = ports.length === 0 ? [] : [`th dport { ${ports.map(portsOf).join(", ")} }`];
	if (at.length > 0 && protocol !== "tcp" && protocol !== "udp")
		throw new RangeError(`${protocol} has no ports`);
	return [...where, ...what, ...at].join(" ");
}

function familyOf(to: string): "ip" | "ip6" | "any" {
	if (to === "any") return "any";
	if (parseAddress(to) !== undefined || parseSubnet(to)) return "ip";
	if (parseAddress6(to) !== undefined || parseSubnet6(to)) return "ip6";
	throw new RangeError(`not an address, network or any: ${to}`);
}

function portsOf([first, last]: readonly [number, number]): string {
	const whole = [first, last].every((port) => Number.isInteger(port) && port >= 1 && port <= 65_535);
	if (!whole || last < first) throw new RangeError(`not a range of ports: ${first}-${last}`);
	return first === last ? `${first}` : `${first}-${last}`;
}

function chainOf({ name }: OutboundServer): string {
	if (!/^[a-z][a-z0-9-]{0,23}$/.test(name)) throw new RangeError(`not a server's name: ${name}`);
	return `of.${name}`;
}

function add(chain: string, rule: string): string {
	return `add rule ${table} ${chain} ${rule}`;
}
