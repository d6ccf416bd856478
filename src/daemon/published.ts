import { named } from "../api/named.ts";
import type { PublishedView } from "../api/server.ts";
import type { PublishDefinition } from "../api/site.ts";
import { parseDuration } from "../api/units.ts";
import type { InboundServer, InboundWay, PortRange, Redirect } from "../network/inbound/plan.ts";
import type { ServicePlan } from "../network/plan.ts";
import { alsoOf, profileOf, rangeText, type ServiceProfile } from "../network/services.ts";
import { connectionOf, talkOf } from "../network/talk.ts";
import { type Installed, isOneOfSeveral, type StoredServer } from "../store/servers.ts";

/**
 * What the entries of a server's `publish:` come to. Pure.
 */

/** One entry, with what the site leaves out filled in: from the template, else from the catalogue. */
export interface Published {
	service: string;
	to: "host" | "lan";
	through: "front-door" | "address";
	protocol: "http" | "tcp" | "udp";
	/** The one that is asked whether the service is well; null for everything. */
	port: number | null;
	/** Port on the host; null at an address of the server's own. */
	listen: number | null;
	/** All ports, inside the server. */
	ports: readonly PortRange[] | "everything";
	/** Its front doors, each at a port of the host. */
	doors: readonly ServicePlan[];
	/** What is asked whether it is well, and carries no users; `SERVICE:PORT` where several have one name. */
	watched: readonly ServicePlan[];
	/** How it is reached at the server's own address. */
	way: InboundWay | null;
	/** UDP at ports of the host. */
	redirects: readonly Redirect[];
}

/** An entry that cannot be published as it stands: which key, and why; `port` is missing where nobody knows one. */
export type Unpublishable =
	| { service: string; missing: "port" }
	| { service: string; key: string; message: string };

/** In the order of `publish:`. @param onLan whether the server has an address of the LAN */
export function publishedEntries(
	publish: readonly PublishDefinition[],
	known: Installed["services"],
	onLan: boolean,
): (Published | Unpublishable)[] {
	const entries = publish.map((entry): Published | Unpublishable => {
		const { service } = entry;
		const template = named(known, service);
		const profile = profileOf(service);
		const port = entry.port ?? template?.port ?? profile?.port;
		if (port === undefined) return { service, missing: "port" };
		const protocol = entry.protocol ?? template?.protocol ?? profile?.protocol ?? "tcp";
		// A port of one's own is that port alone.
		const also = profile && entry.port === undefined && template === undefined ? alsoOf(profile) : [];
		const through = throughOf(entry, profile, onLan);
		const wrong = refusalOf(entry, through, { protocol, also, port });
		if (wrong) return { service, ...wrong };
		const plan = planOf(entry, protocol, port === "everything" ? 0 : port, template, profile);
		return through === "address"
			? atAddress(entry, plan, port, also)
			: atDoor(entry, plan, port === "everything" ? 0 : port, also);
	});
	return entries.map((entry) => ("watched" in entry ? toldApart(entry, entries) : entry));
}

/** Of several of one name at the server's own address each is asked by its port, so that one that is silent can be told of. */
function toldApart(entry: Published, all: readonly (Published | Unpublishable)[]): Published {
	const isSame = (one: Published | Unpublishable) =>
		"way" in one && one.way !== null && one.service === entry.service;
	if (all.filter(isSame).length < 2) return entry;
	const named = (plan: ServicePlan) => ({ ...plan, service: `${plan.service}:${plan.port}` });
	return { ...entry, watched: entry.watched.map(named) };
}

type Main = Omit<ServicePlan, "protocol"> & { protocol: Published["protocol"] };

function throughOf(
	{ through, listen, proxy, hold }: PublishDefinition,
	profile: ServiceProfile | undefined,
	onLan: boolean,
): Published["through"] {
	const saysDoor = listen !== undefined || proxy !== undefined || hold !== undefined;
	return through ?? profile?.through ?? (onLan && !saysDoor ? "address" : "front-door");
}

interface Ports {
	protocol: Published["protocol"];
	port: number | "everything";
	also: readonly PortRange[];
}

function refusalOf(
	entry: PublishDefinition,
	through: Published["through"],
	{ protocol, port, also }: Ports,
): { key: string; message: string } | undefined {
	const { service, listen } = entry;
	if (through === "address") {
		const door = (["listen", "proxy", "hold"] as const).find((key) => entry[key] !== undefined);
		const message = `means something only at the front door, and ${service} is published at the server's own address; leave it out`;
		return door && { key: door, message };
	}
	if (port === "everything" || also.some(({ first, last }) => first !== last))
		return {
			key: "through",
			message: `${service} needs an address of the server's own, as it ${port === "everything" ? "is every port" : "uses ranges of ports"}; say \`through: address\``,
		};
	const others = also.filter(({ first }) => first !== port);
	if (listen !== undefined && others.length > 0)
		return {
			key: "listen",
			message: `${service} has several ports (${[port, ...others.map(({ first }) => first)].join(", ")}); leave this out, or publish its services one by one`,
		};
	if (protocol !== "udp") return undefined;
	const unused = (["hold", "proxy", "rehearse", "health"] as const).find((key) => entry[key] !== undefined);
	return unused && { key: unused, message: "means nothing for UDP; leave it out" };
}

