import { named } from "../api/named.ts";
import type { AllowDefinition, ServerDefinition, Site } from "../api/site.ts";
import type { PortRange } from "../network/inbound/plan.ts";
import type { Between, Path } from "../network/plan.ts";
import { alsoOf, profileOf } from "../network/services.ts";
import type { Installed, StoredServer } from "../store/servers.ts";

/**
 * Who may open what among the servers of a site. Pure.
 */

/** One entry of a server's `allow:`, with what the site leaves out filled in. */
export interface Allowed {
	from: string;
	/** Null for a port without a name. */
	service: string | null;
	/** The first is the service's own; others belong to it. */
	ports: readonly [PortRange, ...PortRange[]];
}

/** @returns the entries in their order; one whose port nobody knows is `missing` it */
export function allowedOf(
	{ allow = [] }: ServerDefinition,
	known: Installed["services"],
): (Allowed | { service: string; missing: "port" })[] {
	return allow.map((entry) => {
		const { from, service = null } = entry;
		const ports = portsOf(entry, known);
		return ports ? { from, service, ports } : { service: service ?? "", missing: "port" };
	});
}

/** Who names a port or a protocol means that alone, and a template's service has one; else all that the catalogue knows of it. */
function portsOf(
	{ service = "", port, protocol }: AllowDefinition,
	known: Installed["services"],
): Allowed["ports"] | undefined {
	const profile = profileOf(service);
	const own = port ?? named(known, service)?.port;
	const first = own ?? profile?.port;
	if (first === undefined || first === "everything") return undefined;
	const main = { protocol: protocol ?? "tcp", first, last: first };
	if (own !== undefined || protocol !== undefined || !profile) return [main];
	return [{ ...main, protocol: profile.protocol === "udp" ? "udp" : "tcp" }, ...alsoOf(profile)];
}

/** By addresses: IPv4, and IPv6 where both have it. A server that is not there, or has no network, opens nothing. */
export function pathsAmong(servers: readonly StoredServer[]): Path[] {
	return waysAmong(servers).flatMap(({ paths }) => paths);
}

/** One entry of an `allow:` whose servers are both there. */
export interface WayBetween {
	from: string;
	to: string;
	allowed: Allowed;
	paths: Path[];
}

/** What each entry of each `allow:` opens. */
export function waysAmong(servers: readonly StoredServer[]): WayBetween[] {
	return servers.flatMap((server) =>
		allowedOf(server.definition, server.installed.services).flatMap((allowed): WayBetween[] => {
			if ("missing" in allowed) return [];
			const from = servers.find(({ name }) => name === allowed.from);
			if (!from?.definition.network || !server.definition.network) return [];
			return [{ from: from.name, to: server.name, allowed, paths: pathsOf(allowed, from, server) }];
		}),
	);
}

/** @returns whether one server may open a TCP port of another; also where all of a segment is open */
export function reachesWith(openSegments: readonly string[]) {
	return (from: StoredServer, to: StoredServer, port: number): boolean => {
		const [one, other] = [from.definition.network, to.definition.network];
		if (one && one.segment === other?.segment && openSegments.includes(one.segment)) return true;
		return waysAmong([from, to]).some(
			(way) =>
				way.to === to.name &&
				way.from === from.name &&
				way.allowed.ports.some(
					({ protocol, first, last }) => protocol === "tcp" && first <= port && port <= last,
				),
		);
	};
}

/** By addresses, what one entry of a server's `allow:` opens to another; nothing where one has no network. */
export function pathsOf({ ports }: Allowed, one: StoredServer, other: StoredServer): Path[] {
	const [from, to] = [one.definition.network, other.definition.network];
	if (!from || !to) return [];
	return ports.flatMap(({ protocol, first, last }): Path[] => {
		const what = { protocol, port: first, ...(last === first ? {} : { last }) };
		const six = from.address6 && to.address6 ? [{ from: from.address6, to: to.address6, ...what }] : [];
		return [{ from: from.address, to: to.address, ...what }, ...six];
	});
}

/**
 * The segments while a site is being changed: the old and the new ones. What is to be opened is not open yet: should the
 * change fail, nothing has to be closed again.
 */
export function meanwhile(before: Segments = {}, after: Segments = {}): Segments {
	const both = Object.entries({ ...before, ...after });
	return Object.fromEntries(
		both.map(([name, { allow: _, ...segment }]) => {
			const allow = named(before, name)?.allow;
			return [name, { ...segment, ...(allow ? { allow } : {}) }];
		}),
	);
}

type Segments = NonNullable<Site["segments"]>;

/** Names of the segments whose servers all reach each other. */
export function openSegments({ segments = {} }: Pick<Site, "segments">): Between["open"] {
	return Object.entries(segments).flatMap(([name, { allow }]) => (allow === "all" ? [name] : []));
}
