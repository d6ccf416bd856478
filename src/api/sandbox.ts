import { z } from "zod";

/** Who may come in by a published service. */
export const callers = ["host", "lan"] as const;

/** Packets and bytes that the sandbox's firewall has seen since the sandbox was made, or its rules were made anew by a later version. */
export const tally = z.object({ packets: z.int(), bytes: z.int() });

/** A way into a server: what lets it in, and where that is written. */
export const wayIn = z.object({
	from: z.enum(callers),
	service: z.string(),
	protocol: z.enum(["http", "tcp", "udp"]),
	/** At a port of the host, or at the server's own address. */
	through: z.enum(["front-door", "address"]),
	/** Port on the host; null at the server's own address. */
	listen: z.int().nullable(),
	/** Port inside the server; null: everything. */
	port: z.int().nullable(),
	/** All ports inside the server, as `tcp 389`. */
	ports: z.array(z.string()),
	/** What its health check last found; `unchecked`: nobody asks whether it is well. */
	health: z.enum(["up", "down", "unknown", "unchecked"]),
	/** What came in by it, where no front door counts its connections; null else. */
	passed: tally.nullable(),
	/** The place in the site file that says so. */
	because: z.string(),
});

/** A path between two servers of the site: what one may open to the other, and where that is written. */
export const pathBetween = z.object({
	/** The other server. */
	server: z.string(),
	/** Null for a port without a name, and where everything is open. */
	service: z.string().nullable(),
	protocol: z.enum(["tcp", "udp", "any"]),
	/** Port inside the server that is reached, the first of several; null for all of them. */
	port: z.int().nullable(),
	/** All ports, as `tcp 389`; or `everything`. */
	ports: z.array(z.string()),
	/**
	 * What has gone by it, both ways together, since it is allowed; where all of a segment is open, what all its servers have
	 * sent each other. Null when the site has no sandbox.
	 */
	passed: tally.nullable(),
	because: z.string(),
});

/** What a server may reach outside by one rule. */
export const outboundWay = z.object({
	/** Address, network, name or `any`. */
	to: z.string(),
	/** What a name stands for now, and what of it is let out; null for what is no name. */
	addresses: z.array(z.string()).nullable(),
	protocol: z.enum(["tcp", "udp", "icmp", "any"]),
	/** First and last of each range; empty for all ports. */
	ports: z.array(z.tuple([z.int(), z.int()])),
	/** What it has let out; null when there is no sandbox. */
	passed: tally.nullable(),
	because: z.string(),
});

/** Who can reach a server, what it can reach, and why. */
export const sandboxView = z.object({
	server: z.string(),
	/** Name of the network namespace; null for a server without a network. */
	namespace: z.string().nullable(),
	segment: z.string().nullable(),
	subnet: z.string().nullable(),
	address: z.string().nullable(),
	/** Null without IPv6. */
	address6: z.string().nullable(),
	waysIn: z.array(wayIn),
	/** What came for it from the host or the LAN and was not let in; null when nothing comes but by front doors. */
	refused: tally.nullable(),
	/** What other servers of the site may open to it, and it to them. */
	fromServers: z.array(pathBetween),
	toServers: z.array(pathBetween),
	/** Other servers on its segment that it does not reach, and that do not reach it. */
	neighbours: z.array(z.string()),
	/** What it may reach outside. */
	outbound: z.object({
		ways: z.array(outboundWay),
		/** What else it sent there; null when the site has no way out at all: then `counted.droppedForward` has it. */
		dropped: tally.nullable(),
		/** What of the host's own settings stops all of it, and what comes in without a front door; and the mend. */
		obstacles: z.array(z.object({ found: z.string(), mend: z.string() })),
		because: z.string(),
	}),
	/** Of the whole site, all its servers together; null without a network. */
	counted: z
		.object({
			/** Connections that front doors tried to open, each try one packet. */
			opened: tally,
			/** From guests to the sandbox's own addresses. */
			droppedIn: tally,
			/** From guests to other servers, or to where nothing leads: everything outside, as long as the site has no way out. */
			droppedForward: tally,
			/** From guests as somebody else: by hardware address, IPv4 address, in ARP, by IPv6 address, in neighbour discovery. */
			spoofedMac: tally,
			spoofedIp: tally,
			spoofedArp: tally,
			spoofedIp6: tally,
			spoofedNd: tally,
			/** From guests that play the router, or the DHCP server. */
			rogueRouter: tally,
			rogueDhcp: tally,
			/** From guests: frames with a VLAN tag. */
			tagged: tally,
			/** From guests: frames that are neither IPv4 nor ARP, nor IPv6 of a server with an IPv6 address. */
			otherProtocol: tally,
			/** From guests: what every IPv6 host sends when it begins, and nobody here has a use for. No offence. */
			unneeded: tally,
			/** From processes inside the sandbox that are not allowed to. */
			droppedOut: tally,
		})
		.nullable(),
});
export type SandboxView = z.infer<typeof sandboxView>;
export type Tally = z.infer<typeof tally>;