function planOf(
	publish: PublishDefinition,
	protocol: Published["protocol"],
	port: number,
	template: Installed["services"][string] | undefined,
	profile: ServiceProfile | undefined,
): Main {
	return {
		service: publish.service,
		protocol,
		port,
		to: publish.to,
		listen: publish.listen ?? port,
		holdMs: parseDuration(publish.hold ?? "60s") ?? 60_000,
		health: healthOf(publish, protocol, template?.healthPath, profile),
		rehearse: publish.rehearse ?? template?.rehearse ?? [],
		...(publish.proxy === undefined ? {} : { proxy: publish.proxy }),
	};
}

/** A conversation is the catalogue's own, and only for a service that is treated as the catalogue says. */
function healthOf(
	{ health }: PublishDefinition,
	protocol: Published["protocol"],
	page: string | null | undefined,
	profile: ServiceProfile | undefined,
): ServicePlan["health"] {
	if (protocol === "udp" || health === "none") return "unchecked";
	const talk = profile?.protocol === protocol ? talkOf(profile) : null;
	if (protocol === "http" && (page || !talk)) return health === "connect" ? null : { path: page ?? "/" };
	return talk && health === "connect" ? connectionOf(talk) : talk;
}

function atAddress(
	{ service, to }: PublishDefinition,
	main: Main,
	port: number | "everything",
	also: readonly PortRange[],
): Published {
	const { protocol } = main;
	const own: PortRange = { protocol: protocol === "udp" ? "udp" : "tcp", first: main.port, last: main.port };
	const ports = port === "everything" ? port : [own, ...also];
	const isAsked = port !== "everything" && protocol !== "udp" && main.health !== "unchecked";
	return {
		...{ service, to, through: "address", protocol, listen: null, ports, doors: [], redirects: [] },
		port: port === "everything" ? null : port,
		watched: isAsked ? [{ ...main, protocol, listen: main.port }] : [],
		way: { service, to, ports },
	};
}

/** Ports that belong to it as well are passed through, and nobody asks whether they are well: not all need be in use. */
function atDoor(
	{ service, to }: PublishDefinition,
	main: Main,
	port: number,
	also: readonly PortRange[],
): Published {
	const { protocol } = main;
	const at = (one: number) => (one === port ? main.listen : one);
	const redirect = (one: number): Redirect => ({ service, to, listen: at(one), port: one });
	const door = (one: number): ServicePlan => ({
		...{ service, to, port: one, listen: at(one), protocol: "tcp", holdMs: main.holdMs },
		...{ health: "unchecked", rehearse: [], ...(main.proxy ? { proxy: main.proxy } : {}) },
	});
	const of = (kind: PortRange["protocol"]) =>
		also.filter((range) => range.protocol === kind).map(({ first }) => first);
	const own: PortRange = { protocol: protocol === "udp" ? "udp" : "tcp", first: port, last: port };
	return {
		...{ service, to, through: "front-door", protocol, port, listen: main.listen, watched: [], way: null },
		ports: [own, ...also],
		doors: [...(protocol === "udp" ? [] : [{ ...main, protocol }]), ...of("tcp").map(door)],
		redirects: [...(protocol === "udp" ? [port] : []), ...of("udp")].map(redirect),
	};
}

/** Those of a server that is there: what cannot be published was refused before. */
export function publishedBy({ definition, installed, lan }: StoredServer): Published[] {
	const entries = publishedEntries(definition.publish ?? [], installed.services, lan !== null);
	return definition.network ? entries.filter((entry): entry is Published => "ports" in entry) : [];
}

/** The services that users come to by front doors. */
export function completeServicesOf(server: StoredServer): ServicePlan[] {
	return publishedBy(server).flatMap(({ doors }) => doors);
}

/** What is asked whether it is well, besides those. */
export function watchedServicesOf(server: StoredServer): ServicePlan[] {
	return publishedBy(server).flatMap(({ watched }) => watched);
}

/** In the place of a port: the front door that nobody comes through, and that asks how services are which need none. */
export const watchdog = 0;

/** Which front door asks whether an entry is well, by its port of the host or `watchdog`, and by which name; null: none does. */
export function checkOf({ doors, watched }: Published): { listen: number; service: string } | null {
	const door = doors.find(({ health }) => health !== "unchecked");
	if (door) return { listen: door.listen, service: door.service };
	const [own] = watched;
	return own ? { listen: watchdog, service: own.service } : null;
}

/** Names of the services that say whether the server is well; one with several checks several times. */
export function heardServicesOf(server: StoredServer): string[] {
	return [...completeServicesOf(server), ...watchedServicesOf(server)]
		.filter(({ health }) => health !== "unchecked")
		.map(({ service }) => service);
}

/** What is let in to each server that is reached at its own address, or by UDP. */
export function inboundServers(servers: readonly StoredServer[]): InboundServer[] {
	return servers.flatMap((server) => {
		const { network } = server.definition;
		const published = publishedBy(server);
		const ways = published.flatMap(({ way }) => way ?? []);
		const redirects = published.flatMap(({ redirects }) => redirects);
		if (!network || ways.length + redirects.length === 0) return [];
		const { address, address6 } = network;
		return [{ name: server.name, address, address6, ways, redirects, yields: isOneOfSeveral(server) }];
	});
}

export function publishedOf(server: StoredServer): PublishedView[] {
	return publishedBy(server).map(viewOf);
}

export function viewOf({ service, protocol, port, to, through, listen, ports }: Published): PublishedView {
	return {
		...{ service, protocol, port, to, through, listen },
		ports: ports === "everything" ? [ports] : ports.map((range) => `${range.protocol} ${rangeText(range)}`),
	};
}
