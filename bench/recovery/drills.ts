import { setTimeout as delay } from "node:timers/promises";
import { type Fault, faults } from "../../src/api/server.ts";
import { Lab, runBench } from "../lab.ts";
import { median } from "../median.ts";
import { Load } from "../open-loop/load.ts";
import { outcomeOf, round } from "../open-loop/outcome.ts";
import { randomFrom, shuffled } from "../open-loop/random.ts";
import type { RequestRecord } from "../open-loop/request.ts";
import { writeResult } from "../result.ts";
import { BulkheadWay, benchSite, type Mode, tinyServer } from "./bulkhead.ts";
import { drill } from "./drill.ts";
import { machineFacts } from "./facts.ts";
import { chooseInspectorPort, Heap } from "./heap.ts";
import { type Inventory, takeInventory } from "./inventory.ts";
import { summaryOf, type Verdict } from "./judge.ts";
import { differences, growthOf, inMiB, judgeLeaks } from "./leaks.ts";
import { plain } from "./mix.ts";
import { inWords } from "./plot.ts";
import { sealChanged, sealSums } from "./stored.ts";
import { printVerdicts, verdictsForFile } from "./verdicts.ts";

/**
 * Failures of all kinds in a row, most of them of a server that recovers warm, some of one that recovers cold, under a
 * light load: what is there afterwards that was not there before? Ends with 1 when something leaks, when the seal has
 * changed, or when a GET failed. DRILLS=200, SEED=1, RATE=5 (requests a second of each server).
 */

const drills = Number(process.env.DRILLS ?? "200");
const seed = Number(process.env.SEED ?? "1");
const rate = Number(process.env.RATE ?? "5");
/** So many drills come first, so that everything that is made once has been made. */
const warmUps = 6;
/** Of so many drills one is of the cold server: a boot takes its time. */
const coldEvery = 6;
const sampleEvery = Math.max(1, Math.min(20, Math.floor(drills / 16)));
const ports = { warm: 18100, cold: 18101 } as const;
const modes = ["warm", "cold"] as const;
/** Failed sessions are looked at and put away behind the users' backs. */
const settledWithinMs = 60_000;

const lab = new Lab("/var/lib/bulkhead-bench-drills");

interface Drill {
	server: Mode;
	fault: Fault;
}

interface Done extends Drill {
	session: number;
	/** When the failure was made, milliseconds of `hostNow`. */
	at: number;
	outageMs: number;
}

interface Sample {
	/** Drills made before it. */
	after: number;
	/** Held by the daemon's JavaScript after a collection of garbage. */
	heap: number;
	/** Right after that. */
	daemon: { rss: number; pss: number; anonymous: number };
	processesPss: number;
}

/** As many of each fault as possible, in an order that the seed draws. */
function plan(count: number, seed: number): Drill[] {
	const turns = Array.from({ length: count }, (_, i): Drill => {
		const server = i % coldEvery === coldEvery - 1 ? "cold" : "warm";
		// Each server goes through the faults by itself.
		const nth = server === "cold" ? Math.floor(i / coldEvery) : i;
		return { server, fault: faults[nth % faults.length] ?? "panic" };
	});
	return shuffled(turns, randomFrom(seed));
}

async function oneDrill({ server, fault }: Drill, signal: AbortSignal): Promise<Done> {
	const { session, at, outageMs } = await drill(lab, server, fault, signal);
	return { server, fault, session, at, outageMs };
}

async function inventory(): Promise<Inventory> {
	const { pid, site } = await lab.client.call("status", {}, null);
	return await takeInventory(lab.state, site ?? "", modes, pid);
}

/** Two that are the same, some seconds apart: nothing is being made or put away. */
async function settled(signal: AbortSignal): Promise<Inventory> {
	const end = Date.now() + settledWithinMs;
	for (let last = await inventory(); ; ) {
		await delay(3000, undefined, { signal });
		const now = await inventory();
		const changes = differences(last.same, now.same);
		if (changes.length === 0) return now;
		if (Date.now() > end) throw new Error(`it does not come to rest: ${changes.join("; ")}`);
		last = now;
	}
}

