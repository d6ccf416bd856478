import type { SandboxView } from "../api/sandbox.ts";
import { countersOf } from "../network/counters.ts";
import type { StoredServer } from "../store/servers.ts";
import { completeServicesOf } from "./resolve.ts";

/** What is asked of the running parts. */
export interface Running {
	/** Null when the site has no sandbox. */
	namespace: string | null;
	/** By service; see FrontDoor.health. */
	health: Record<string, "up" | "down" | "unknown">;
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
	return {
		server: name,
		namespace,
		segment: network?.segment ?? null,
		subnet,
		address: network?.address ?? null,
		waysIn: waysInto(server, running),
		neighbours: all
			.filter(
				(other) => network && other.name !== name && other.definition.network?.segment === network.segment,
			)
			.map((other) => other.name)
			.sort(),
		outbound: { policy: "deny", because: becauseOf(server) },
		counted: namespace === null ? null : await countedIn(namespace),
	};
}

function waysInto(server: StoredServer, { health }: Running): SandboxView["waysIn"] {
	// One for each entry of `publish:`, in its order: without a port an entry is refused when it is applied.
	return completeServicesOf(server).map(({ service, protocol, listen, port, to }, index) => ({
		...{ from: to, service, protocol, listen, port },
		health: health[service] ?? "unknown",
		because: `servers.${server.name}.publish[${index}]`,
	}));
}

function becauseOf({ name, definition }: StoredServer): string {
	if (!definition.network) return `servers.${name} has no network`;
	return definition.outbound
		? `servers.${name}.outbound is ${definition.outbound}`
		: `servers.${name} says nothing of outbound, and that means deny`;
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
		otherProtocol: found.other_protocol,
		droppedOut: found.dropped_out,
	};
}
