import { wayText } from "../api/outbound.ts";
import type { InboundClients } from "../network/inbound/clients.ts";
import {
	type InboundServer,
	type InboundWay,
	namesOf,
	type PortRange,
	refusedCounter,
	waysInto,
} from "../network/inbound/plan.ts";
import { droppedCounter, type OutboundRule, passedCounter } from "../network/outbound/plan.ts";
import { type Elements, passages, pathText } from "../network/passed.ts";
import type { Counted } from "../network/plan.ts";
import { rangeText } from "../network/services.ts";
import type { TrafficSample } from "../store/traffic-tables.ts";
import type { WayBetween } from "./between.ts";

/**
 * What nftables has counted of each way in and out of servers, and what each way is called. Pure.
 *
 * A way's name is what its history is kept by: one that means a single way stays as it is, and of several that would be
 * called the same each says its port.
 */

const none: Counted = { packets: 0, bytes: 0 };

/** What rules let out, and what they did not. @param servers with their rules; one that is written twice has one counter */
export function outboundSamplesOf(
	servers: readonly { name: string; rules: readonly OutboundRule[] }[],
	counters: ReadonlyMap<string, Counted>,
	source: string,
): TrafficSample[] {
	return servers.flatMap(({ name, rules }) => {
		const counted = new Map([
			...rules.map((rule) => [`outbound ${wayText(rule)}`, passedCounter(name, rule)] as const),
			["dropped outside", droppedCounter(name)] as const,
		]);
		return [...counted].flatMap(([way, counter]): TrafficSample[] => {
			const found = counters.get(counter);
			if (!found) return [];
			const amounts = { connections: 0, count: found.packets, bytesIn: 0, bytesOut: found.bytes };
			return [{ server: name, way, client: "", source, ...amounts }];
		});
	});
}

/**
 * What came in without a front door: how much of it, and from whom. Who opened connections is known, and not how much each
 * sent.
 */
export function inboundSamplesOf(
	servers: readonly InboundServer[],
	counters: ReadonlyMap<string, Counted>,
	clients: InboundClients,
	source: string,
): TrafficSample[] {
	return servers.flatMap((server) => {
		const common = { server: server.name, source };
		const ways = waysInto(server).flatMap((way, i): TrafficSample[] => {
			const names = namesOf(server.name, way);
			const redirect = server.redirects[i - server.ways.length];
			const called = redirect
				? { way: `published ${way.service} on UDP port ${redirect.listen}` }
				: { way: addressName(way, server.ways), counter: names.in };
			const [inward, out] = [counters.get(names.in) ?? none, counters.get(names.out) ?? none];
			const whole = { connections: 0, count: 0, bytesIn: inward.bytes, bytesOut: out.bytes };
			const each = [names.clients, names.clients6].flatMap((set) => clients.get(set) ?? []);
			return [
				{ ...common, ...called, client: "", ...whole },
				...each.map(({ client, connections }) => ({
					...{ ...common, ...called, client, connections, count: 0, bytesIn: 0, bytesOut: 0 },
				})),
			];
		});
		const refused = counters.get(refusedCounter(server.name)) ?? none;
		const dropped = { connections: 0, count: refused.packets, bytesIn: refused.bytes, bytesOut: 0 };
		return [...ways, { ...common, way: "dropped arriving", client: "", ...dropped }];
	});
}

function addressName({ service, ports }: InboundWay, all: readonly InboundWay[]): string {
	const isAlone = all.filter((way) => way.service === service).length === 1;
	const what = isAlone ? service : withPort(service, ports);
	return `published ${what} at its own address`;
}

/** What servers have sent each other by `allow:`, both ways together; told of both. */
export function betweenSamplesOf(
	ways: readonly WayBetween[],
	elements: Elements,
	source: string,
): TrafficSample[] {
	const full = ({ from, to, allowed: { service, ports } }: WayBetween) =>
		`between ${from} to ${to}'s ${service === null ? portText(ports) : withPort(service, ports)}`;
	// What is written twice is one way.
	const groups = [...Map.groupBy(ways, full)].map(([counter, own]) => ({ counter, own }));
	const plain = ({ own: [way] }: (typeof groups)[number]) =>
		way?.allowed.service ? `between ${way.from} to ${way.to}'s ${way.allowed.service}` : undefined;
	const times = Map.groupBy(groups, plain);
	const passedBy = passages(elements);
	return groups.flatMap((group): TrafficSample[] => {
		const { counter, own } = group;
		const [one] = own;
		if (!one) return [];
		const name = plain(group);
		const way = name !== undefined && times.get(name)?.length === 1 ? name : counter;
		const paths = new Map(own.flatMap((each) => each.paths).map((path) => [pathText(path), path]));
		const { packets, bytes } = passedBy([...paths.values()]);
		const sample = { way, counter, client: "", source, connections: 0, count: packets };
		return [
			{ ...sample, server: one.to, bytesIn: bytes, bytesOut: 0 },
			{ ...sample, server: one.from, bytesIn: 0, bytesOut: bytes },
		];
	});
}

/** The first port is the service's own. */
function withPort(service: string, ports: readonly PortRange[] | "everything"): string {
	return `${service} (${ports === "everything" ? ports : portText(ports)})`;
}

function portText([first]: readonly PortRange[]): string {
	return first ? `${first.protocol} ${rangeText(first)}` : "";
}
