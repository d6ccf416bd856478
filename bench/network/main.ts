import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { run } from "../../src/host/command.ts";
import { endProcess, identify } from "../../src/host/process.ts";
import { setKernel } from "../../src/network/namespace.ts";
import { runPlain } from "../lab.ts";
import { median } from "../median.ts";
import { installFor } from "../packages.ts";
import { type MachineFacts, machineFacts } from "../recovery/facts.ts";
import type { Verdict } from "../recovery/judge.ts";
import { printVerdicts, verdictsForFile } from "../recovery/verdicts.ts";
import { writeResult } from "../result.ts";
import { judgeGuest, realGuest } from "./guest.ts";
import type { Round, WayName } from "./plain.ts";
import { choose } from "./room.ts";

/**
 * What Bulkhead's network costs: the same transfer and the same small requests of a client on the LAN through the front
 * door, at the server's own address and by a plain bridge, in turn, in one run, with a plain namespace in the guest's
 * place, first by cables that are as fast as the processors, so that these are what is compared, then by lines as a LAN has
 * them, which is what is promised; and then through the front door of a real guest, and without it.
 * ROUNDS=12, SECONDS=2 (a transfer), REQUESTS=1000 (a round), GUEST=0 (no real guest), LINE=10 (Gbit/s;
 * 0: no lines, and the promises are asked of cables without a limit), CONGESTION=reno (or another; as the
 * host has it: a host with BBR paces what is sent, so a plain bridge is slower there, and what is compared with it looks better).
 * Ends with 1 when a promise is broken.
 */

const rounds = Number(process.env.ROUNDS ?? "12");
const seconds = Number(process.env.SECONDS ?? "2");
const requests = Number(process.env.REQUESTS ?? "1000");
const line = Number(process.env.LINE ?? "10");
const withGuest = process.env.GUEST !== "0";
const leastShare = 0.9;
const leastRoutedShare = 0.95;
const mostAddedMs = 0.2;

/** Runs the rounds with a plain namespace, on a host that is a namespace itself. */
async function plainRounds(gigabits: number, signal: AbortSignal): Promise<Round[]> {
	const host = `bhnet${process.pid}h`;
	await using undo = new AsyncDisposableStack();
	const folder = await mkdtemp(join(tmpdir(), "bulkhead-bench-network-"));
	undo.defer(async () => await rm(folder, { recursive: true, force: true }));
	const ip = async (...args: string[]) => await run("ip", args, { deadlineMs: 10_000 });
	await ip("netns", "add", host);
	undo.defer(async () => void (await ip("netns", "del", host)));
	await ip("-n", host, "link", "set", "lo", "up");
	// A plain bridge has no firewall, whatever this host has loaded for its containers.
	const plain = ["iptables", "ip6tables", "arptables"].map((of) => [`net/bridge/bridge-nf-call-${of}`, 0]);
	await setKernel(host, { "net/ipv4/ip_forward": 1, ...Object.fromEntries(plain) });
	await choose(host);
	const file = join(folder, "rounds.json");
	const script = fileURLToPath(new URL("plain.ts", import.meta.url));
	const words = [process.execPath, script, file, rounds, seconds, requests, gigabits].map(String);
	const child = spawn("nsenter", [`--net=/run/netns/${host}`, ...words], { stdio: "inherit" });
	// It is told of an interruption itself, and puts everything away before it ends.
	undo.defer(async () => {
		const left = child.exitCode === null && child.pid !== undefined ? identify(child.pid) : undefined;
		if (left) await endProcess(left, 10_000);
	});
	const [code] = (await once(child, "exit")) as [number | null];
	signal.throwIfAborted();
	if (code !== 0) throw new Error(`the rounds with a plain namespace ended with ${code}`);
	return JSON.parse(await readFile(file, "utf8")) as Round[];
}

