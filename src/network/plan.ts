import { createHash } from "node:crypto";
import type { Talk } from "./talk.ts";

/** A private network inside the sandbox. */
export interface SegmentPlan {
	name: string;
	/** IPv4 network such as `10.77.0.0/24`; its first address is the sandbox's own end. */
	subnet: string;
	/** IPv6 network such as `fd00:77::/64`, its first address likewise; without one there is no IPv6 on the segment. */
	subnet6?: string | undefined;
	/** Where it is a network of the LAN: its router, and the servers that have addresses of it. */
	lan?:
		| { gateway: string; servers: readonly { address: string; address6?: string | undefined }[] }
		| undefined;
}

/** A server's place on its segment. */
export interface PortPlan {
	server: string;
	segment: string;
	address: string;
	/** Without one it may not speak IPv6. */
	address6?: string | undefined;
	mac: string;
	/** Name of the tap interface, at most 15 characters: of one session. */
	tap: string;
	/** The user that may open the tap. */
	uid: number;
}

/** One service that is let out of the sandbox. */
export interface ServicePlan {
	service: string;
	protocol: "http" | "tcp";
	/** Port inside the server. */
	port: number;
	/** Who may reach it: this host only, or everybody who can reach this host. */
	to: "host" | "lan";
	/** Port on the host. */
	listen: number;
	/** Milliseconds that a new connection waits for a server that does not answer. */
	holdMs: number;
	/** What tells whether the service is well: a page, a conversation in its protocol, null: that it takes a connection; or nothing. */
	health: { path: string } | Talk | null | "unchecked";
	/** Pages that a session is asked before it stands by. */
	rehearse: readonly string[];
	/** Version of the PROXY protocol by which the server is told who its clients are; of tcp only. */
	proxy?: "v1" | "v2" | undefined;
	/** Which share of the ports that checks come from is its own (pace.ts); by its port on the host when left out. */
	share?: number;
}

/** The front door of one server. */
export interface DoorPlan {
	server: string;
	namespace: string;
	/** The server's address on its segment. */
	address: string;
	/** The sandbox's own address there, from which the front door speaks to it. */
	from: string;
	/** The user that the front door runs as; no other process may run as it. */
	uid: number;
	/** `cgroup.procs` files that it enters. */
	groups: readonly string[];
	/** Its own folder on the host; made when it is not there. */
	folder: string;
	services: readonly ServicePlan[];
	/** Services that are only asked whether they are well: users reach them without a front door. */
	watched?: readonly ServicePlan[];
}

/** What the front door of one server may connect to. */
export interface Permission {
	/** The front door's user: nothing else in the namespace may use the permission. */
	uid: number;
	address: string;
	port: number;
}

/** What one server may open to another, by its addresses: both IPv4 or both IPv6. */
export interface Path {
	from: string;
	to: string;
	protocol: "tcp" | "udp";
	/** Of the one that it is opened to. */
	port: number;
	/** The last of several ports; `port` alone when left out. */
	last?: number;
}

/** What guests may do among each other. */
export interface Between {
	paths: readonly Path[];
	/** Segments whose servers all reach each other. */
	open: readonly string[];
}

/** A server's hardware address: the same in every session, in the locally administered range that QEMU uses. */
export function macOf(site: string, server: string): string {
	return hashedMac("52:54:00", `server/${site}/${server}`);
}

/**
 * A bridge's own hardware address. Without one it takes that of a port, changes it when ports come and go, and the
 * kernel forgets every neighbour entry with it.
 */
export function bridgeMacOf(site: string, segment: string): string {
	return hashedMac("02:00:5e", `segment/${site}/${segment}`);
}

function hashedMac(prefix: string, what: string): string {
	const digest = createHash("sha256").update(what).digest("hex");
	return [prefix, ...[0, 2, 4].map((at) => digest.slice(at, at + 2))].join(":");
}

/** What the names of all bridges begin with. */
export const bridgePrefix = "br-";

/**
 * The sandbox's own address on a segment that is a network of the LAN, where it has none: hosts do not choose it by
 * themselves (RFC 3927, 2.1).
 */
export const bridgeAddressOnLan = "169.254.254.1";

/** Every bridge's own link-local address: guests of different segments never see each other's. */
export const bridgeLinkLocal = "fe80::1";

/** The segment's bridge. Segment names have at most 12 characters, interface names at most 15. */
export function bridgeNameOf(segment: string): string {
	const name = `${bridgePrefix}${segment}`;
	if (name.length > 15) throw new RangeError(`segment name ${segment} is longer than 12 characters`);
	return name;
}

/** What a rule, or an element of a set, has counted. */
export interface Counted {
	packets: number;
	bytes: number;
}
