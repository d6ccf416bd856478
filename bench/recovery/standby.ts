import { readdir, readlink, stat } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import type { ServerDefinition } from "../../src/api/site.ts";
import { groupOwner, groupRoot, sessionGroup } from "../../src/daemon/context.ts";
import { ControlGroup, detectGroupSupport, listGroups } from "../../src/host/cgroup.ts";
import { paths } from "../../src/store/paths.ts";
import { Lab, runBench } from "../lab.ts";
import { median } from "../median.ts";
import { hostNow } from "../open-loop/clock.ts";
import { Load } from "../open-loop/load.ts";
import { isOk, latencyOf, latestTaken, round } from "../open-loop/outcome.ts";
import { randomFrom } from "../open-loop/random.ts";
import type { RequestRecord } from "../open-loop/request.ts";
import { writeResult } from "../result.ts";
import { BulkheadWay, benchSite, isPrepared, tinyServer } from "./bulkhead.ts";
import { machineFacts } from "./facts.ts";
import { summaryOf, type Verdict } from "./judge.ts";
import { inMiB } from "./leaks.ts";
import { mappingKinds, type PssByKind, pssByKind, sumOf } from "./mappings.ts";
import { memoryOfProcess, readProc } from "./memory.ts";
import { inWords } from "./plot.ts";
import { printVerdicts, verdictsForFile } from "./verdicts.ts";

/**
 * What a next session that stands by costs: memory, and what users of the running session feel while it is loaded. A
 * standby is loaded again and again, by taking it out of the server's definition and putting it in again; each time is
 * compared with as long a time right before it, in one run. Ends with 1 when a promise is broken.
 * WINDOWS=40, RATE=40 (requests a second), MEMORY=512MiB.
 */

const windows = Number(process.env.WINDOWS ?? "40");
const rate = Number(process.env.RATE ?? "40");
const memory = process.env.MEMORY ?? "512MiB";
const port = 18103;
const server = "warm";
const mostBytes = 64 * 2 ** 20;
const mostSlower = 1.2;
const loadedWithinMs = 60_000;
/** So long nothing is looked at after a standby was ended or loaded. */
const restMs = 1500;

const lab = new Lab("/var/lib/bulkhead-bench-standby");
const own = paths(lab.state, "");
const groups = detectGroupSupport();

/** A time that is looked at, milliseconds of `hostNow`. */
interface Window {
	from: number;
	to: number;
}

function siteWith(standby: number) {
	const definition = tinyServer("warm", "10.78.0.10", port);
	const recovery = { ...definition.recovery, standby };
	return benchSite({ [server]: { ...definition, memory, recovery } satisfies ServerDefinition });
}

// ---- memory

/** The standby: its QEMU, and all processes of its control group together. @throws Error when none stands by */
async function memoryOfStandby() {
	const view = await lab.client.call("show", { server }, null);
	const running = sessionGroup(own, server, view.session?.number ?? 0);
	const path = (await sessionsNow()).find((one) => one !== running);
	if (path === undefined) throw new Error("none stands by");
	const pids = await ControlGroup.at(path, groups).pids();
	const all = await Promise.all(pids.map(memoryOfProcess));
	const qemu = (
		await Promise.all(pids.map(async (pid) => ({ pid, name: await readProc(pid, "comm") })))
	).find(({ name }) => name?.startsWith("bulkhead-"));
	const smaps = qemu && (await readProc(qemu.pid, "smaps"));
	if (!smaps) throw new Error(`no QEMU runs in ${path}`);
	const seal = await sealBytes(qemu.pid);
	return { qemu: pssByKind(smaps), groupPss: all.reduce((sum, one) => sum + (one?.pss ?? 0), 0), seal };
}

/** What the seal's memory takes, whoever maps it. */
async function sealBytes(pid: number): Promise<number> {
	for (const name of await readdir(`/proc/${pid}/fd`)) {
		const path = `/proc/${pid}/fd/${name}`;
		const target = await readlink(path).catch(() => "");
		if (target.startsWith("/memfd:bulkhead-seal-")) return (await stat(path)).blocks * 512;
	}
	throw new Error("the standby holds no seal");
}

// ---- requests

async function sessionsNow(): Promise<string[]> {
	const root = groupRoot(own);
	return (await listGroups(root, groups))
		.filter((name) => groupOwner(name)?.kind === "session")
		.map((name) => `${root}/${name}`);
}

