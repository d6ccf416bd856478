import { setTimeout as delay } from "node:timers/promises";
import { type TrafficView, type TrafficWay, trafficDays } from "../api/traffic.ts";
import { countingIn } from "../network/counting.ts";
import { inboundClientsOf } from "../network/inbound/clients.ts";
import { outboundCountersOf } from "../network/outbound/outbound.ts";
import { elementsOf } from "../network/passed.ts";
import type { StoredServer } from "../store/servers.ts";
import type { TrafficDay, TrafficSample } from "../store/traffic-tables.ts";
import { waysAmong } from "./between.ts";
import type { Context } from "./context.ts";
import { outboundRulesOf } from "./outbound.ts";
import type { HostDoor } from "./parts/door.ts";
import { inboundServers } from "./published.ts";
import { betweenSamplesOf, inboundSamplesOf, outboundSamplesOf } from "./traffic-samples.ts";

const everyMs = 60_000;
const clientsShown = 100;

/** What is asked of the running parts. */
interface Parts {
	units(): readonly { stored: StoredServer; door: HostDoor }[];
	/** Of the sandbox; null when there is none. */
	namespace(): string | null;
}

/** Counts what goes in and out of servers into the history, so that what counts may end and begin again. */
export class Traffic {
	private readonly context: Context;
	private readonly parts: Parts;
	/** One look at a time: two would count the same twice. */
	private looking: Promise<void> = Promise.resolve();

	constructor(context: Context, parts: Parts) {
		this.context = context;
		this.parts = parts;
	}

	/** Looks every minute until the signal. What cannot be read or kept is told, and counted with the next look. */
	async watch(signal: AbortSignal): Promise<void> {
		while (!signal.aborted) {
			await delay(everyMs, undefined, { signal }).catch(() => {});
			if (signal.aborted) return;
			await this.lookIfPossible();
		}
	}

	/** What cannot be read or kept is told. */
	async lookIfPossible(): Promise<void> {
		await this.look().catch((error) => this.context.log.warn({ err: error }, "traffic could not be counted"));
	}

	/** @returns what went in and out of a server, up to this moment. @throws Error when it cannot be read */
	async of(server: string): Promise<TrafficView> {
		await this.look();
		const since = Date.now() - (trafficDays - 1) * 86_400_000;
		const days = await this.context.history.trafficOf(server, since);
		return { server, since: Math.min(since, ...days.map(({ first }) => first)), ways: waysOf(days) };
	}

	private async look(): Promise<void> {
		const next = this.looking.catch(() => {}).then(async () => await this.lookNow());
		this.looking = next;
		await next;
	}

	private async lookNow(): Promise<void> {
		const units = this.parts.units();
		const namespace = this.parts.namespace();
		const { bootId } = this.context;
		const all = [
			...units.map(publishedSamples),
			outboundSamples(units, namespace, bootId),
			inboundSamples(units, namespace, bootId),
			betweenSamples(units, namespace, bootId),
		];
		// One front door that does not answer keeps the others from nothing.
		const samples = (await Promise.allSettled(all)).flatMap((each) => {
			if (each.status === "fulfilled") return each.value;
			this.context.log.warn(
				{ err: each.reason },
				"a part of the traffic could not be read; it counts with the next look",
			);
			return [];
		});
		if (samples.length > 0) await this.context.history.addTraffic(Date.now(), samples);
	}
}

async function publishedSamples({
	stored,
	door,
}: ReturnType<Parts["units"]>[number]): Promise<TrafficSample[]> {
	const all = await door.traffic();
	return all.flatMap(({ service: { service, listen }, source, clients }) =>
		clients.map(({ client, connections, requests, bytesIn, bytesOut }) => ({
			...{ server: stored.name, way: `published ${service} on port ${listen}`, client, source },
			...{ connections, count: requests, bytesIn, bytesOut },
		})),
	);
}

async function outboundSamples(
	units: ReturnType<Parts["units"]>,
	namespace: string | null,
	bootId: string,
): Promise<TrafficSample[]> {
	if (namespace === null) return [];
	const source = await countingIn(namespace, "outbound", bootId);
	const counters = await outboundCountersOf(namespace);
	const servers = units.map(({ stored: { name, definition } }) => ({
		name,
		rules: outboundRulesOf(definition.outbound),
	}));
	return outboundSamplesOf(servers, counters, source);
}

async function inboundSamples(
	units: ReturnType<Parts["units"]>,
	namespace: string | null,
	bootId: string,
): Promise<TrafficSample[]> {
	const servers = inboundServers(units.map(({ stored }) => stored));
	if (namespace === null || servers.length === 0) return [];
	const source = await countingIn(namespace, "outbound", bootId);
	const counters = await outboundCountersOf(namespace);
	return inboundSamplesOf(servers, counters, await inboundClientsOf(namespace), source);
}

async function betweenSamples(
	units: ReturnType<Parts["units"]>,
	namespace: string | null,
	bootId: string,
): Promise<TrafficSample[]> {
	const ways = waysAmong(units.map(({ stored }) => stored));
	if (namespace === null || ways.length === 0) return [];
	const source = await countingIn(namespace, "bulkhead", bootId);
	return betweenSamplesOf(ways, await elementsOf(namespace), source);
}

const kinds = ["published", "between", "outbound", "dropped"] as const;

/** Pure. Ways in the order of their kinds, the one that was used most first. */
export function waysOf(days: readonly TrafficDay[]): TrafficWay[] {
	const byWay = Map.groupBy(days, ({ way }) => way);
	const ways = [...byWay].flatMap(([way, own]): TrafficWay[] => {
		const [, word, what = ""] = /^(\w+) (.*)$/.exec(way) ?? [];
		const kind = kinds.find((one) => one === word);
		if (!kind) return [];
		const clients = [...Map.groupBy(own, ({ client }) => client)]
			.filter(([client]) => client !== "")
			.map(([client, its]) => ({ client, ...sum(its) }))
			.sort((a, b) => b.last - a.last);
		return [
			{
				...{ kind, what, ...sum(own), clients: clients.slice(0, clientsShown), clientCount: clients.length },
				days: [...Map.groupBy(own, ({ day }) => day)].map(([day, its]) => ({ day, used: usedOf(kind, its) })),
			},
		];
	});
	const size = (way: TrafficWay) => way.connections || way.count;
	return ways.sort((a, b) => kinds.indexOf(a.kind) - kinds.indexOf(b.kind) || size(b) - size(a));
}

function usedOf(kind: TrafficWay["kind"], days: readonly TrafficDay[]): number {
	return days.reduce((all, one) => all + (kind === "published" ? one.connections : one.count), 0);
}

function sum(days: readonly TrafficDay[]) {
	const total = (name: "connections" | "count" | "bytesIn" | "bytesOut") =>
		days.reduce((all, one) => all + one[name], 0);
	return {
		...{ connections: total("connections"), count: total("count") },
		...{ bytesIn: total("bytesIn"), bytesOut: total("bytesOut") },
		first: Math.min(...days.map(({ first }) => first)),
		last: Math.max(...days.map(({ last }) => last)),
	};
}
