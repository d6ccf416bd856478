/**
 * Records the frames that the recogniser is tested with, and writes frames.yaml. Run it with:
 *   node test/frames/record.ts            all of them
 *   node test/frames/record.ts memtest    those whose recordings begin so
 */
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse, stringify } from "yaml";
import type { Frame } from "../../src/screen/frame.ts";
import { buildStandIn } from "../stand-in/build.ts";
import { Watched } from "../stand-in/show.ts";
import { drawn } from "./drawn.ts";
import { writePng } from "./png.ts";
import { recordings } from "./real.ts";
import type { Truth } from "./truth.ts";

const here = import.meta.dirname;
const list = join(here, "frames.yaml");
const wanted = process.argv.slice(2);

const isWanted = (name: string) => wanted.length === 0 || wanted.some((word) => name.startsWith(word));

async function take(name: string, frame: Frame, truth: Truth): Promise<void> {
	const known = (parse(await readFile(list, "utf8").catch(() => "{}")) ?? {}) as Record<string, Truth>;
	known[name] = truth;
	const sorted = Object.fromEntries(Object.entries(known).toSorted(([a], [b]) => (a < b ? -1 : 1)));
	const head =
		"# What stands on each frame of this folder. Written by record.ts from drawn.ts and real.ts.\n";
	await writeFile(join(here, "recorded", `${name}.png`), writePng(frame));
	await writeFile(list, head + stringify(sorted));
	console.log(`${name}: ${frame.width} x ${frame.height}, ${truth.kind}`);
}

async function inFolder(work: (folder: string) => Promise<void>): Promise<void> {
	const folder = await mkdtemp(join(tmpdir(), "bulkhead-frames-"));
	try {
		await work(folder);
	} finally {
		await rm(folder, { recursive: true, force: true });
	}
}

await mkdir(join(here, "recorded"), { recursive: true });
const scenes = await drawn(isWanted);
if (scenes.length > 0) {
	await inFolder(async (folder) => {
		const disk = join(folder, "scenes.raw");
		await buildStandIn(
			scenes.map(({ screen }) => ({ screen, lasts: "until-told" })),
			disk,
		);
		await using guest = await Watched.standIn(disk);
		for (const [index, { name, truth }] of scenes.entries()) {
			await guest.scene(index);
			await take(name, await guest.frame(), truth);
			guest.tell();
		}
	});
}
for (const { name, record } of recordings) {
	if (!isWanted(name)) continue;
	try {
		await inFolder(async (folder) => await record(take, folder));
	} catch (error) {
		console.error(`${name}: ${error instanceof Error ? error.message : error}`);
		process.exitCode = 1;
	}
}
