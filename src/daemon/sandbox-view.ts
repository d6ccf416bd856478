import type { SandboxView, Tally } from "../api/sandbox.ts";
import { countersOf } from "../network/counters.ts";
import { namesOf, refusedCounter, waysInto } from "../network/inbound/plan.ts";
import { obstaclesOf, type Passing } from "../network/outbound/obstacles.ts";
import { type OutboundCounters, outboundCountersOf } from "../network/outbound/outbound.ts";
import { droppedCounter, passedCounter } from "../network/outbound/plan.ts";
import { type Elements, elementsOf, passages, segmentText } from "../network/passed.ts";
import { rangeText } from "../network/services.ts";
import type { StoredServer } from "../store/servers.ts";
import { allowedOf, pathsOf } from "./between.ts";
import { type AddressesOf, outboundRulesOf } from "./outbound.ts";
import type { Healths } from "./parts/door/answers.ts";
import { checkOf, inboundServers, type Published, publishedBy, viewOf } from "./published.ts";

/** What is asked of the running parts. */
export interface Running {
	/** Null when the site has no sandbox. */
	namespace: string | null;
	/** See HostDoor.healthByDoor. */
	health: ReadonlyMap<number, Healths>;
	/** Segments whose servers all reach each other. */
	openSegments: readonly string[];
	/** What a name in `outbound:` lets out now. */
	addressesOf: AddressesOf;
}

/**
 * Who can reach a server and what it can reach, from what the rules are made of, with what they have counted.
 * @param all every server of the site
 * @throws CommandError when the sandbox's firewall cannot be read
 */
export async function sandboxViewOf(
	server: StoredServer,
	all: readonly StoredServer[],
	running: Running,
): Promise<SandboxView> {
	const { name, subnet, definition } = server;
	const { network } = definition;
	const namespace = network ? running.namespace : null;
	const others = all.filter((other) => other.name !== name);
	const passed = namespace === null ? null : passedIn(await elementsOf(namespace));
	const between = (from: StoredServer, to: StoredServer) => pathsBetween(from, to, running, passed);
	const fromServers = others.flatMap((other) => between(other, server).map(named(other)));
	const toServers = others.flatMap((other) => between(server, other).map(named(other)));
	const counters: OutboundCounters = namespace === null ? new Map() : await outboundCountersOf(namespace);
	const met = new Set([...fromServers, ...toServers].map((path) => path.server));
	return {
		server: name,
		namespace,
		segment: network?.segment ?? null,
		subnet,
		address: network?.address ?? null,
		address6: network?.address6 ?? null,
		waysIn: waysInOf(server, running.health, counters),
		refused: counters.get(refusedCounter(name)) ?? null,
		...{ fromServers, toServers },
		neighbours: others
			.filter(
				(other) => network && other.definition.network?.segment === network.segment && !met.has(other.name),
			)
			.map((other) => other.name)
			.sort(),
		outbound: await outboundOf(server, counters, running.addressesOf),
		counted: namespace === null ? null : await countedIn(namespace),
	};
}

/** One for each entry of `publish:`, in its order: what cannot be published was refused when it was applied. Pure. */
export function waysInOf(
	server: StoredServer,
	health: Running["health"],
	counters: OutboundCounters,
): SandboxView["waysIn"] {
	return publishedBy(server).map((entry, index) => {
		const { to, ...place } = viewOf(entry);
		const check = checkOf(entry);
		return {
			...{ from: to, ...place },
			health: check ? (health.get(check.listen)?.[check.service] ?? "unknown") : "unchecked",
			passed: passedInto(server.name, entry, counters),
			because: `servers.${server.name}.publish[${index}]`,
		};
	});
}

/** What came in by an entry besides its front doors' connections; null when it is reached by those alone. */
function passedInto(server: string, { way, redirects }: Published, counters: OutboundCounters): Tally | null {
	const ways = waysInto({ ways: way ? [way] : [], redirects });
	const found = ways.flatMap((one) => counters.get(namesOf(server, one).in) ?? []);
	if (found.length === 0) return null;
	const sum = (what: keyof Tally) => found.reduce((all, one) => all + one[what], 0);
	return { packets: sum("packets"), bytes: sum("bytes") };
}

type PathBetween = Omit<SandboxView["toServers"][number], "server">;

