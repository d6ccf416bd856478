import { setTimeout as delay } from "node:timers/promises";
import { addressesOf } from "../../../network/addresses.ts";
import { connectionsTo } from "../../../network/inbound/established.ts";
import { namesOf, type PortRange, waysInto } from "../../../network/inbound/plan.ts";
import { outboundCountersOf } from "../../../network/outbound/outbound.ts";
import type { StoredServer } from "../../../store/servers.ts";
import { inboundServers, publishedBy } from "../../published.ts";
import { sandboxAddressOf } from "../../resolve.ts";

/**
 * Users who come to a server without a front door.
 */

const lookMs = 200;

/** Ports inside the server to which users come, in whatever way. */
export function usedPortsOf(server: StoredServer): PortRange[] {
	const every = (protocol: PortRange["protocol"]) => ({ protocol, first: 1, last: 65_535 });
	return publishedBy(server).flatMap(({ ports }) =>
		ports === "everything" ? [every("tcp"), every("udp")] : ports,
	);
}

/** @returns packets that have come in so; null when nothing is let in. @throws CommandError */
export async function packetsInto(server: StoredServer, namespace: string): Promise<number | null> {
	const [own] = inboundServers([server]);
	if (!own) return null;
	const counters = await outboundCountersOf(namespace);
	const counts = waysInto(own).map((way) => counters.get(namesOf(own.name, way).in)?.packets ?? 0);
	return counts.reduce((sum, one) => sum + one, 0);
}

/**
 * Nobody can be held back who comes without a front door, and a connection would end with its session: it is waited for.
 * @param end by the clock of `performance.now()`
 * @returns whether no connection is left
 * @throws CommandError, the signal's reason
 */
export async function untilNobodyIsConnected(
	server: StoredServer,
	namespace: string,
	end: number,
	signal: AbortSignal,
): Promise<boolean> {
	const [own] = inboundServers([server]);
	if (!own || own.ways.length === 0) return true;
	const addresses = addressesOf(own);
	const sandbox = [sandboxAddressOf(server)];
	for (;;) {
		const open = await Promise.all(addresses.map((one) => connectionsTo(namespace, one, sandbox)));
		if (open.every((count) => count === 0)) return true;
		if (performance.now() >= end) return false;
		await delay(lookMs, undefined, { signal });
	}
}