function compare(all: readonly Round[], way: WayName, with_: WayName) {
	const spread = (values: readonly number[], worst: (...values: number[]) => number) => ({
		median: round3(median(values)),
		worst: round3(worst(...values)),
	});
	const figure = (of: Round["up"], name: WayName) => {
		const found = of[name];
		if (found === undefined) throw new Error(`nothing was measured by way of ${name}`);
		return found;
	};
	const shares = (what: "up" | "down") =>
		all.map((round) => figure(round[what], way) / figure(round[what], with_));
	const added = all.map(({ page }) => figure(page, way) - figure(page, with_));
	return {
		/** Throughput, as a share of the other way's. */
		toGuest: spread(shares("up"), Math.min),
		fromGuest: spread(shares("down"), Math.min),
		/** Milliseconds more than by the other way. */
		added: spread(added, Math.max),
	};
}

type Compared = ReturnType<typeof compare>;

const besideBridge = (all: readonly Round[]) => ({
	door: compare(all, "door", "bridge"),
	address: compare(all, "address", "bridge"),
});

/** Beside the way that the front door itself goes, which no client can. */
const besideInside = (all: readonly Round[]) => ({
	doorBesideInside: compare(all, "door", "inside"),
	addressBesideInside: compare(all, "address", "inside"),
});

function round3(value: number): number {
	return Math.round(value * 1000) / 1000;
}

function judge(where: string, { door, address }: ReturnType<typeof besideBridge>): Verdict[] {
	const least = Math.min(door.toGuest.median, door.fromGuest.median);
	const leastRouted = Math.min(address.toGuest.median, address.fromGuest.median);
	return [
		{
			promise: `${where}: through the front door at least ${leastShare} of the throughput of a plain bridge (median)`,
			broken: least >= leastShare ? null : `${least}`,
		},
		{
			promise: `${where}: it adds less than ${mostAddedMs} ms to a small request (median)`,
			broken: door.added.median < mostAddedMs ? null : `${door.added.median} ms`,
		},
		{
			promise: `${where}: at the server's own address at least ${leastRoutedShare} of it (median)`,
			broken: leastRouted >= leastRoutedShare ? null : `${leastRouted}`,
		},
	];
}

function tell(where: string, figures: Record<string, Compared>): void {
	for (const [name, { toGuest, fromGuest, added }] of Object.entries(figures))
		console.log(
			`  ${where}, ${name}: to the guest ${toGuest.median} (worst ${toGuest.worst}), from it ${fromGuest.median} (${fromGuest.worst}), added ${added.median} ms (${added.worst})`,
		);
}

async function main(signal: AbortSignal): Promise<boolean> {
	await installFor(["/usr/bin/iperf3"], ["iperf3"]);
	const machine: MachineFacts = await machineFacts("none");
	const all = await plainRounds(0, signal);
	const lined = line > 0 ? await plainRounds(line, signal) : null;
	const guest = withGuest ? await realGuest({ rounds, seconds, requests }, signal) : null;
	const figures = { ...besideBridge(all), ...besideInside(all) };
	const byLine = lined && besideBridge(lined);
	const limits = { leastShare, mostAddedMs };
	const [unlimited, limited] = ["without a line", `${line} Gbit/s`];
	const verdicts = [
		...(byLine ? judge(limited, byLine) : judge(unlimited, figures)),
		...(guest ? judgeGuest(guest, limits) : []),
	];
	console.log("");
	tell(unlimited, figures);
	if (byLine) tell(limited, byLine);
	const ok = printVerdicts(verdicts);
	const promises = verdictsForFile(verdicts);
	const path = await writeResult("network", {
		ok,
		...figures,
		rounds: all,
		line: byLine && { gigabits: line, ...byLine, rounds: lined },
		guest,
		seconds,
		requests,
		congestionControl: process.env.CONGESTION ?? "the host's own",
		machine,
		promises,
	});
	console.log(`\nfigures in ${path}`);
	return ok;
}

await runPlain("network", main);
