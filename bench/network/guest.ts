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

/** One round with a real guest: bits a second, and the median of the round's requests in milliseconds. */
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

async function nextTransfer(way: Way, seconds: number, reverse: boolean): Promise<number> {
	await delay(listensAgainMs);
	return await transfer(way, transferPort, seconds, reverse);
}

/** In turn, the first one changing from round to round, so that whatever else the host does hits both. */
async function oneRound(ways: Ways, number: number, seconds: number, requests: number): Promise<GuestRound> {
	const names = ["direct", "door"] as const;
	const inTurn = number % 2 === 0 ? names : names.toReversed();
	const none = () => ({ direct: 0, door: 0 });
	const round: GuestRound = { up: none(), down: none(), page: none() };
	for (const name of inTurn) round.up[name] = await nextTransfer(ways[name], seconds, false);
	for (const name of inTurn) round.down[name] = await nextTransfer(ways[name], seconds, true);
	for (const name of inTurn) round.page[name] = median(await ask(ways[name], pagePort, "/page", requests));
	return round;
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
