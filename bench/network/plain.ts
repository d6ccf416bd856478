import { writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { median, runPlain } from "../lab.ts";
import { Room } from "./room.ts";
import { ask, transfer, type Way } from "./ways.ts";

/**
 * What Bulkhead's network costs a client on the LAN when the guest costs nothing: a plain namespace in its place. Runs in a
 * network namespace of its own, which is the host's network to it; see main.ts.
 *   node plain.ts FILE ROUNDS SECONDS REQUESTS, which writes the rounds to FILE
 */
const [file = "", rounds = 0, seconds = 0, requests = 0] = process.argv
	.slice(2)
	.map((word, index) => (index === 0 ? word : Number(word))) as [string, number, number, number];
const transferPort = 5201;
const pagePort = 8000;
const here = (name: string) => fileURLToPath(new URL(name, import.meta.url));

/**
 * How a client reaches the same guest: by a plain bridge, as without Bulkhead; through the front door; at the guest's own
 * address; and from inside the sandbox, where the front door itself asks.
 */
const wayNames = ["bridge", "door", "address", "inside"] as const;
export type WayName = (typeof wayNames)[number];

export interface Round {
	/** Bits a second. */
	up: Record<WayName, number>;
	down: Record<WayName, number>;
	/** Median of the round's requests, milliseconds. */
	page: Record<WayName, number>;
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
	const none = () => ({ bridge: 0, door: 0, address: 0, inside: 0 });
	const round: Round = { up: none(), down: none(), page: none() };
	const first = number % wayNames.length;
	const inTurn = [...wayNames.slice(first), ...wayNames.slice(0, first)];
	for (const name of inTurn) round.up[name] = await transfer(ways[name], transferPort, seconds, false);
	for (const name of inTurn) round.down[name] = await transfer(ways[name], transferPort, seconds, true);
	for (const name of inTurn) round.page[name] = median(await ask(ways[name], pagePort, "/", requests));
	return round;
}

function lineOf({ up, down, page }: Round): string {
	const gigabits = (bits: number) => (bits / 1e9).toFixed(1).padStart(5);
	const each = (of: Round["up"], text: (value: number) => string) =>
		wayNames.map((name) => text(of[name])).join(" ");
	return `to the guest ${each(up, gigabits)} Gbit/s, from it ${each(down, gigabits)} Gbit/s, a page ${each(page, (ms) => ms.toFixed(3))} ms`;
}

async function main(signal: AbortSignal): Promise<boolean> {
	await using room = new Room();
	const listens = await room.open([
		{ port: transferPort, protocol: "tcp" },
		{ port: pagePort, protocol: "http" },
	]);
	await room.serve("iperf3", "-s", "-p", `${transferPort}`, "--forceflush");
	await room.serve(process.execPath, here("page.ts"), `${pagePort}`);
	const ways = waysOf(room, listens);
	console.log(`Congestion control of who sends: ${await room.congestionControl()}`);
	console.log(
		`${rounds} rounds: by a plain bridge, the front door, the own address, from inside the sandbox:`,
	);
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

await runPlain(main);
