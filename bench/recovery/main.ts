import { readFile } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { styleText } from "node:util";
import { paths } from "../../src/store/paths.ts";
import { Lab, runBench } from "../lab.ts";
import { Load } from "../open-loop/load.ts";
import type { LoadPlan } from "../open-loop/request.ts";
import { writeResult } from "../result.ts";
import { BulkheadWay, benchSite, tinyServer } from "./bulkhead.ts";
import { type GuestHardware, hardwareOf } from "./domain.ts";
import { machineFacts } from "./facts.ts";
import { LibvirtWay } from "./libvirt.ts";
import { figuresOf, isBack, type Round, sessionBefore, type WayFigures } from "./measure.ts";
import { type Recovery, ratiosOf, resultTable, writeDocs } from "./report.ts";
import { type Way, type WayName, wayNames, wayTitles } from "./way.ts";

/**
 * How long users are without a server whose kernel panics, side by side: Bulkhead warm, Bulkhead cold, and libvirt with
 * on_crash=restart. The same guest image, QEMU, machine and processor; one after the other in rounds, so that whatever
 * else the host does hits all of them. WAYS=warm,cold,libvirt, ROUNDS=4, PANICS=5 (a round), RATE=50; WRITE_DOCS=1
 * writes docs/recovery.md and docs/recovery.svg.
 */

const rounds = Number(process.env.ROUNDS ?? "4");
const panicsARound = Number(process.env.PANICS ?? "5");
const rate = Number(process.env.RATE ?? "50");
const ways = (process.env.WAYS ?? wayNames.join(",")).split(",").map(wayNamed);
/** The promise. */
const leastRatio = 15;
const backWithinMs = 120_000;
const drainedWithinMs = 60_000;
/** Of the client, until it gives a request up. */
const patienceMs = 60_000;

const lab = new Lab("/var/lib/bulkhead-bench-recovery");
const ports = { warm: 18094, cold: 18095 } as const;

function wayNamed(name: string): WayName {
	const found = wayNames.find((known) => known === name);
	if (!found) throw new Error(`WAYS: "${name}" is none of ${wayNames.join(", ")}`);
	return found;
}

function planFor({ name, target: { host, port } }: Way, round: number): LoadPlan {
	return {
		host,
		port,
		rate,
		// Whether connections are kept is the server's choice, and libvirt's guest keeps none.
		connections: "each",
		kinds: [
			{ weight: 1, method: "GET", path: "/", answer: { matches: "^server=.* session=\\d+ boot=\\S+\\n$" } },
		],
		seed: round,
		name: `${name}${round}`,
		deadlineMs: patienceMs,
		keepText: 100,
	};
}

async function onePanic(way: Way, load: Load, signal: AbortSignal): Promise<Round["panics"][number]> {
	// Some seconds of ordinary service, and no rhythm that a timer of ours could fall in with.
	await delay(2000 + Math.random() * 1000, undefined, { signal });
	load.check();
	const at = await way.panic();
	const before = sessionBefore(load.records, at);
	const what = `an answer of ${wayTitles[way.name]} after its panic`;
	const { end } = await load.next(what, (record) => isBack(record, at, before), backWithinMs, signal);
	const outage = ((end - at) / 1000).toFixed(2);
	process.stdout.write(` ${outage} s`);
	await way.ready(signal);
	// The next panic is to meet a server in ordinary service, and not what the last one left in the queue.
	await load.untilDrained(rate / 5, drainedWithinMs, signal);
	return { at, before };
}

async function oneRound(way: Way, number: number, signal: AbortSignal): Promise<Round> {
	process.stdout.write(`round ${number}  ${wayTitles[way.name].padEnd(28)}`);
	await way.begin(signal);
	try {
		await using load = await Load.start(planFor(way, number), way.target.namespace);
		const panics = [];
		for (let i = 0; i < panicsARound; i++) panics.push(await onePanic(way, load, signal));
		await delay(1500, undefined, { signal });
		const records = await load.stop();
		process.stdout.write("\n");
		return { records, panics };
	} finally {
		await way.end();
	}
}

