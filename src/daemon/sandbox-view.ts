import type { SandboxView } from "../api/sandbox.ts";
import { countersOf } from "../network/counters.ts";
import { obstaclesOf } from "../network/outbound/obstacles.ts";
import { outboundCountersOf } from "../network/outbound/outbound.ts";
import { droppedCounter, passedCounter } from "../network/outbound/plan.ts";
import type { StoredServer } from "../store/servers.ts";
import { allowedOf } from "./between.ts";
import { outboundRulesOf } from "./outbound.ts";
import { publishedOf } from "./published.ts";

/** What is asked of the running parts. */
export interface Running {
	/** Null when the site has no sandbox. */
	namespace: string | null;
	/** By service; see FrontDoor.health. */
	health: Record<string, "up" | "down" | "unknown">;
	/** Segments whose servers all reach each other. */
	openSegments: readonly string[];
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
	const fromServers = others.flatMap((other) => pathsBetween(other, server, running).map(named(other)));
	const toServers = others.flatMap((other) => pathsBetween(server, other, running).map(named(other)));
	const met = new Set([...fromServers, ...toServers].map((path) => path.server));
	return {
		server: name,
		namespace,
		segment: network?.segment ?? null,
		subnet,
		address: network?.address ?? null,
		address6: network?.address6 ?? null,
		waysIn: waysInto(server, running),
		...{ fromServers, toServers },
		neighbours: others
			.filter(
				(other) => network && other.definition.network?.segment === network.segment && !met.has(other.name),
			)
			.map((other) => other.name)
			.sort(),
		outbound: await outboundOf(server, namespace),
		counted: namespace === null ? null : await countedIn(namespace),
	};
}

function waysInto(server: StoredServer, { health }: Running): SandboxView["waysIn"] {
	// One for each entry of `publish:`, in its order: without a port an entry is refused when it is applied.
	return publishedOf(server).map(({ service, protocol, through, listen, port, ports, to }, index) => ({
		...{ from: to, service, protocol, through, listen, port, ports },
		health: health[service] ?? "unknown",
		because: `servers.${server.name}.publish[${index}]`,
	}));
}

type PathBetween = Omit<SandboxView["toServers"][number], "server">;

const named =
	({ name }: StoredServer) =>
	(path: PathBetween) => ({ server: name, ...path });

/** What one server may open to another. */
function pathsBetween(from: StoredServer, to: StoredServer, { openSegments }: Running): PathBetween[] {
	const [one, other] = [from.definition.network, to.definition.network];
	if (!one || !other) return [];
	const whole = one.segment === other.segment && openSegments.includes(one.segment);
	const everything = { service: null, protocol: "any", port: null } as const;
	const byName = allowedOf(to.definition, to.installed.services).flatMap((allowed, i): PathBetween[] => {
		if ("missing" in allowed || allowed.from !== from.name) return [];
		const { service, protocol, port } = allowed;
		return [{ service, protocol, port, because: `servers.${to.name}.allow[${i}]` }];
	});
	return [...(whole ? [{ ...everything, because: `segments.${one.segment}.allow` }] : []), ...byName];
}

async function outboundOf(server: StoredServer, namespace: string | null): Promise<SandboxView["outbound"]> {
	const { name, definition } = server;
	const rules = outboundRulesOf(definition.network ? definition.outbound : "deny");
	const counters = namespace === null ? new Map() : await outboundCountersOf(namespace);
	const six = definition.network?.address6 !== undefined;
	return {
		ways: rules.map((rule, i) => ({
			...{
				to: rule.to,
				protocol: rule.protocol,
				ports: rule.ports.map(([first, last]): [number, number] => [first, last]),
			},
			passed: counters.get(passedCounter(name, rule)) ?? null,
			because: Array.isArray(definition.outbound)
				? `servers.${name}.outbound[${i}]`
				: `servers.${name}.outbound`,
		})),
		dropped: counters.get(droppedCounter(name)) ?? null,
		obstacles: rules.length === 0 ? [] : await obstaclesOf(six),
		because: becauseOf(server),
	};
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