/** What is left after all is put away; whatever still differs when the time is over is a leak. */
async function afterwards(before: Inventory, signal: AbortSignal): Promise<Inventory> {
	const end = Date.now() + settledWithinMs;
	for (;;) {
		const now = await inventory();
		if (differences(before.same, now.same).length === 0 || Date.now() > end) return now;
		await delay(1000, undefined, { signal });
	}
}

async function sampleNow(heap: Heap, after: number): Promise<Sample> {
	const inUse = await heap.inUse();
	const { daemon, processesPss } = await inventory();
	return { after, heap: inUse, daemon, processesPss };
}

async function allDrills(load: readonly Load[], heap: Heap, signal: AbortSignal) {
	const done: Done[] = [];
	let last = await sampleNow(heap, 0);
	const samples = [last];
	for (const [i, drill] of plan(drills, seed).entries()) {
		await delay(500, undefined, { signal });
		for (const one of load) one.check();
		const made = await oneDrill(drill, signal);
		done.push(made);
		if ((i + 1) % sampleEvery === 0) {
			last = await sampleNow(heap, i + 1);
			samples.push(last);
		}
		console.log(
			`  ${`${i + 1}/${drills}`.padStart(7)}  ${drill.server} ${drill.fault.padEnd(6)}  ready after ${inWords(made.outageMs).padStart(7)}  heap ${inMiB(last.heap)}, daemon ${inMiB(last.daemon.pss)}, others ${inMiB(last.processesPss)}`,
		);
	}
	return { done, samples };
}

function startLoad(name: Mode): Promise<Load> {
	const kinds = plain.filter(({ method }) => method === "GET");
	const target = { host: "127.0.0.1", port: ports[name] };
	const pace = { rate, connections: 10, seed: 1, deadlineMs: 120_000, keepText: 100 };
	return Load.start({ ...target, ...pace, kinds, name });
}

async function begin(signal: AbortSignal): Promise<void> {
	console.log("Making a warm and a cold server (the template is built the first time)");
	const definitions = modes.map((mode, i) => [mode, tinyServer(mode, `10.78.0.${10 + i}`, ports[mode])]);
	await lab.apply(benchSite(Object.fromEntries(definitions)));
	for (const mode of modes) await new BulkheadWay(lab, mode, ports[mode]).begin(signal);
}

async function main(signal: AbortSignal): Promise<boolean> {
	const { accelerator } = await lab.client.call("status", {}, null);
	const machine = await machineFacts(accelerator);
	await begin(signal);
	await using warm = await startLoad("warm");
	await using cold = await startLoad("cold");
	console.log(`${warmUps} drills to warm up`);
	for (const drill of plan(warmUps, seed)) await oneDrill(drill, signal);
	const heap = await Heap.open((await lab.client.call("status", {}, null)).pid, lab.state);
	const before = await settled(signal);
	const seal = await sealSums(lab.state, "warm");
	console.log(`${drills} drills under ${rate} requests a second of each server`);
	const { done, samples } = await allDrills([warm, cold], heap, signal);
	const after = await afterwards(before, signal);
	const sealAfter = await sealSums(lab.state, "warm");
	const records = { warm: await warm.stop(), cold: await cold.stop() };
	const all = [...records.warm, ...records.cold];
	const failures = modes.flatMap((mode) => failuresOf(records[mode], mode, done));
	const memories = {
		heap: samples.map(({ heap }) => heap),
		daemon: samples.map(({ daemon }) => daemon.pss),
		processes: samples.map(({ processesPss }) => processesPss),
	};
	const verdicts: Verdict[] = [
		...judgeLeaks(before, after, memories),
		{ promise: "the files of the seal are what they were (SHA-256)", broken: sealChanged(seal, sealAfter) },
		{
			promise: "no GET fails whose response had not begun",
			broken: failures.length === 0 ? null : `${failures.length} of ${all.length}`,
		},
	];
	printInventories(before, after);
	const ok = printVerdicts(verdicts);
	const result = {
		drills: done.length,
		seed,
		rate,
		outageMs: outagesOf(done),
		requests: { warm: summaryOf(records.warm), cold: summaryOf(records.cold) },
		failures,
		growth: {
			heap: growthOf(memories.heap),
			daemon: growthOf(memories.daemon),
			processes: growthOf(memories.processes),
		},
		seal: { before: seal, after: sealAfter },
		before,
		after,
		note: "Sizes in bytes. Garbage of the daemon is collected before each sample (heap is what was left), not before the inventories. stored: incidents keep their evidence and grow by design, as the history of events and the daemon's log do; records of the last 20 sessions of a server are kept.",
		samples,
		machine,
	};
	const told = { ok, ...result, promises: verdictsForFile(verdicts), each: done };
	console.log(`\nfigures in ${await writeResult("drills", told)}`);
	return ok;
}

