import { spawnSync } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { parse } from "yaml";
import { type LookedPicture, ScreenReader } from "../src/daemon/parts/screen-reader.ts";
import type { Frame } from "../src/screen/frame.ts";
import { recognise } from "../src/screen/recognise.ts";
import { readPng } from "../test/frames/png.ts";
import type { Truth } from "../test/frames/truth.ts";
import { buildStandIn } from "../test/stand-in/build.ts";
import { Watched } from "../test/stand-in/show.ts";
import { runPlain } from "./lab.ts";
import { median } from "./median.ts";
import { writeResult } from "./result.ts";

/**
 * How long a screen takes to be recognised, and what it costs to ask a guest for its screen again and again: processor time of
 * QEMU and of this process, each against the same time without asking. The guest shows a still picture of 1024 x 768.
 */

const frames = join(import.meta.dirname, "../test/frames");
const seconds = Number(process.env.SECONDS ?? 60);
const rounds = 5;
const turns = 4;
const limits = { worstMs: 50, shareOfACore: 0.01 };

interface Way {
	name: string;
	/** 0: the screen is not asked for. */
	everyMs: number;
	/** Where QEMU writes the picture. */
	folder?: string;
	/** What has not changed since the last look is not looked at again; else nothing is known of that. */
	brief?: boolean;
	/** What the guest does: a still picture, one with a clock, or two pictures in turn. */
	guest: Guest;
	/** Has to cost less than the limit. */
	judged?: boolean;
}

/** As the product does: in memory, read in a worker, and every five seconds where nothing but a clock moves. */
const usual = { everyMs: 5000, folder: "/dev/shm", brief: true } as const;
const onDisk = "/var/tmp";
const guests = {
	still: ["desktop-busy"],
	clock: ["desktop-busy", "desktop-busy with a clock"],
	busy: ["desktop-busy", "login-2016"],
} as const;
type Guest = keyof typeof guests;

const ways: Way[] = [
	{ name: "not asked", everyMs: 0, guest: "still" },
	{ name: "every 5 s", ...usual, guest: "still", judged: true },
	{ name: "every 5 s, each looked at in full", ...usual, brief: false, guest: "still" },
	{ name: "every 5 s, on a disk", ...usual, folder: onDisk, guest: "still" },
	{ name: "every 0.5 s", ...usual, everyMs: 500, guest: "still" },
	{ name: "not asked, a clock", everyMs: 0, guest: "clock" },
	{ name: "every 5 s, a clock", ...usual, guest: "clock", judged: true },
	{ name: "not asked, all changes", everyMs: 0, guest: "busy" },
	{ name: "every 3 s, all changes", ...usual, everyMs: 3000, guest: "busy" },
];

interface Cost {
	way: string;
	guest: Guest;
	judged: boolean;
	/** Shares of one core, 0 to 1. */
	qemu: number;
	reader: number;
	asked: number;
	/** Milliseconds from the question until the answer of `recognise`. */
	medianMs: number;
	worstMs: number;
}

/** In milliseconds of processor time, so that a busy machine does not count. */
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
			const start = process.threadCpuUsage();
			recognise(pictures.get(name) as Frame, before === undefined ? undefined : pictures.get(before));
			const { user, system } = process.threadCpuUsage(start);
			if (round > 0) times.push({ name, ms: (user + system) / 1000 });
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

/** What a way has cost so far, turn by turn. */
interface Sum {
	/** Seconds: that it took, and of processor time. */
	took: number;
	qemu: number;
	reader: number;
	times: number[];
	last: LookedPicture | undefined;
}

/** One turn of a way. Whatever else the machine does changes from minute to minute; so the ways take turns. */
async function measure(
	guest: Watched,
	way: Way,
	worker: ScreenReader,
	sum: Sum,
	signal: AbortSignal,
): Promise<void> {
	const pid = guest.qemu.pid ?? 0;
	const [qemu, reader, start] = [await used(pid), process.cpuUsage(), performance.now()];
	const turnMs = (seconds / turns) * 1000;
	for (let next = start + way.everyMs; performance.now() - start < turnMs; next += way.everyMs) {
		await delay(way.everyMs ? Math.max(0, next - performance.now()) : 1000, undefined, { signal });
		if (way.folder) await look(guest, way, worker, sum);
	}
	const { user, system } = process.cpuUsage(reader);
	sum.took += (performance.now() - start) / 1000;
	sum.qemu += (await used(pid)) - qemu;
	sum.reader += (user + system) / 1e6;
}

async function look(guest: Watched, { folder = "", brief }: Way, worker: ScreenReader, sum: Sum) {
	const asked = performance.now();
	const { buffer } = await guest.dump(folder);
	if (!(buffer instanceof ArrayBuffer)) throw new Error("the picture is in memory of others");
	const last = brief ? sum.last : undefined;
	sum.last = (await worker.read(new Uint8Array(buffer), last, AbortSignal.timeout(10_000))).looked;
	sum.times.push(performance.now() - asked);
}

function costOf({ name, guest, judged = false }: Way, { took, qemu, reader, times }: Sum): Cost {
	return {
		...{ way: name, guest, judged, asked: times.length },
		...{ qemu: qemu / took, reader: reader / took },
		medianMs: median(times.length ? times : [0]),
		worstMs: Math.max(0, ...times),
	};
}

/** The same picture with some pixels of another colour, as a clock has that goes on. */
function withClock(picture: Frame): Frame {
	const rgb = Uint8Array.from(picture.rgb);
	for (let y = 0; y < 12; y++) rgb.fill(255, (y * picture.width + 900) * 3, (y * picture.width + 960) * 3);
	return { ...picture, rgb };
}

