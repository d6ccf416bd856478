import { isIPv4 } from "node:net";
import { z } from "zod";
import { inside } from "./namespace.ts";
import type { PortPlan } from "./plan.ts";

/** What is dropped at the ports of guests, by kind; `nft list counters` shows packets and bytes. */
export const spoofingCounters = ["spoofed_mac", "spoofed_ip", "spoofed_arp", "other_protocol"] as const;

/** Sets of what each port may send as, and where in their elements the port is: nft 1.0.6 takes ARP's sender only before it. */
const portAt = { macs: 0, ips: 0, arp_macs: 1, arp_ips: 0 } as const;
type SetName = keyof typeof portAt;
const setNames = Object.keys(portAt) as [SetName, ...SetName[]];

/**
 * Every frame that comes from a port of a bridge passes here first: only what is sent as the port's own server goes on,
 * and only IPv4 and ARP. The bridge's own frames are not seen here. A port that nobody has made known may send nothing.
 * A server that asks whether its address is taken does so from 0.0.0.0 (RFC 5227, 2.1.1).
 */
const table = [
	"table bridge bulkhead {",
	...spoofingCounters.map((name) => `\tcounter ${name} { }`),
	"\tset macs { typeof meta iifname . ether saddr; }",
	"\tset ips { typeof meta iifname . ip saddr; }",
	"\tset arp_macs { typeof arp saddr ether . meta iifname; }",
	"\tset arp_ips { typeof meta iifname . arp saddr ip; }",
	"\tchain ports {",
	"\t\ttype filter hook prerouting priority -300; policy drop;",
	"\t\tmeta iifname . ether saddr != @macs counter name spoofed_mac drop",
	"\t\tether type arp jump of_arp",
	"\t\tether type ip jump of_ip",
	"\t\tcounter name other_protocol drop",
	"\t}",
	"\tchain of_arp {",
	"\t\tarp saddr ether . meta iifname != @arp_macs counter name spoofed_arp drop",
	"\t\tarp operation request arp saddr ip 0.0.0.0 accept",
	"\t\tmeta iifname . arp saddr ip != @arp_ips counter name spoofed_arp drop",
	"\t\taccept",
	"\t}",
	"\tchain of_ip {",
	"\t\tmeta iifname . ip saddr != @ips counter name spoofed_ip drop",
	"\t\taccept",
	"\t}",
	"}",
	"",
].join("\n");

/** Makes the table, if it is not there: one that is there knows ports that are in use. @throws CommandError */
export async function guardPorts(namespace: string): Promise<void> {
	const tables = await inside(namespace, ["nft", "list", "tables"]);
	if (!tables.split("\n").includes("table bridge bulkhead"))
		await inside(namespace, ["nft", "-f", "-"], table);
}

/** What a port may send as: its server, and nobody else. Known already, it stays so. @throws CommandError, RangeError */
export async function makeKnown(namespace: string, port: PortPlan): Promise<void> {
	await inside(namespace, ["nft", "-f", "-"], elementsOf(port).map(added).join("\n"));
}

/** Forgets ports, known or not. @throws CommandError */
export async function forget(namespace: string, isOne: (tap: string) => boolean): Promise<void> {
	const text = await inside(namespace, ["nft", "-j", "list", "sets", "table", "bridge", "bulkhead"]);
	const known = knownIn(text).filter(({ set, element }) => isOne(element[portAt[set]] ?? ""));
	if (known.length === 0) return;
	// Another may have forgotten it meanwhile: what was added right before can be deleted.
	const lines = known.flatMap((one) => [added(one), added(one).replace(/^add/, "delete")]);
	await inside(namespace, ["nft", "-f", "-"], lines.join("\n"));
}

interface Known {
	set: SetName;
	element: readonly string[];
}

function elementsOf({ tap, mac, address }: PortPlan): Known[] {
	if (!/^[a-z][a-z0-9.-]{0,14}$/.test(tap) || !/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/.test(mac) || !isIPv4(address))
		throw new RangeError(`not a port: ${tap}, ${mac}, ${address}`);
	return [
		{ set: "macs", element: [tap, mac] },
		{ set: "ips", element: [tap, address] },
		{ set: "arp_macs", element: [mac, tap] },
		{ set: "arp_ips", element: [tap, address] },
	];
}

function added({ set, element }: Known): string {
	const parts = element.map((part, i) => (i === portAt[set] ? `"${part}"` : part));
	return `add element bridge bulkhead ${set} { ${parts.join(" . ")} }`;
}

const listed = z.object({
	nftables: z.array(
		z.object({
			set: z
				.object({
					name: z.enum(setNames),
					elem: z.array(z.object({ concat: z.array(z.string()) })).default([]),
				})
				.optional(),
		}),
	),
});

/** @param text answer of `nft -j list sets`. @throws Error for a text of another shape */
export function knownIn(text: string): Known[] {
	return listed
		.parse(JSON.parse(text))
		.nftables.flatMap(({ set }) =>
			(set?.elem ?? []).map(({ concat }) => ({ set: set?.name ?? "macs", element: concat })),
		);
}
