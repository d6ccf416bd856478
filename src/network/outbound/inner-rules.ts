import { isIPv4 } from "node:net";
import { parseAddress, parseSubnet } from "../../api/addresses.ts";
import { formatAddress6, parseAddress6, parseSubnet6 } from "../../api/addresses6.ts";
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
const baseChains = ["forward", "leaving"];

/** Names of what the table has. */
export interface Known {
	chains: readonly string[];
	counters: readonly string[];
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
 * @throws RangeError for what is no address, network, name or port
 */
export function innerLines(plan: OutboundPlan, known: Known): string[] {
	const wanted = countersOf(plan);
	const kept = plan.servers.map(chainOf);
	const gone = known.chains.filter((name) => ![...baseChains, ...kept].includes(name));
	return [
		`table ${table} {`,
		...wanted.map((name) => `\tcounter ${name} { }`),
		"\tchain forward { type filter hook forward priority filter + 5; policy accept; }",
		"\tchain leaving { type nat hook postrouting priority srcnat; policy accept; }",
		...kept.map((name) => `\tchain ${name} { }`),
		"}",
		...baseChains.map((name) => `flush chain ${table} ${name}`),
		...[...kept, ...gone].map((name) => `flush chain ${table} ${name}`),
		...plan.servers.flatMap(serverLines),
		add("forward", `oifname != "${uplink}" iifname != "${uplink}" accept`),
		add("forward", `iifname "${uplink}" ct state established,related ct direction reply accept`),
		add("forward", `iifname "${uplink}" counter name unasked drop`),
		...plan.servers.flatMap(jumps),
		add("forward", "counter name dropped_other drop"),
		add("leaving", `oifname "${uplink}" masquerade`),
		...gone.map((name) => `delete chain ${table} ${name}`),
		...known.counters
			.filter((name) => !wanted.includes(name))
			.map((name) => `delete counter ${table} ${name}`),
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

function jumps(server: OutboundServer): string[] {
	if (!isIPv4(server.address)) throw new RangeError(`not an address: ${server.address}`);
	const six = server.address6 === undefined ? undefined : parseAddress6(server.address6);
	if (server.address6 !== undefined && six === undefined)
		throw new RangeError(`not an address: ${server.address6}`);
	return [
		add("forward", `ip saddr ${server.address} jump ${chainOf(server)}`),
		...(six === undefined
			? []
			: [add("forward", `ip6 saddr ${formatAddress6(six)} jump ${chainOf(server)}`)]),
	];
}

function serverLines(server: OutboundServer): string[] {
	const chain = chainOf(server);
	const refuse = `counter name ${droppedCounter(server.name)} drop`;
	return [
		add(chain, `ip daddr { ${never4} } ${refuse}`),
		add(chain, `ip6 daddr { ${never6} } ${refuse}`),
		add(chain, `ct state new ct count over ${mostConnections} ${refuse}`),
		...server.rules.map((rule) =>
			add(chain, `${matchOf(rule)} counter name ${passedCounter(server.name, rule)} accept`.trimStart()),
		),
		add(chain, refuse),
	];
}

/** The words of nft that a packet of a rule matches. @throws RangeError */
function matchOf({ to, protocol, ports }: OutboundRule): string {
	const family = familyOf(to);
	const where = family === "any" ? [] : [`${family} daddr ${to}`];
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
