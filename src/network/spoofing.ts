import { isIPv4 } from "node:net";
import { z } from "zod";
import { formatAddress6, linkLocalOf, parseAddress6 } from "../api/addresses6.ts";
import { inside } from "./namespace.ts";
import type { PortPlan } from "./plan.ts";
import { anew, chain, stateOf, type Table, transact } from "./table.ts";

/**
 * What is dropped at the ports of guests, by kind; `nft list counters` shows packets and bytes. `unneeded` is no offence:
 * what every IPv6 host sends when it begins, and nobody here has a use for.
 */
export const spoofingCounters = [
	"spoofed_mac",
	"spoofed_ip",
	"spoofed_arp",
	"spoofed_ip6",
	"spoofed_nd",
	"rogue_router",
	"rogue_dhcp",
	"tagged",
	"other_protocol",
	"unneeded",
] as const;

/** Sets of what each port may send as, and where in their elements the port is: nft 1.0.6 takes ARP's sender only before it. */
const portAt = {
	own: 0,
	macs: 0,
	ips: 0,
	arp_macs: 1,
	arp_ips: 0,
	six: 0,
	ips6: 0,
	nd_targets: 0,
	clients: 0,
} as const;
type SetName = keyof typeof portAt;

const neighbours =
	"icmpv6 type { nd-router-solicit, mld-listener-query, mld-listener-report, mld-listener-done, mld2-listener-report }";

/**
 * Every frame that comes from a port of a bridge passes here first: only what is sent as the port's own server goes on,
 * and only IPv4, ARP and, where the server has an address of it, IPv6. The bridge's own frames are not seen here. A port
 * that nobody has made known may send nothing.
 */
export const portRules: Table = {
	family: "bridge",
	body: [
		...spoofingCounters.map((name) => `counter ${name} { }`),
		"set own { typeof meta iifname . ether saddr . ip saddr; }",
		"set macs { typeof meta iifname . ether saddr; }",
		"set ips { typeof meta iifname . ip saddr; }",
		"set arp_macs { typeof arp saddr ether . meta iifname; }",
		"set arp_ips { typeof meta iifname . arp saddr ip; }",
		"set six { typeof meta iifname; }",
		"set ips6 { typeof meta iifname . ip6 saddr; }",
		// nft 1.0.6 has no name for the address that an advertisement is about: 64 bits into it, 128 long.
		"set nd_targets { typeof meta iifname . @th,64,128; }",
		// Nor for the hardware address that a DHCP packet is about: 36 bytes into UDP, 6 long.
		"set clients { typeof meta iifname . @th,288,48; }",
		...chain("ports", "type filter hook prerouting priority -300; policy drop;", [
			// Most of all packets, and nothing below is about them: one look instead of ten.
			"ether type ip ip protocol tcp meta iifname . ether saddr . ip saddr @own accept",
			"meta iifname . ether saddr != @macs counter name spoofed_mac drop",
			"ether type { 8021q, 8021ad } counter name tagged drop",
			"ether type arp jump of_arp",
			"ether type ip jump of_ip",
			"ether type ip6 meta iifname @six jump of_ip6",
			"counter name other_protocol drop",
		]),
		// What the sandbox sends to everybody comes here once for each port: a DHCP server's answer to a client that cannot yet
		// take any other goes to the one that it is about, everything else to nobody.
		...chain("to_all", "type filter hook output priority -300; policy accept;", [
			"ether daddr != ff:ff:ff:ff:ff:ff accept",
			"ether type ip udp sport 67 udp dport 68 meta oifname . @th,288,48 @clients accept",
			"drop",
		]),
		"chain of_arp {",
		"\tarp operation != { request, reply } counter name spoofed_arp drop",
		"\tarp saddr ether . meta iifname != @arp_macs counter name spoofed_arp drop",
		// A server that asks whether its address is taken does so from 0.0.0.0 (RFC 5227, 2.1.1).
		"\tarp operation request arp saddr ip 0.0.0.0 accept",
		"\tmeta iifname . arp saddr ip != @arp_ips counter name spoofed_arp drop",
		"\taccept",
		"}",
		"chain of_ip {",
		"\tudp sport 67 counter name rogue_dhcp drop",
		// Who asks in another's name would have it told things that it has not asked for. In a fragment the name is not seen.
		"\tip frag-off & 0x3fff != 0 udp dport 67 counter name spoofed_mac drop",
		"\tudp dport 67 meta iifname . @th,288,48 != @clients counter name spoofed_mac drop",
		// A DHCP client has no address yet. It asks the sandbox (leases/).
		"\tip saddr 0.0.0.0 ip daddr 255.255.255.255 udp sport 68 udp dport 67 meta iifname . @th,288,48 @clients accept",
		"\tmeta iifname . ip saddr != @ips counter name spoofed_ip drop",
		"\taccept",
		"}",
		"chain of_ip6 {",
		"\tudp sport 547 counter name rogue_dhcp drop",
		"\ticmpv6 type { nd-router-advert, nd-redirect } counter name rogue_router drop",
		// Whether an address is taken (RFC 4862, 5.4): nobody else has it, and the bridge, which answers for every server,
		// would claim it from its own.
		"\tip6 saddr :: icmpv6 type nd-neighbor-solicit counter name unneeded drop",
		"\ticmpv6 type nd-router-solicit meta iifname . ip6 saddr @ips6 accept",
		`\tip6 saddr { ::, fe80::/10 } ${neighbours} counter name unneeded drop`,
		"\tmeta iifname . ip6 saddr != @ips6 counter name spoofed_ip6 drop",
		"\ticmpv6 type nd-neighbor-advert meta iifname . @th,64,128 != @nd_targets counter name spoofed_nd drop",
		"\taccept",
		"}",
	],
};

