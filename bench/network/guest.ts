import { setTimeout as delay } from "node:timers/promises";
import { run } from "../../src/host/command.ts";
import { instanceTag } from "../../src/store/paths.ts";
import { Lab } from "../lab.ts";
import { median } from "../median.ts";
import { servicesAddress, servicesServer } from "../protocols/guest.ts";
import { benchSite } from "../recovery/bulkhead.ts";
import type { Verdict } from "../recovery/judge.ts";
import { ask, transfer, type Way } from "./ways.ts";

const server = "services";
const runningWithinMs = 300_000;
const [transferPort, pagePort] = [5201, 80];
const services = [
	{ service: "http", listen: 18130, port: pagePort },
	// To its server each connection is a client; one that comes while a transfer begins ends it.
	{ service: "iperf3", listen: 18131, port: transferPort, health: "none" },
] as const;

type Ways = Record<"direct" | "door", Way>;

/** One round with a real guest: bits a second of its transfers together, and the median of its requests in milliseconds. */
interface GuestRound {
	up: Record<keyof Ways, number>;
	down: Record<keyof Ways, number>;
	page: Record<keyof Ways, number>;
}

interface Spread {
	median: number;
	worst: number;
}

/** What the front door costs before a real guest. */
export interface GuestFigures {
	accelerator: string;
	/** Throughput with the front door, as a share of that without it. */
	toGuest: Spread;
	fromGuest: Spread;
	/** Milliseconds that it adds to a request, and what a request takes without it. */
	added: Spread;
	pageDirectMs: number;
	/** Bits a second without it (medians). */
	direct: { toGuest: number; fromGuest: number };
	rounds: GuestRound[];
}

function waysTo(namespace: string): Ways {
	const listens = new Map(services.map(({ port, listen }) => [port, listen]));
	return {
		direct: {
			enter: ["nsenter", `--net=/run/netns/${namespace}`],
			address: servicesAddress,
			portOf: (port) => port,
		},
		door: { enter: [], address: "127.0.0.1", portOf: (port) => listens.get(port) ?? 0 },
	};
}

/** Lets root ask the guest from inside the sandbox as well, as only the front door may. Gone with the lab. */
async function letRootIn(namespace: string): Promise<void> {
	const elements = services.map(({ port }) => `0 . ${servicesAddress} . ${port}`).join(", ");
	const words = ["add", "element", "inet", "bulkhead", "published", `{ ${elements} }`];
	await run("ip", ["netns", "exec", namespace, "nft", ...words], { deadlineMs: 10_000 });
}

/** After a transfer iperf3's server listens anew, and whoever had come before that is reset: an emulated one takes its time. */
const listensAgainMs = 1500;

/**
 * Transfers of a round, each way and direction. An emulated guest gives some connections twice what it gives others, and of
 * one a round the median of twelve rounds came out between 0.87 and 1.05 for the same front door.
 */
const transfersEach = 3;
const names = ["direct", "door"] as const;

/** In turn, the first one changing, so that whatever else the host does hits both. */
const inTurn = (number: number) => (number % 2 === 0 ? names : names.toReversed());

/** @returns bits a second of all of a round's transfers in one direction together, each as long as the others */
async function transfers(ways: Ways, first: number, seconds: number, reverse: boolean) {
	const mean = { direct: 0, door: 0 };
	for (let number = first; number < first + transfersEach; number++)
		for (const name of inTurn(number)) {
			await delay(listensAgainMs);
			mean[name] += (await transfer(ways[name], transferPort, seconds, reverse)) / transfersEach;
		}
	return mean;
}

async function oneRound(ways: Ways, number: number, seconds: number, requests: number): Promise<GuestRound> {
	const up = await transfers(ways, number, seconds, false);
	const down = await transfers(ways, number, seconds, true);
	const page = { direct: 0, door: 0 };
	for (const name of inTurn(number)) page[name] = median(await ask(ways[name], pagePort, "/page", requests));
	return { up, down, page };
}

function lineOf({ up, down, page }: GuestRound): string {
	const gigabits = (bits: number) => (bits / 1e9).toFixed(2);
	return `to the guest ${gigabits(up.direct)} ${gigabits(up.door)} Gbit/s, from it ${gigabits(down.direct)} ${gigabits(down.door)} Gbit/s, a page ${page.direct.toFixed(3)} ${page.door.toFixed(3)} ms`;
}

function figuresOf(rounds: readonly GuestRound[]): Omit<GuestFigures, "accelerator"> {
	const thousandths = (value: number) => Math.round(value * 1000) / 1000;
	const spread = (values: readonly number[], worst: (...values: number[]) => number): Spread => ({
		median: thousandths(median(values)),
		worst: thousandths(worst(...values)),
	});
	const shares = (what: "up" | "down") => rounds.map((round) => round[what].door / round[what].direct);
	const directly = (what: "up" | "down" | "page") => median(rounds.map((round) => round[what].direct));
	return {
		toGuest: spread(shares("up"), Math.min),
		fromGuest: spread(shares("down"), Math.min),
		added: spread(
			rounds.map(({ page }) => page.door - page.direct),
			Math.max,
		),
		pageDirectMs: thousandths(directly("page")),
		direct: { toGuest: Math.round(directly("up")), fromGuest: Math.round(directly("down")) },
		rounds: [...rounds],
	};
}

/** The same transfers and requests to a real guest, without and with its front door; on a lab of its own. */
export async function realGuest(
	{ rounds, seconds, requests }: { rounds: number; seconds: number; requests: number },
	signal: AbortSignal,
): Promise<GuestFigures> {
	const lab = new Lab("/var/lib/bulkhead-bench-network");
	try {
		await lab.startDaemon();
		const { accelerator } = await lab.client.call("status", {}, null);
		console.log(
			`\nA real guest (${accelerator}; its template is built the first time), without and with the front door:`,
		);
		await lab.apply(benchSite({ [server]: servicesServer("cold", services) }));
		await lab.client.call("start", { server }, null);
		await lab.until(server, ({ state }) => state === "running", runningWithinMs, signal);
		const namespace = `bh-${instanceTag(lab.state)}-bench`;
		await letRootIn(namespace);
		const ways = waysTo(namespace);
		const all: GuestRound[] = [];
		for (let number = 0; number < rounds; number++) {
			signal.throwIfAborted();
			const round = await oneRound(ways, number, seconds, requests);
			all.push(round);
			console.log(`  ${`${number + 1}/${rounds}`.padStart(6)}  ${lineOf(round)}`);
		}
		return { accelerator, ...figuresOf(all) };
	} finally {
		await lab.dispose();
	}
}

export function judgeGuest(
	{ toGuest, fromGuest, added }: GuestFigures,
	{ leastShare, mostAddedMs }: { leastShare: number; mostAddedMs: number },
): Verdict[] {
	const least = Math.min(toGuest.median, fromGuest.median);
	return [
		{
			promise: `a real guest: at least ${leastShare} of the throughput without the front door (median)`,
			broken: least >= leastShare ? null : `${least}`,
		},
		{
			promise: `a real guest: it adds less than ${mostAddedMs} ms to a small request (median)`,
			broken: added.median < mostAddedMs ? null : `${added.median} ms`,
		},
	];
}
