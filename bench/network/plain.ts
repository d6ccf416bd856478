import { fileURLToPath } from "node:url";
import { median, runPlain, writeResult } from "../lab.ts";
import { installFor } from "../packages.ts";
import { type MachineFacts, machineFacts } from "../recovery/facts.ts";
import type { Verdict } from "../recovery/judge.ts";
import { printVerdicts, verdictsForFile } from "../recovery/verdicts.ts";
import { judgeGuest, realGuest } from "./guest.ts";
import { Room } from "./room.ts";
import { ask, transfer, type Way } from "./ways.ts";

/**
 * What the front door costs: the same transfer and the same small requests with it and without it, in turn, in one run,
 * with a plain namespace in the guest's place, and then with a real guest. Without it means from where the front door asks.
 * ROUNDS=12, SECONDS=2 (a transfer), REQUESTS=1000 (a round), GUEST=0 (no real guest). Ends with 1 when a promise is broken.
 */

const rounds = Number(process.env.ROUNDS ?? "12");
const seconds = Number(process.env.SECONDS ?? "2");
const requests = Number(process.env.REQUESTS ?? "1000");
const withGuest = process.env.GUEST !== "0";
const leastShare = 0.9;
const leastRoutedShare = 0.95;
const mostAddedMs = 0.2;

const transferPort = 5201;
const pagePort = 8000;
const here = (file: string) => fileURLToPath(new URL(file, import.meta.url));

/**
 * Where a client asks: the guest itself, from inside the sandbox; the front door, from the host; or the guest at its own
 * address, routed into the sandbox.
 */
interface NamedWay extends Way {
	name: "direct" | "door" | "address";
}

function waysOf(room: Room, listens: ReadonlyMap<number, number>): NamedWay[] {
	return [
		{
			name: "direct",
			enter: ["nsenter", `--net=/run/netns/${room.namespace}`],
			address: room.guest.address,
			portOf: (port) => port,
		},
		{
			name: "address",
			enter: ["nsenter", `--net=/run/netns/${room.host}`],
			address: room.guest.address,
			portOf: (port) => port,
		},
		{ name: "door", enter: [], address: "127.0.0.1", portOf: (port) => listens.get(port) ?? 0 },
	];
}

interface Round {
	up: Record<NamedWay["name"], number>;
	down: Record<NamedWay["name"], number>;
	/** Median of the round's requests, milliseconds. */
	page: Record<NamedWay["name"], number>;
}

/** In turn, the first one changing from round to round, so that whatever else the host does hits both. */
async function oneRound(ways: readonly NamedWay[], number: number): Promise<Round> {
	const round: Round = {
		up: { direct: 0, door: 0, address: 0 },
		down: { direct: 0, door: 0, address: 0 },
		page: { direct: 0, door: 0, address: 0 },
	};
	const inTurn = number % 2 === 0 ? ways : ways.toReversed();
	for (const way of inTurn) round.up[way.name] = await transfer(way, transferPort, seconds, false);
	for (const way of inTurn) round.down[way.name] = await transfer(way, transferPort, seconds, true);
	for (const way of inTurn) round.page[way.name] = median(await ask(way, pagePort, "/", requests));
	const gigabits = (bits: number) => (bits / 1e9).toFixed(1).padStart(5);
	const { up, down, page } = round;
	const each = (of: Round["up"], text: (value: number) => string) =>
		[of.direct, of.door, of.address].map(text).join(" ");
	console.log(
		`  ${`${number + 1}/${rounds}`.padStart(6)}  to the guest ${each(up, gigabits)} Gbit/s, from it ${each(down, gigabits)} Gbit/s, a page ${each(page, (ms) => ms.toFixed(3))} ms`,
	);
	return round;
}

function figuresOf(all: readonly Round[]) {
	const shares = (what: "up" | "down", way: "door" | "address" = "door") =>
		all.map((round) => round[what][way] / round[what].direct);
	const added = (way: "door" | "address") => all.map(({ page }) => page[way] - page.direct);
	const spread = (values: readonly number[], worst: number) => ({
		median: round3(median(values)),
		worst: round3(worst),
	});
	return {
		/** Throughput with the front door, as a share of that without it. */
		toGuest: spread(shares("up"), Math.min(...shares("up"))),
		fromGuest: spread(shares("down"), Math.min(...shares("down"))),
		/** Milliseconds. */
		added: spread(added("door"), Math.max(...added("door"))),
		/** The same of the server's own address. */
		address: {
			toGuest: spread(shares("up", "address"), Math.min(...shares("up", "address"))),
			fromGuest: spread(shares("down", "address"), Math.min(...shares("down", "address"))),
			added: spread(added("address"), Math.max(...added("address"))),
		},
	};
}

function round3(value: number): number {
	return Math.round(value * 1000) / 1000;
}

function judge({ toGuest, fromGuest, added, address }: ReturnType<typeof figuresOf>): Verdict[] {
	const least = Math.min(toGuest.median, fromGuest.median);
	const leastRouted = Math.min(address.toGuest.median, address.fromGuest.median);
	return [
		{
			promise: `through the front door at least ${leastShare} of the throughput without it (median)`,
			broken: least >= leastShare ? null : `${least}`,
		},
		{
			promise: `it adds less than ${mostAddedMs} ms to a small request (median)`,
			broken: added.median < mostAddedMs ? null : `${added.median} ms`,
		},
		{
			promise: `at the server's own address at least ${leastRoutedShare} of it (median)`,
			broken: leastRouted >= leastRoutedShare ? null : `${leastRouted}`,
		},
	];
}

async function main(signal: AbortSignal): Promise<boolean> {
	await installFor(["/usr/bin/iperf3"], ["iperf3"]);
	const machine: MachineFacts = await machineFacts("none");
	await using room = new Room();
	const listens = await room.open([
		{ port: transferPort, protocol: "tcp" },
		{ port: pagePort, protocol: "http" },
	]);
	await room.serve("iperf3", "-s", "-p", `${transferPort}`, "--forceflush");
	await room.serve(process.execPath, here("page.ts"), `${pagePort}`);
	const ways = waysOf(room, listens);
	console.log(`${rounds} rounds, without the front door, with it, at the own address:`);
	const all: Round[] = [];
	for (let number = 0; number < rounds; number++) {
		signal.throwIfAborted();
		all.push(await oneRound(ways, number));
	}
	const figures = figuresOf(all);
	const guest = withGuest ? await realGuest({ rounds, seconds, requests }, signal) : null;
	const limits = { leastShare, mostAddedMs };
	const verdicts = [...judge(figures), ...(guest ? judgeGuest(guest, limits) : [])];
	console.log("");
	const ok = printVerdicts(verdicts);
	const promises = verdictsForFile(verdicts);
	const path = await writeResult("network", {
		ok,
		...figures,
		rounds: all,
		guest,
		seconds,
		requests,
		machine,
		promises,
	});
	console.log(`\nfigures in ${path}`);
	return ok;
}

await runPlain(main);
