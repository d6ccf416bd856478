/** The mark of connections that are questions to an answerer, in the kernel's connection tracking; nothing else is marked. */
export const asked = "0x00000035";

/**
 * Who answers one server's questions for names. Each server has a dnsmasq of its own, which knows the names of those that
 * the server may reach, and no others: what must not be told is not there to be told.
 */
export interface Answerer {
	server: string;
	/** The asking server's addresses: from others it takes no questions. */
	address: string;
	address6?: string | undefined;
	/** The user that it runs as; no other process may run as it. */
	uid: number;
	/** Where it listens inside the sandbox; what the server sends to port 53 of its gateway is led there. */
	port: number;
	/** IPv4 addresses of the host's own name servers, for a server that reaches everything outside; else empty, and nothing is passed on. */
	upstreams: readonly string[];
	/** The site's own: names below it are never asked for outside. */
	domain: string;
	/** Networks that an answer from outside must not lie in. */
	inside: readonly string[];
}

/** A name and what it stands for, IPv4 and IPv6. */
export interface NameEntry {
	/** The first one is what the address is called when it is asked for. */
	names: readonly string[];
	addresses: readonly string[];
}

/** What an answerer is started with. */
export interface AnswererPlan extends Answerer {
	/** The sandbox's. */
	namespace: string;
	/** `cgroup.procs` files that it enters. */
	groups: readonly string[];
	/** Its own folder on the host; made when it is not there. */
	folder: string;
}