/**
 * Makes the table where there is none or one of other rules. What ports that are in use may send as is taken over.
 * @throws CommandError
 */
export async function guardPorts(namespace: string): Promise<void> {
	const there = await stateOf(namespace, portRules);
	if (there === "same") return;
	const known = there === "none" ? [] : knownIn(await listSets(namespace));
	await transact(namespace, [...anew(portRules), ...known.map(added)]);
}

/**
 * What a port may send as: its server, and nobody else. Known already, it stays so. One transaction, by a shell that is
 * open in the namespace: each new session waits for it.
 * @throws CommandError, RangeError
 */
export async function makeKnown(
	now: (...command: [string, ...string[]]) => Promise<void>,
	port: PortPlan,
): Promise<void> {
	await now("nft", elementsOf(port).map(added).join("; "));
}

/** Forgets ports, known or not. @throws CommandError */
export async function forget(namespace: string, isOne: (tap: string) => boolean): Promise<void> {
	const known = knownIn(await listSets(namespace)).filter(({ set, element }) =>
		isOne(element[portAt[set]] ?? ""),
	);
	if (known.length === 0) return;
	// Another may have forgotten it meanwhile: what was added right before can be deleted.
	const lines = known.flatMap((one) => [added(one), added(one).replace(/^add/, "delete")]);
	await transact(namespace, lines);
}

async function listSets(namespace: string): Promise<string> {
	return await inside(namespace, ["nft", "-j", "list", "sets", "table", "bridge", "bulkhead"]);
}

export interface Known {
	set: SetName;
	element: readonly string[];
}

/** @throws RangeError for what is no port */
export function elementsOf({ tap, mac, address, address6 }: PortPlan): Known[] {
	if (!/^[a-z][a-z0-9.-]{0,14}$/.test(tap) || !/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/.test(mac) || !isIPv4(address))
		throw new RangeError(`not a port: ${tap}, ${mac}, ${address}`);
	return [
		{ set: "own", element: [tap, mac, address] },
		{ set: "macs", element: [tap, mac] },
		{ set: "ips", element: [tap, address] },
		{ set: "arp_macs", element: [mac, tap] },
		{ set: "arp_ips", element: [tap, address] },
		{ set: "clients", element: [tap, `0x${mac.replaceAll(":", "")}`] },
		...(address6 === undefined ? [] : elementsOf6(tap, mac, address6)),
	];
}

/** Its own address, and the link-local one that kernels make from the hardware address: others are not known to be its own. */
function elementsOf6(tap: string, mac: string, address6: string): Known[] {
	const own = [address6, linkLocalOf(mac)].map((text) => {
		const address = parseAddress6(text);
		if (address === undefined) throw new RangeError(`not a port: ${tap}, ${mac}, ${address6}`);
		return address;
	});
	return [
		{ set: "six", element: [tap] },
		...own.flatMap((address): Known[] => [
			{ set: "ips6", element: [tap, formatAddress6(address)] },
			{ set: "nd_targets", element: [tap, `0x${address.toString(16).padStart(32, "0")}`] },
		]),
	];
}

function added({ set, element }: Known): string {
	const parts = element.map((part, i) => (i === portAt[set] ? `"${part}"` : part));
	return `add element bridge bulkhead ${set} { ${parts.join(" . ")} }`;
}

/** Hardware addresses of `clients` are numbers to nft. */
const hardware = z.int().transform((value) => `0x${value.toString(16).padStart(12, "0")}`);
const concat = z
	.object({ concat: z.array(z.union([z.string(), hardware])) })
	.transform(({ concat }) => concat);
const single = z.string().transform((one) => [one]);
const listed = z.object({
	nftables: z.array(
		z.object({
			set: z.object({ name: z.string(), elem: z.array(z.union([concat, single])).default([]) }).optional(),
		}),
	),
});

/** @param text answer of `nft -j list sets`; sets of other rules are left out. @throws Error for a text of another shape */
export function knownIn(text: string): Known[] {
	return listed.parse(JSON.parse(text)).nftables.flatMap(({ set }) => {
		const name = set?.name ?? "";
		return isSetName(name) ? (set?.elem ?? []).map((element) => ({ set: name, element })) : [];
	});
}

function isSetName(name: string): name is SetName {
	return Object.hasOwn(portAt, name);
}