/** Bulkhead's guest as it is started, which libvirt's is made after. */
async function guestOf(server: "warm" | "cold", signal: AbortSignal) {
	const way = new BulkheadWay(lab, server, ports[server]);
	await way.begin(signal);
	const view = await lab.client.call("show", { server }, null);
	await way.end();
	const files = paths(lab.state, "").server(server);
	const argv = JSON.parse(await readFile(files.session(view.session?.number ?? 1).argv, "utf8")) as string[];
	return {
		hardware: hardwareOf(argv),
		image: { kernel: `${files.boot}/kernel`, initrd: `${files.boot}/initrd`, disk: files.disk("system") },
	};
}

function openBulkhead(): Promise<void> {
	const servers = (["warm", "cold"] as const).filter((name) => name === "cold" || ways.includes(name));
	const definitions = servers.map((name, i) => [name, tinyServer(name, `10.78.0.${10 + i}`, ports[name])]);
	console.log("Making the servers (the template is built the first time)");
	return lab.apply(benchSite(Object.fromEntries(definitions)));
}

async function main(signal: AbortSignal): Promise<boolean> {
	const { accelerator } = await lab.client.call("status", {}, null);
	const machine = await machineFacts(accelerator);
	await openBulkhead();
	await using libvirt = new LibvirtWay();
	const guest = await guestOf("cold", signal);
	const libvirtFacts = ways.includes("libvirt") ? await openLibvirt(libvirt, guest, signal) : null;
	const all = ways.map((name) => (name === "libvirt" ? libvirt : new BulkheadWay(lab, name, ports[name])));
	console.log(
		`${rounds} rounds of ${panicsARound} panics each, a client asks ${rate} times a second; outages:`,
	);
	const measured = new Map<WayName, Round[]>(ways.map((name) => [name, []]));
	for (let number = 1; number <= rounds; number++) {
		for (const way of all) measured.get(way.name)?.push(await oneRound(way, number, signal));
	}
	const recovery = Object.fromEntries(
		[...measured].map(([name, rounds]) => [name, figuresOf(rounds)]),
	) as Partial<Record<WayName, WayFigures>>;
	return await report({
		recovery,
		ratio: ratiosOf(recovery),
		rate,
		patienceMs,
		rounds,
		machine,
		libvirt: libvirtFacts,
	});
}

async function openLibvirt(
	libvirt: LibvirtWay,
	guest: Awaited<ReturnType<typeof guestOf>>,
	signal: AbortSignal,
): Promise<Recovery["libvirt"]> {
	console.log("Starting libvirtd in a room of its own");
	await libvirt.open(guest.hardware, guest.image);
	await libvirt.begin(signal);
	const argv = await libvirt.commandLine();
	await libvirt.end();
	checkSame(guest.hardware, hardwareOf(argv));
	return { version: await libvirt.version(), argv };
}

/** @throws Error when the two guests differ in what a boot's time depends on */
function checkSame(ours: GuestHardware, theirs: GuestHardware): void {
	if (JSON.stringify(ours) !== JSON.stringify(theirs))
		throw new Error(`libvirt's guest is another one: ${JSON.stringify(theirs)}, not ${JSON.stringify(ours)}`);
}

async function report(result: Recovery): Promise<boolean> {
	const { warm } = result.recovery;
	const { libvirtToWarm } = result.ratio;
	const broken = [
		...(warm && warm.failed > 0 ? [`${warm.failed} requests failed with warm recovery`] : []),
		...(libvirtToWarm !== undefined && libvirtToWarm < leastRatio
			? [`libvirt's outage is ${libvirtToWarm} times as long as the warm one; promised: ${leastRatio}`]
			: []),
	];
	console.log(`\n${resultTable(result)}\n`);
	for (const what of broken) console.log(styleText("red", what));
	if (!warm) console.log("warm recovery was not measured: none of its promises is judged");
	const ok = broken.length === 0;
	console.log(`figures in ${await writeResult("bench", { ok, ...result })}`);
	if (process.env.WRITE_DOCS === "1") console.log(`written: ${(await writeDocs(result)).join(", ")}`);
	return ok;
}

await runBench("bench", lab, main);