/** Takes the standby away, and loads one. @returns when that was under way */
async function loadOne(signal: AbortSignal): Promise<Window> {
	await lab.apply(siteWith(0));
	await lab.until(server, ({ warm }) => warm?.standbys === 0, loadedWithinMs, signal);
	while ((await sessionsNow()).length > 1) await delay(50, undefined, { signal });
	await delay(restMs, undefined, { signal });
	const applied = lab.apply(siteWith(1));
	applied.catch(() => {});
	const end = hostNow() + loadedWithinMs;
	while ((await sessionsNow()).length < 2) {
		if (hostNow() > end) throw new Error("no standby was loaded");
		await delay(10, undefined, { signal });
	}
	const from = hostNow();
	await lab.until(server, isPrepared, loadedWithinMs, signal);
	const to = hostNow();
	await applied;
	return { from, to };
}

/** As long a time without a standby being loaded; the daemon is asked as often. */
async function quietFor(ms: number, signal: AbortSignal): Promise<Window> {
	await delay(restMs, undefined, { signal });
	const from = hostNow();
	await lab.until(server, () => hostNow() - from >= ms, loadedWithinMs, signal);
	return { from, to: hostNow() };
}

async function allWindows(load: Load, signal: AbortSignal): Promise<{ loading: Window; quiet: Window }[]> {
	const made: { loading: Window; quiet: Window }[] = [];
	let length = 3000;
	for (let i = 1; i <= windows; i++) {
		load.check();
		const quiet = await quietFor(length, signal);
		const loading = await loadOne(signal);
		length = loading.to - loading.from;
		made.push({ loading, quiet });
		console.log(
			`  ${`${i}/${windows}`.padStart(7)}  loaded in ${inWords(length).padStart(7)}  worst: loading ${inWords(latencyIn(load.records, [loading]).worst).padStart(7)}, quiet ${inWords(latencyIn(load.records, [quiet]).worst).padStart(7)}`,
		);
	}
	await delay(1000, undefined, { signal });
	return made;
}

function recordsIn(records: readonly RequestRecord[], within: readonly Window[]): RequestRecord[] {
	return records.filter(({ due }) => within.some(({ from, to }) => due >= from && due < to));
}

function latencyIn(records: readonly RequestRecord[], within: readonly Window[]) {
	return latencyOf(recordsIn(records, within));
}

function slowestIn(records: readonly RequestRecord[], within: readonly Window[]) {
	const found = within.flatMap((window) =>
		recordsIn(records, [window]).map(({ due, taken, sent, firstByte, end, path }) => ({
			path,
			dueAfterMs: round(due - window.from),
			ofMs: round(window.to - window.from),
			tookMs: round(end - due),
			untilTakenMs: round(taken - due),
			untilSentMs: round((sent ?? end) - due),
			untilFirstByteMs: round((firstByte ?? end) - due),
		})),
	);
	return found.sort((a, b) => b.tookMs - a.tookMs).slice(0, 20);
}

/**
 * How sure the ratio is: drawn again from the windows, as many as there are and each as often as chance has it, 500
 * times. @returns the fifth and the ninety-fifth of a hundred such ratios
 */
function spreadOf(records: readonly RequestRecord[], made: readonly { loading: Window; quiet: Window }[]) {
	const random = randomFrom(1);
	const each = made.map(({ loading, quiet }) => ({
		loading: recordsIn(records, [loading]),
		quiet: recordsIn(records, [quiet]),
	}));
	const ratios = Array.from({ length: 500 }, () => {
		const drawn = each.flatMap(() => each[Math.floor(random() * each.length)] ?? []);
		const p99 = (what: "loading" | "quiet") => latencyOf(drawn.flatMap((one) => one[what])).p99;
		return p99("loading") / p99("quiet");
	}).sort((a, b) => a - b);
	const at = (share: number) => inHundredths(ratios[Math.floor(ratios.length * share)] ?? Number.NaN);
	return { p5: at(0.05), p95: at(0.95) };
}

function inHundredths(value: number): number {
	return Math.round(value * 100) / 100;
}

async function startLoad(): Promise<Load> {
	const kind = (path: string, length: number, weight: number) =>
		({ weight, method: "GET", path, answer: { same: true, length } }) as const;
	const kinds = [kind("/bytes/1k", 2 ** 10, 80), kind("/bytes/16k", 2 ** 14, 20)];
	const target = { host: "127.0.0.1", port };
	const pace = { rate, connections: 20, seed: 1, deadlineMs: 60_000, keepText: 0 };
	return await Load.start({ ...target, ...pace, kinds, name: "standby" });
}