/** Requests that failed before their response had begun, each with the failure of the server that it was nearest after. */
function failuresOf(records: readonly RequestRecord[], server: Mode, done: readonly Done[]) {
	const failed = records.filter((record) => !["ok", "error in the response"].includes(outcomeOf(record)));
	return failed.map(({ id, due, sent, end, status, error }) => {
		const last = done.findLast((drill) => drill.server === server && drill.at <= end);
		const after = (moment: number | null) => (last && moment !== null ? round(moment - last.at) : null);
		const { session = null, fault = null } = last ?? {};
		return { id, server, session, fault, due: after(due), sent: after(sent), end: after(end), status, error };
	});
}

function outagesOf(done: readonly Done[]) {
	const kinds = modes.flatMap((server) => faults.map((fault) => ({ server, fault })));
	return kinds.flatMap(({ server, fault }) => {
		const of = done.filter((drill) => drill.server === server && drill.fault === fault);
		const all = of.map(({ outageMs }) => outageMs);
		if (all.length === 0) return [];
		return [{ server, fault, times: all.length, median: median(all), worst: Math.max(...all) }];
	});
}

function printInventories(before: Inventory, after: Inventory): void {
	const row = (name: string, was: string | number, is: string | number) =>
		console.log(`  ${name.padEnd(34)} ${`${was}`.padStart(10)} ${`${is}`.padStart(10)}`);
	console.log("");
	row("", "before", "after");
	const sum = (counts: Record<string, number>) => Object.values(counts).reduce((a, b) => a + b, 0);
	for (const what of Object.keys(before.same) as (keyof Inventory["same"])[])
		row(wordsFor[what], sum(before.same[what]), sum(after.same[what]));
	row("session folders (20 are kept)", before.sessionFolders, after.sessionFolders);
	for (const [kind, { bytes }] of Object.entries(after.stored))
		row(
			`on disk: ${kind}${growsByDesign.includes(kind) ? " (grows)" : ""}`,
			inMiB(before.stored[kind]?.bytes ?? 0),
			inMiB(bytes),
		);
	row("memory of the daemon (PSS)", inMiB(before.daemon.pss), inMiB(after.daemon.pss));
	row("of it in no file", inMiB(before.daemon.anonymous), inMiB(after.daemon.anonymous));
	row("memory of its processes (PSS)", inMiB(before.processesPss), inMiB(after.processesPss));
	row("memory in files", inMiB(before.memoryFileBytes), inMiB(after.memoryFileBytes));
	console.log("");
}

const growsByDesign = ["incidents", "history", "daemon.log"];
const wordsFor: Record<keyof Inventory["same"], string> = {
	processes: "processes",
	interfaces: "interfaces",
	network: "forwarding, neighbours, rules",
	controlGroups: "control groups",
	descriptors: "open files of the daemon",
	run: "below /run",
	mounts: "mounts",
	memoryFiles: "memory files",
	disks: "throw-away disks",
};

chooseInspectorPort();
await runBench("drills", lab, main);
