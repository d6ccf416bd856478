/** What guests of one segment are told of it. */
export interface LeaseSegment {
	name: string;
	/** Its bridge's hardware address. */
	mac: string;
	/** The sandbox's own end: who answers. */
	own: string;
	/** Length of the IPv4 network, such as 24. */
	length: number;
	router: string;
	/** Where names are asked for. */
	dns: string;
	/** Undefined without IPv6. */
	six?: LeaseSegment6 | undefined;
}

/** Routers need not be told: the bridge is the one. */
interface LeaseSegment6 {
	/** The network that guests reach directly; undefined where everything is reached through the bridge. */
	prefix?: { base: string; length: number } | undefined;
	dns?: string | undefined;
}

/** What one server is told. */
export interface LeaseServer {
	segment: string;
	mac: string;
	address: string;
	address6?: string | undefined;
}

/** Everything that guests of a sandbox are told of their addresses. */
export interface Leases {
	segments: readonly LeaseSegment[];
	servers: readonly LeaseServer[];
}

/** Who tells them, and how it runs. */
export interface GiverPlan {
	/** The sandbox's. */
	namespace: string;
	/** The user that it runs as; no other process may run as it. */
	uid: number;
	/** `cgroup.procs` files that it enters. */
	groups: readonly string[];
	/** Its own folder on the host; made when it is not there. */
	folder: string;
}
