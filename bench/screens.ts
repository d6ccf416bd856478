import { spawnSync } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { parse } from "yaml";
import { type Frame, readPpm } from "../src/screen/frame.ts";
import { recognise } from "../src/screen/recognise.ts";
import { readPng } from "../test/frames/png.ts";
import type { Truth } from "../test/frames/truth.ts";
import { buildStandIn } from "../test/stand-in/build.ts";
import { Watched } from "../test/stand-in/show.ts";
import { median, writeResult } from "./lab.ts";

/**
 * How long a screen takes to be recognised, and what it costs to ask a guest for its screen again and again: processor time of
 * QEMU and of this process, each against the same time without asking. The guest shows a still picture of 1024 x 768.
 */

const frames = join(import.meta.dirname, "../test/frames");
const seconds = Number(process.env.SECONDS ?? 60);
const rounds = 5;
const limits = { worstMs: 50, shareOfACore: 0.01 };

interface Way {
	name: string;
	/** 0: the screen is not asked for. */
	everyMs: number;
	/** Where QEMU writes the picture. */
	folder?: string;
	/** A picture that is the last one again is not looked at. */
	skipSame?: boolean;
}

const ways: Way[] = [
	{ name: "not asked", everyMs: 0 },
	{ name: "every 2 s, on disk", everyMs: 2000, folder: "/var/tmp" },
	{ name: "every 2 s, in memory", everyMs: 2000, folder: "/dev/shm" },
	{ name: "every 2 s, in memory, the same passed over", everyMs: 2000, folder: "/dev/shm", skipSame: true },
	{ name: "every 0.5 s, in memory, the same passed over", everyMs: 500, folder: "/dev/shm", skipSame: true },
];

interface Cost {
	way: string;
	/** Shares of one core, 0 to 1. */
	qemu: number;
	reader: number;
	asked: number;
	/** Milliseconds from the question until the answer of `recognise`. */
	medianMs: number;
	worstMs: number;
}

async function timeFrames() {
	const truths = parse(await readFile(join(frames, "frames.yaml"), "utf8")) as Record<string, Truth>;
	const pictures = new Map<string, Frame>();
	for (const name of Object.keys(truths)) {
		pictures.set(name, readPng(await readFile(join(frames, "recorded", `${name}.png`))));
	}
	const times: { name: string; ms: number }[] = [];
	// The first round is for the compiler.
	for (let round = 0; round <= rounds; round++) {
		for (const [name, { before }] of Object.entries(truths)) {
			const start = performance.now();
			recognise(pictures.get(name) as Frame, before === undefined ? undefined : pictures.get(before));
			if (round > 0) times.push({ name, ms: performance.now() - start });
		}
	}
	return times.toSorted((a, b) => b.ms - a.ms);
}

/** Seconds of processor time that a process has used: fields 14 and 15 of /proc/PID/stat, in hundredths (proc(5)). */
async function used(pid: number): Promise<number> {
	const text = await readFile(`/proc/${pid}/stat`, "latin1");
	const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
	return (Number(fields[11]) + Number(fields[12])) / 100;
}

async function measure(guest: Watched, way: Way): Promise<Cost> {
	const pid = guest.qemu.pid ?? 0;
	const [qemu, reader, start] = [await used(pid), process.cpuUsage(), performance.now()];
	const times: number[] = [];
	let last: Uint8Array | undefined;
	let before: Frame | undefined;
	for (let next = start + way.everyMs; performance.now() - start < seconds * 1000; next += way.everyMs) {
		await delay(way.everyMs ? Math.max(0, next - performance.now()) : 1000);
		if (!way.folder) continue;
		const asked = performance.now();
		const file = await guest.dump(way.folder);
		if (!way.skipSame || !last || Buffer.compare(last, file) !== 0) {
			const frame = readPpm(file);
			recognise(frame, before);
			before = frame;
		}
		last = file;
		times.push(performance.now() - asked);
	}
	const took = (performance.now() - start) / 1000;
	const { user, system } = process.cpuUsage(reader);
	return {
		way: way.name,
		qemu: ((await used(pid)) - qemu) / took,
		reader: (user + system) / 1e6 / took,
		asked: times.length,
		medianMs: median(times.length ? times : [0]),
		worstMs: Math.max(0, ...times),
	};
}

async function polling(): Promise<Cost[]> {
	const folder = await mkdtemp(join(tmpdir(), "bulkhead-bench-screens-"));
	try {
		const disk = join(folder, "still.raw");
		const picture = readPng(await readFile(join(frames, "recorded/desktop-busy.png")));
		await buildStandIn([{ screen: { mode: "pixels", picture }, lasts: "until-told" }], disk);
		await using guest = await Watched.standIn(disk);
		await guest.scene(0);
		await delay(2000);
		const costs: Cost[] = [];
		for (const way of ways) costs.push(await measure(guest, way));
		return costs;
	} finally {
		await rm(folder, { recursive: true, force: true });
	}
}

const percent = (share: number) => `${(share * 100).toFixed(2)} %`;

const times = await timeFrames();
const worst = times[0] ?? { name: "", ms: 0 };
const middle = median(times.map(({ ms }) => ms));
const fast = worst.ms < limits.worstMs;
console.log(
	`${times.length / rounds} frames, ${rounds} times each: median ${middle.toFixed(1)} ms, worst ${worst.ms.toFixed(1)} ms (${worst.name}); under ${limits.worstMs} ms: ${fast ? "yes" : "NO"}\n`,
);
const costs = await polling();
const [idle] = costs;
console.log(
	`${"A still screen of 1024 x 768".padEnd(46)}  QEMU      reader    both, more than not asked   a look (median, worst)`,
);
const rows = costs.map((cost) => {
	const more = cost.qemu + cost.reader - (idle ? idle.qemu + idle.reader : 0);
	const look = cost.asked ? `${cost.medianMs.toFixed(1)} ms, ${cost.worstMs.toFixed(1)} ms` : "";
	console.log(
		`${cost.way.padEnd(46)}  ${percent(cost.qemu).padEnd(8)}  ${percent(cost.reader).padEnd(8)}  ${percent(more).padEnd(26)}  ${look}`,
	);
	return { ...cost, more };
});
const cheap = rows
	.filter(({ way }) => way.startsWith("every 2 s"))
	.every(({ more }) => more < limits.shareOfACore);
console.log(`Every 2 s costs under ${percent(limits.shareOfACore)} of a core: ${cheap ? "yes" : "NO"}`);
await writeResult("screens", {
	frames: times.length / rounds,
	medianMs: middle,
	worst,
	seconds,
	costs: rows,
	qemu: spawnSync("qemu-system-x86_64", ["--version"], { encoding: "utf8" }).stdout.split("\n")[0],
});
process.exitCode = fast && cheap ? 0 : 1;