async function main(signal: AbortSignal): Promise<boolean> {
	const { accelerator } = await lab.client.call("status", {}, null);
	const machine = await machineFacts(accelerator);
	console.log("Making the server (the template is built the first time)");
	await lab.apply(siteWith(1));
	await new BulkheadWay(lab, server, port).begin(signal);
	await using load = await startLoad();
	console.log(`${windows} times a standby is loaded, under ${rate} requests a second`);
	// What the running session has to translate first is not the standby's fault.
	await delay(10_000, undefined, { signal });
	const made = await allWindows(load, signal);
	const standby = await memoryOfStandby();
	const records = await load.stop();
	const quiet = latencyIn(
		records,
		made.map(({ quiet }) => quiet),
	);
	const loading = latencyIn(
		records,
		made.map(({ loading }) => loading),
	);
	const ratio = inHundredths(loading.p99 / quiet.p99);
	const ratioSpread = spreadOf(records, made);
	const ownBytes = sumOf(standby.qemu) - standby.qemu.seal;
	const verdicts = judgeStandby(ownBytes, ratio, records);
	const lengths = made.map(({ loading }) => loading.to - loading.from);
	const result = {
		memory,
		rate,
		windows: made.length,
		/** Bytes. */
		standby: {
			own: ownBytes,
			byMapping: standby.qemu,
			allProcessesPss: standby.groupPss,
			seal: standby.seal,
			meaning: mappingKinds,
			note: "`own` is what is judged: the PSS of its QEMU less `byMapping.seal`, its share of the seal's pages, which are in memory once for all sessions: `seal`. `allProcessesPss` has that share and the parent process in it.",
		},
		loadedInMs: { median: median(lengths), worst: Math.max(...lengths) },
		loading: {
			...loading,
			requests: recordsIn(
				records,
				made.map((one) => one.loading),
			).length,
		},
		quiet: {
			...quiet,
			requests: recordsIn(
				records,
				made.map((one) => one.quiet),
			).length,
		},
		/** Where in the loading the slowest requests were due, milliseconds from its begin, to find out why. */
		slowest: slowestIn(
			records,
			made.map(({ loading }) => loading),
		),
		p99Ratio: ratio,
		p99RatioSpread: ratioSpread,
		load: summaryOf(records),
		generatorLateMs: latestTaken(records),
		machine,
	};
	printFigures(standby, result);
	const ok = printVerdicts(verdicts);
	const promises = verdictsForFile(verdicts);
	console.log(`\nfigures in ${await writeResult("standby", { ok, ...result, promises })}`);
	return ok;
}

function judgeStandby(ownBytes: number, ratio: number, records: readonly RequestRecord[]): Verdict[] {
	const failed = records.filter((record) => !isOk(record)).length;
	return [
		{
			promise: `a standby of a server with ${memory} takes less than ${inMiB(mostBytes)} beside the seal`,
			broken: ownBytes < mostBytes ? null : inMiB(ownBytes),
		},
		{
			promise: `while one is loaded, the slowest hundredth of requests takes less than ${mostSlower} times as long`,
			broken: ratio < mostSlower ? null : `${ratio} times`,
		},
		{ promise: "no request fails", broken: failed === 0 ? null : `${failed} of ${records.length}` },
	];
}

function printFigures(
	standby: { qemu: PssByKind; groupPss: number; seal: number },
	figures: {
		loading: { p50: number; p99: number; worst: number };
		quiet: { p50: number; p99: number; worst: number };
		p99Ratio: number;
		p99RatioSpread: { p5: number; p95: number };
	},
): void {
	console.log("\nMemory of the standby (PSS):");
	for (const [kind, meaning] of Object.entries(mappingKinds))
		console.log(`  ${inMiB(standby.qemu[kind as keyof PssByKind]).padStart(9)}  ${meaning}`);
	console.log(`  ${inMiB(standby.groupPss).padStart(9)}  all together, with its parent process`);
	console.log(`  ${inMiB(standby.seal).padStart(9)}  the seal's memory, once for all sessions\n`);
	for (const name of ["quiet", "loading"] as const) {
		const { p50, p99, worst } = figures[name];
		console.log(`  ${name.padEnd(8)} ${p50} ms (median), ${p99} ms (99 %), ${worst} ms (worst)`);
	}
	const { p99Ratio, p99RatioSpread } = figures;
	console.log(`  loading : quiet at 99 %: ${p99Ratio} (${p99RatioSpread.p5} to ${p99RatioSpread.p95})\n`);
}

await runBench("standby", lab, main);