const named =
	({ name }: StoredServer) =>
	(path: PathBetween) => ({ server: name, ...path });

/** What has gone by paths, and among the servers of a segment that is open as a whole. Pure. */
function passedIn(elements: Elements) {
	return {
		by: passages(elements),
		among: (segment: string) => elements.open.get(segmentText(segment)) ?? null,
	};
}

/** What one server may open to another. */
function pathsBetween(
	from: StoredServer,
	to: StoredServer,
	{ openSegments }: Running,
	passedHere: ReturnType<typeof passedIn> | null,
): PathBetween[] {
	const [one, other] = [from.definition.network, to.definition.network];
	if (!one || !other) return [];
	const whole = one.segment === other.segment && openSegments.includes(one.segment);
	const everything = {
		...({ service: null, protocol: "any", port: null } as const),
		ports: ["everything"],
		passed: passedHere?.among(one.segment) ?? null,
	};
	const byName = allowedOf(to.definition, to.installed.services).flatMap((allowed, i): PathBetween[] => {
		if ("missing" in allowed || allowed.from !== from.name) return [];
		const [{ protocol, first: port }] = allowed.ports;
		const passed = passedHere?.by(pathsOf(allowed, from, to)) ?? null;
		const { service } = allowed;
		const ports = allowed.ports.map((range) => `${range.protocol} ${rangeText(range)}`);
		return [{ ...{ service, protocol, port, ports, passed }, because: `servers.${to.name}.allow[${i}]` }];
	});
	return [...(whole ? [{ ...everything, because: `segments.${one.segment}.allow` }] : []), ...byName];
}

async function outboundOf(
	server: StoredServer,
	counters: OutboundCounters,
	addressesOf: AddressesOf,
): Promise<SandboxView["outbound"]> {
	const { name, definition, lan } = server;
	const rules = outboundRulesOf(definition.network ? definition.outbound : "deny", addressesOf);
	const passing = passingOf(server, rules.length > 0);
	return {
		ways: rules.map((rule, i) => ({
			...{
				to: rule.to,
				addresses: rule.addresses === undefined ? null : [...rule.addresses],
				protocol: rule.protocol,
				ports: rule.ports.map(([first, last]): [number, number] => [first, last]),
			},
			passed: counters.get(passedCounter(name, rule)) ?? null,
			because: Array.isArray(definition.outbound)
				? `servers.${name}.outbound[${i}]`
				: `servers.${name}.outbound`,
		})),
		dropped: counters.get(droppedCounter(name)) ?? null,
		obstacles: passing ? await obstaclesOf({ ...passing, lan: lan?.interface }) : [],
		because: becauseOf(server),
	};
}

/** What the host has to route for a server; undefined when nothing. */
function passingOf(server: StoredServer, goesOut: boolean): Passing | undefined {
	const [inbound] = inboundServers([server]);
	const inward = inbound !== undefined && waysInto(inbound).some(({ to }) => to === "lan");
	return goesOut || inward ? { six: server.definition.network?.address6 !== undefined, inward } : undefined;
}

function becauseOf({ name, definition }: StoredServer): string {
	if (!definition.network) return `servers.${name} has no network`;
	if (definition.outbound === undefined)
		return `servers.${name} says nothing of outbound, and that means deny`;
	if (definition.outbound === "allow")
		return `servers.${name}.outbound is allow: all but this host, loopback, link-local and multicast`;
	return `servers.${name}.outbound is ${Array.isArray(definition.outbound) ? "a list of rules" : definition.outbound}`;
}

async function countedIn(namespace: string): Promise<SandboxView["counted"]> {
	const found = await countersOf(namespace);
	return {
		opened: found.opened,
		droppedIn: found.dropped_in,
		droppedForward: found.dropped_forward,
		spoofedMac: found.spoofed_mac,
		spoofedIp: found.spoofed_ip,
		spoofedArp: found.spoofed_arp,
		spoofedIp6: found.spoofed_ip6,
		spoofedNd: found.spoofed_nd,
		rogueRouter: found.rogue_router,
		rogueDhcp: found.rogue_dhcp,
		tagged: found.tagged,
		unneeded: found.unneeded,
		otherProtocol: found.other_protocol,
		droppedOut: found.dropped_out,
	};
}
