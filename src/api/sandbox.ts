import { z } from "zod";

/** Who may come in by a published service. */
export const callers = ["host", "lan"] as const;

/** A way into a server: what lets it in, and where that is written. */
export const wayIn = z.object({
	from: z.enum(callers),
	service: z.string(),
	protocol: z.enum(["http", "tcp"]),
	/** Port on the host. */
	listen: z.int(),
	/** Port inside the server. */
	port: z.int(),
	/** What the front door's health check last found. */
	health: z.enum(["up", "down", "unknown"]),
	/** The place in the site file that says so. */
	because: z.string(),
});

/** Packets and bytes that the sandbox's firewall has seen since the sandbox was made or its rules last changed. */
export const tally = z.object({ packets: z.int(), bytes: z.int() });

/** Who can reach a server, what it can reach, and why. */
export const sandboxView = z.object({
	server: z.string(),
	/** Name of the network namespace; null for a server without a network. */
	namespace: z.string().nullable(),
	segment: z.string().nullable(),
	subnet: z.string().nullable(),
	address: z.string().nullable(),
	waysIn: z.array(wayIn),
	/** Other servers on its segment: it reaches none of them, and they do not reach it. */
	neighbours: z.array(z.string()),
	/** What it may reach outside. */
	outbound: z.object({ policy: z.literal("deny"), because: z.string() }),
	/** Of the whole site, all its servers together; null without a network. */
	counted: z
		.object({
			/** Connections that front doors tried to open, each try one packet. */
			opened: tally,
			/** From guests to the sandbox's own addresses. */
			droppedIn: tally,
			/** From guests to anything beyond their segment. */
			droppedForward: tally,
			/** From guests as somebody else: by hardware address, by IPv4 address, in ARP. */
			spoofedMac: tally,
			spoofedIp: tally,
			spoofedArp: tally,
			/** From guests: frames that are neither IPv4 nor ARP. */
			otherProtocol: tally,
			/** From processes inside the sandbox that are not allowed to. */
			droppedOut: tally,
		})
		.nullable(),
});
export type SandboxView = z.infer<typeof sandboxView>;
export type Tally = z.infer<typeof tally>;
