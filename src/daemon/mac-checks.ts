import type { Site } from "../api/site.ts";
import { bridgeMacOf, macOf } from "../network/plan.ts";
import type { SiteProblem } from "./site-file.ts";

/** A server's card, and the segment that it is on. */
export interface Holder {
	server: string;
	segment: string;
	mac: string;
	/** Whether its site says so; else it is the one that is made for it. */
	said: boolean;
}

/** The cards of all servers that have one. Pure. */
export function cardsOf({ name: site, servers = {} }: Pick<Site, "name" | "servers">): Holder[] {
	return Object.entries(servers).flatMap(([server, { network }]) => {
		if (!network) return [];
		const { segment, mac } = network;
		return [{ server, segment, mac: mac ?? macOf(site, server), said: mac !== undefined }];
	});
}

/**
 * On one segment frames for a hardware address go to one server: of two that have the same, each would take the other's.
 * A copy of a server that was exported has the one of its original. Pure.
 */
export function macProblems(site: Site): SiteProblem[] {
	const key = (segment: string, mac: string) => `${segment} ${mac}`;
	const taken = new Map<string, string>();
	for (const segment of Object.keys(site.segments ?? {}))
		taken.set(key(segment, bridgeMacOf(site.name, segment)), "the sandbox");
	// Those that are made first: what a person wrote is what a person can change.
	const cards = cardsOf(site).sort((a, b) => Number(a.said) - Number(b.said));
	return cards.flatMap(({ server, segment, mac }) => {
		const holder = taken.get(key(segment, mac));
		taken.set(key(segment, mac), holder ?? server);
		if (holder === undefined) return [];
		const message = `${mac} is already the hardware address of ${holder} on segment ${segment}; leave it out, so that it gets one of its own, or write another`;
		return [{ path: ["servers", server, "network", "mac"], message }];
	});
}
