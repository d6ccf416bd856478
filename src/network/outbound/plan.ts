import { createHash } from "node:crypto";
import type { InboundServer } from "../inbound/plan.ts";

/** A way out that is let out of the sandbox. */
export interface OutboundRule {
	/** An IPv4 or IPv6 address or network, `any`, or a name with its `addresses`. */
	to: string;
	/** What the name stands for now; nothing is let out by a name that stands for nothing. */
	addresses?: readonly string[] | undefined;
	protocol: "tcp" | "udp" | "icmp" | "any";
	/** First and last of each range; all when there is none. Of tcp and udp only. */
	ports: readonly (readonly [number, number])[];
}

/** What one server may reach outside. */
export interface OutboundServer {
	name: string;
	address: string;
	address6?: string | undefined;
	/** The host's network interface on whose network it has its address; none for a segment of the sandbox's own. */
	lan?: string | undefined;
	/** Nothing else is let out; none at all when this is empty. */
	rules: readonly OutboundRule[];
}

/** Everything outside that a rule can mean. */
export const everything: OutboundRule = { to: "any", protocol: "any", ports: [] };

/** The cable between one sandbox and the host: what passes it, either way. */
export interface OutboundPlan {
	/** The sandbox's namespace. */
	namespace: string;
	/** Every server of the site that has an address, so that what is dropped is counted by server. */
	servers: readonly OutboundServer[];
	/** Servers that are reached through it. */
	inbound?: readonly InboundServer[];
}

/** Name of the counter of a server's packets that a rule let out: by what it says, so that another rule counts anew. */
export function passedCounter(server: string, { to, protocol, ports }: OutboundRule): string {
	const digest = createHash("sha256")
		.update(JSON.stringify([to, protocol, ports]))
		.digest("hex");
	return `passed.${server}.${digest.slice(0, 12)}`;
}

/** Name of the counter of a server's packets to the outside that were dropped. */
export function droppedCounter(server: string): string {
	return `dropped.${server}`;
}