async function pictureOf(name: string): Promise<Frame> {
	const [file = ""] = name.split(" with ");
	const picture = readPng(await readFile(join(frames, `recorded/${file}.png`)));
	return name === file ? picture : withClock(picture);
}

async function polling(signal: AbortSignal): Promise<Cost[]> {
	const folder = await mkdtemp(join(tmpdir(), "bulkhead-bench-screens-"));
	const worker = new ScreenReader();
	try {
		const costs: Cost[] = [];
		for (const kind of Object.keys(guests) as Guest[]) {
			const disk = join(folder, `${kind}.raw`);
			const pictures = await Promise.all(guests[kind].map(pictureOf));
			const scenes = pictures.map(
				(picture) => ({ screen: { mode: "pixels", picture }, lasts: 3000 }) as const,
			);
			await buildStandIn(scenes, disk, "again");
			await using guest = await Watched.standIn(disk);
			await guest.scene(0);
			await delay(2000, undefined, { signal });
			const fresh = (): Sum => ({ took: 0, qemu: 0, reader: 0, times: [], last: undefined });
			const own = ways.filter((way) => way.guest === kind).map((way) => ({ way, sum: fresh() }));
			// Once a daemon: the worker begins, and the compiler works.
			for (let i = 0; i < 5; i++) await look(guest, { ...usual, name: "", guest: kind }, worker, fresh());
			for (let turn = 0; turn < turns; turn++)
				for (const { way, sum } of own) await measure(guest, way, worker, sum, signal);
			costs.push(...own.map(({ way, sum }) => costOf(way, sum)));
		}
		return costs;
	} finally {
		await worker.close();
		await rm(folder, { recursive: true, force: true });
	}
}

/** Marks without end, as large as a guest can draw. */
function hostilePicture(side = 4096): Frame {
	const rgb = new Uint8Array(side * side * 3);
	for (let y = 0; y < side; y += 3)
		for (let x = 0; x < side; x += 3) rgb.fill(255, (y * side + x) * 3, (y * side + x) * 3 + 3);
	return { width: side, height: side, rgb };
}

/** Milliseconds of processor time of the thread that asks for a hostile screen: when it looks itself, and when it has it read. */
async function timeHostile(): Promise<{ itselfMs: number; asksMs: number }> {
	const picture = hostilePicture();
	const used = async (work: () => unknown) => {
		const start = process.threadCpuUsage();
		await work();
		const { user, system } = process.threadCpuUsage(start);
		return (user + system) / 1000;
	};
	const ppm = Buffer.concat([Buffer.from(`P6\n${picture.width} ${picture.height}\n255\n`), picture.rgb]);
	const reader = new ScreenReader(60_000);
	const signal = AbortSignal.timeout(120_000);
	await reader.read(new Uint8Array(Buffer.from("P6\n1 1\n255\n\0\0\0")), undefined, signal);
	const handed = new Uint8Array(ppm);
	const asksMs = await used(async () => await reader.read(handed, undefined, signal));
	await reader.close();
	return { itselfMs: await used(() => recognise(picture)), asksMs };
}

const percent = (share: number) => `${(share * 100).toFixed(2)} %`;

async function main(signal: AbortSignal): Promise<boolean> {
	const times = await timeFrames();
	const worst = times[0] ?? { name: "", ms: 0 };
	const middle = median(times.map(({ ms }) => ms));
	const fast = worst.ms < limits.worstMs;
	console.log(
		`${times.length / rounds} frames, ${rounds} times each, processor time: median ${middle.toFixed(1)} ms, worst ${worst.ms.toFixed(1)} ms (${worst.name}); under ${limits.worstMs} ms: ${fast ? "yes" : "NO"}\n`,
	);
	signal.throwIfAborted();
	const hostile = await timeHostile();
	console.log(
		`A hostile screen of 4096 x 4096 takes ${hostile.itselfMs.toFixed(0)} ms; the daemon's own thread ${hostile.asksMs.toFixed(1)} ms of that\n`,
	);
	const costs = await polling(signal);
	console.log(
		`${"A guest of 1024 x 768, TCG".padEnd(40)}  QEMU      reader    both, more than not asked   a look: median, worst`,
	);
	const rows = costs.map((cost) => {
		const idle = costs.find(({ guest, asked }) => guest === cost.guest && asked === 0);
		const more = cost.qemu + cost.reader - (idle ? idle.qemu + idle.reader : 0);
		const look = cost.asked ? `${cost.medianMs.toFixed(1)} ms, ${cost.worstMs.toFixed(1)} ms` : "";
		console.log(
			`${cost.way.padEnd(40)}  ${percent(cost.qemu).padEnd(8)}  ${percent(cost.reader).padEnd(8)}  ${percent(more).padEnd(26)}  ${look}`,
		);
		return { ...cost, more };
	});
	const cheap = rows.filter(({ judged }) => judged).every(({ more }) => more < limits.shareOfACore);
	console.log(
		`Every 5 s costs under ${percent(limits.shareOfACore)} of a core, still and with a clock: ${cheap ? "yes" : "NO"}`,
	);
	const ok = fast && cheap;
	await writeResult("screens", {
		ok,
		frames: times.length / rounds,
		medianMs: middle,
		worst,
		hostile,
		seconds,
		costs: rows,
		qemu: spawnSync("qemu-system-x86_64", ["--version"], { encoding: "utf8" }).stdout.split("\n")[0],
	});
	return ok;
}

await runPlain("screens", main);
