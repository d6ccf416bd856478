import { formatAddress6, linkLocalOf, parseAddress6 } from "../../api/addresses6.ts";
import type { Counters } from "../counters.ts";
import * as frames from "./frames.ts";

interface End {
	mac: string;
	address: string;
	address6: string;
}

/** A frame that a guest must not get through, what it is, and the counter that is to have it. */
export type Forged = [what: string, frame: Buffer, counter: keyof Counters];

/**
 * What a hostile guest may send: as somebody else, as router, as DHCP server, with tags; and a few as itself, to nobody that
 * would take them.
 */
export function forgedFrames({ own, other, sandbox }: Record<"own" | "other" | "sandbox", End>): Forged[] {
	const [evil, nobody] = ["02:00:00:00:00:99", "00:00:00:00:00:00"];
	const { address6: mine } = own;
	const { address6: theirs } = other;
	const local = linkLocalOf(own.mac);
	const solicited = solicitedOf(mine);
	const every = "ff02::1";
	const group = "33:33:00:00:00:01";
	/** A DHCP packet has the hardware address that it is about 28 bytes into it. */
	const client = (about: string) => {
		const body = Buffer.concat([Buffer.alloc(28), Buffer.from(about.replaceAll(":", ""), "hex")]);
		const packet = frames.ip4("0.0.0.0", "255.255.255.255", 17, frames.udp(68, 67, body));
		return frames.ethernet(own.mac, frames.broadcast, "ip", packet);
	};
	const from4 = (address: string, to = sandbox.mac) =>
		frames.ethernet(own.mac, to, "ip", frames.ip4(address, sandbox.address, 17, frames.udp(1000, 1000)));
	const from6 = (packet: Buffer, to = sandbox.mac) => frames.ethernet(own.mac, to, "ip6", packet);
	const advert = (from: string, type: number) =>
		frames.ip6(from, every, 58, frames.icmp6(from, every, type, Buffer.alloc(36)));
	const claim = (operation: number, sender: [string, string]) =>
		frames.ethernet(own.mac, frames.broadcast, "arp", frames.arp(operation, sender, [nobody, sender[1]]));

	return [
		[
			"another's hardware address",
			frames.ethernet(
				other.mac,
				sandbox.mac,
				"ip",
				frames.ip4(own.address, sandbox.address, 17, frames.udp(1, 1)),
			),
			"spoofed_mac",
		],
		[
			"the bridge's hardware address",
			frames.ethernet(
				sandbox.mac,
				own.mac,
				"ip",
				frames.ip4(own.address, sandbox.address, 17, frames.udp(1, 1)),
			),
			"spoofed_mac",
		],
		["another's IPv4 address", from4(other.address), "spoofed_ip"],
		["the sandbox's IPv4 address", from4(sandbox.address), "spoofed_ip"],
		["an address of the world", from4("198.51.100.7"), "spoofed_ip"],
		["no address, but not to ask for one", from4("0.0.0.0"), "spoofed_ip"],
		// The groups in which bridges talk to each other: by their default they take those out before their rules.
		...["00", "02", "03", "0e", "0f"].map((last): Forged => {
			const to = `01:80:c2:00:00:${last}`;
			return [`another's IPv4 address, to ${to}`, from4(other.address, to), "spoofed_ip"];
		}),
		[
			"another's IPv6 address",
			from6(frames.ip6(theirs, sandbox.address6, 17, frames.udp(1, 1))),
			"spoofed_ip6",
		],
		[
			"the bridge's link-local address",
			from6(frames.ip6("fe80::1", sandbox.address6, 17, frames.udp(1, 1))),
			"spoofed_ip6",
		],
		[
			"a link-local address that is not its own",
			from6(frames.ip6("fe80::2", sandbox.address6, 17, frames.udp(1, 1))),
			"spoofed_ip6",
		],
		["an ARP answer for another", claim(2, [own.mac, other.address]), "spoofed_arp"],
		["an ARP answer for the sandbox", claim(2, [own.mac, sandbox.address]), "spoofed_arp"],
		["an ARP claim with another's hardware address", claim(1, [other.mac, own.address]), "spoofed_arp"],
		["an ARP question with another's address", claim(1, [evil, other.address]), "spoofed_arp"],
		[
			"ARP of another kind",
			frames.ethernet(
				own.mac,
				frames.broadcast,
				"arp",
				frames.arp(8, [own.mac, own.address], [nobody, other.address]),
			),
			"spoofed_arp",
		],
		[
			"a neighbour advertisement about another",
			from6(frames.discovery(mine, every, { type: "advert", about: theirs, mac: own.mac }), group),
			"spoofed_nd",
		],
		[
			"one about the sandbox",
			from6(frames.discovery(mine, every, { type: "advert", about: sandbox.address6, mac: own.mac }), group),
			"spoofed_nd",
		],
		[
			"one from another",
			from6(frames.discovery(theirs, every, { type: "advert", about: theirs, mac: own.mac }), group),
			"spoofed_ip6",
		],
		[
			"one behind an options header",
			from6(
				frames.behindOptions(frames.discovery(mine, every, { type: "advert", about: theirs, mac: own.mac })),
				group,
			),
			"spoofed_nd",
		],
		["a router advertisement", from6(advert(local, 134), group), "rogue_router"],
		[
			"a router advertisement behind an options header",
			from6(frames.behindOptions(advert(local, 134)), group),
			"rogue_router",
		],
		["a redirect", from6(advert(local, 137), group), "rogue_router"],
		[
			"a DHCP server's answer",
			frames.ethernet(
				own.mac,
				frames.broadcast,
				"ip",
				frames.ip4(own.address, "255.255.255.255", 17, frames.udp(67, 68)),
			),
			"rogue_dhcp",
		],
		[
			"a DHCPv6 server's answer",
			from6(frames.ip6(local, every, 17, frames.udp(547, 546)), group),
			"rogue_dhcp",
		],
		["a VLAN tag", frames.tagged(from4(own.address), 5), "tagged"],
		["a VLAN tag of number 0", frames.tagged(from4(own.address), 0), "tagged"],
		[
			"a VLAN tag around an IPv6 lie",
			frames.tagged(from6(frames.ip6(theirs, sandbox.address6, 17, frames.udp(1, 1))), 7),
			"tagged",
		],
		[
			"another protocol",
			frames.ethernet(own.mac, frames.broadcast, 0x88cc, Buffer.alloc(46)),
			"other_protocol",
		],
		[
			"a question whether its address is taken",
			from6(
				frames.discovery("::", solicited.address, { type: "solicit", about: mine, mac: own.mac }),
				solicited.mac,
			),
			"unneeded",
		],
		[
			"a search for routers",
			from6(
				frames.ip6("::", "ff02::2", 58, frames.icmp6("::", "ff02::2", 133, Buffer.alloc(4))),
				"33:33:00:00:00:02",
			),
			"unneeded",
		],
		["as itself, to the sandbox", from4(own.address), "dropped_in"],
		[
			"as itself, to the sandbox, IPv6",
			from6(
				frames.ip6(mine, sandbox.address6, 58, frames.icmp6(mine, sandbox.address6, 128, Buffer.alloc(4))),
			),
			"dropped_in",
		],
		["a DHCP client's question in another's name", client(other.mac), "spoofed_mac"],
		["one in nobody's name", client(""), "spoofed_ip"],
		[
			"the beginning of one that does not come as far as the name",
			frames.ethernet(
				own.mac,
				sandbox.mac,
				"ip",
				frames.ip4(own.address, sandbox.address, 17, frames.udp(68, 67, Buffer.alloc(16)), 0x2000),
			),
			"spoofed_mac",
		],
	];
}

/** The group in which whoever has the address is asked for (RFC 4291, 2.7.1), and its hardware address (RFC 2464, 7). */
function solicitedOf(address6: string): { address: string; mac: string } {
	const low = (parseAddress6(address6) ?? 0n) & 0xff_ffffn;
	const bytes = low.toString(16).padStart(6, "0").match(/../g) ?? [];
	const address = formatAddress6((0xff02n << 112n) | (1n << 32n) | (0xffn << 24n) | low);
	return { address, mac: ["33", "33", "ff", ...bytes].join(":") };
}
