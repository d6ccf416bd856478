import { writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { runPlain } from "../lab.ts";
import { median } from "../median.ts";
import { Room } from "./room.ts";
import { ask, transfer, type Way } from "./ways.ts";

/**
 * What Bulkhead's network costs a client on the LAN when the guest costs nothing: a plain namespace in its place. Runs in a
 * network namespace of its own, which is the host's network to it; see main.ts.
 *   node plain.ts FILE ROUNDS SECONDS REQUESTS LINE, which writes the rounds to FILE; LINE: Gbit/s, 0 without one
 */
const [file = "", rounds = 0, seconds = 0, requests = 0, line = 0] = process.argv
	.slice(2)
	.map((word, index) => (index === 0 ? word : Number(word))) as [string, number, number, number, number];
const transferPort = 5201;
const pagePort = 8000;
const here = (name: string) => fileURLToPath(new URL(name, import.meta.url));

/**
 * How a client reaches the same guest: by a plain bridge, as without Bulkhead; through the front door; at the guest's own
 * address; and from inside the sandbox, where the front door itself asks.
 */
const wayNames = ["bridge", "door", "address", "inside"] as const;
export type WayName = (typeof wayNames)[number];
/** There is no line inside. */
const measured: readonly WayName[] = line > 0 ? wayNames.filter((name) => name !== "inside") : wayNames;

type Figures = Partial<Record<WayName, number>>;

export interface Round {
	/** Bits a second. */
	up: Figures;
	down: Figures;
	/** Median of the round's requests, milliseconds. */
	page: Figures;
}

function waysOf(room: Room, listens: ReadonlyMap<number, number>): Record<WayName, Way> {
	const enter = (namespace: string) => ["nsenter", `--net=/run/netns/${namespace}`];
	const portOf = (port: number) => port;
	return {
		bridge: { enter: enter(room.client), address: room.plainAddress, portOf },
		door: {
			enter: enter(room.client),
			address: room.hostAddress,
			portOf: (port) => listens.get(port) ?? 0,
		},
		address: { enter: enter(room.client), address: room.guest.address, portOf },
		inside: { enter: enter(room.namespace), address: room.guest.address, portOf },
	};
}

/** In turn, the first one changing from round to round, so that whatever else the host does hits all. */
async function oneRound(ways: Record<WayName, Way>, number: number): Promise<Round> {
	const round: Round = { up: {}, down: {}, page: {} };
	const first = number % measured.length;
	const inTurn = [...measured.slice(first), ...measured.slice(0, first)];
	for (const name of inTurn) round.up[name] = await transfer(ways[name], transferPort, seconds, false);
	for (const name of inTurn) round.down[name] = await transfer(ways[name], transferPort, seconds, true);
	for (const name of inTurn) round.page[name] = median(await ask(ways[name], pagePort, "/", requests));
	return round;
}

function lineOf({ up, down, page }: Round): string {
	const gigabits = (bits: number) => (bits / 1e9).toFixed(1).padStart(5);
	const each = (of: Figures, text: (value: number) => string) =>
		measured.map((name) => text(of[name] ?? Number.NaN)).join(" ");
	return `to the guest ${each(up, gigabits)} Gbit/s, from it ${each(down, gigabits)} Gbit/s, a page ${each(page, (ms) => ms.toFixed(3))} ms`;
}

async function main(signal: AbortSignal): Promise<boolean> {
	await using room = new Room();
	const ports = [
		{ port: transferPort, protocol: "tcp" },
		{ port: pagePort, protocol: "http" },
	] as const;
	const listens = await room.open(ports, line > 0 ? line : null);
	await room.serve("iperf3", "-s", "-p", `${transferPort}`, "--forceflush");
	await room.serve(process.execPath, here("page.ts"), `${pagePort}`);
	const ways = waysOf(room, listens);
	const cable =
		line > 0 ? `a client on lines of ${line} Gbit/s` : "a client whose cables are as fast as the processors";
	console.log(`\n${cable}; congestion control of who sends: ${await room.congestionControl()}`);
	const names = {
		bridge: "a plain bridge",
		door: "the front door",
		address: "the own address",
		inside: "from inside",
	};
	console.log(`${rounds} rounds: ${measured.map((name) => names[name]).join(", ")}:`);
	const all: Round[] = [];
	for (let number = 0; number < rounds; number++) {
		signal.throwIfAborted();
		const round = await oneRound(ways, number);
		all.push(round);
		console.log(`  ${`${number + 1}/${rounds}`.padStart(6)}  ${lineOf(round)}`);
	}
	await writeFile(file, JSON.stringify(all));
	return true;
}

await runPlain(null, main);
