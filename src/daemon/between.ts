import type { AllowDefinition, ServerDefinition, Site } from "../api/site.ts";
import type { Between, Path } from "../network/plan.ts";
import { profileOf } from "../network/services.ts";
import type { Installed, StoredServer } from "../store/servers.ts";

/**
 * Who may open what among the servers of a site. Pure.
 */

/** One entry of a server's `allow:`, with what the site leaves out filled in. */
export interface Allowed {
	from: string;
	/** Null for a port without a name. */
	service: string | null;
	protocol: Path["protocol"];
	port: number;
}

/** @returns the entries in their order; one whose port nobody knows is `missing` it */
export function allowedOf(
	{ allow = [] }: ServerDefinition,
	known: Installed["services"],
): (Allowed | { service: string; missing: "port" })[] {
	return allow.map((entry) => {
		const { from, service = null, protocol = "tcp" } = entry;
		const port = portOf(entry, known);
		return port === undefined
			? { service: service ?? "", missing: "port" }
			: { from, service, protocol, port };
	});
}

function portOf({ service, port }: AllowDefinition, known: Installed["services"]): number | undefined {
	if (port !== undefined || service === undefined) return port;
	const found =
		(Object.hasOwn(known, service) ? known[service] : undefined)?.port ?? profileOf(service)?.port;
	return found === "everything" ? undefined : found;
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

/** By addresses, what one entry of a server's `allow:` opens to another; nothing where one has no network. */
export function pathsOf({ protocol, port }: Allowed, one: StoredServer, other: StoredServer): Path[] {
	const [from, to] = [one.definition.network, other.definition.network];
	if (!from || !to) return [];
	const six = from.address6 && to.address6 ? [{ from: from.address6, to: to.address6, protocol, port }] : [];
	return [{ from: from.address, to: to.address, protocol, port }, ...six];
}

/**
 * The segments while a site is being changed: the old and the new ones. What is to be opened is not open yet: should the
 * change fail, nothing has to be closed again.
 */
export function meanwhile(before: Segments = {}, after: Segments = {}): Segments {
	const both = Object.entries({ ...before, ...after });
	return Object.fromEntries(
		both.map(([name, { allow: _, ...segment }]) => {
			const allow = before[name]?.allow;
			return [name, { ...segment, ...(allow ? { allow } : {}) }];
		}),
	);
}

type Segments = NonNullable<Site["segments"]>;

/** Names of the segments whose servers all reach each other. */
export function openSegments({ segments = {} }: Pick<Site, "segments">): Between["open"] {
	return Object.entries(segments).flatMap(([name, { allow }]) => (allow === "all" ? [name] : []));
}
