/**
 * Records the frames that the recogniser is tested with, and writes frames.yaml. Run it with:
 *   node test/frames/record.ts            all of them
 *   node test/frames/record.ts memtest    those whose recordings begin so
 */
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse, stringify } from "yaml";
import { installFor } from "../../bench/packages.ts";
import type { Frame } from "../../src/screen/frame.ts";
import { buildStandIn } from "../stand-in/build.ts";
import { linux } from "../stand-in/linux.ts";
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

/** Files by which it is known that a package is installed. */
const filesOf: Record<string, string> = {
	"busybox-static": "/bin/busybox",
	"console-setup-linux": "/usr/share/consolefonts/Lat15-Terminus14.psf.gz",
	"debian-installer-12-netboot-amd64": linux,
	"fonts-open-sans": "/usr/share/fonts/truetype/open-sans/OpenSans-Light.ttf",
	"grub-rescue-pc": "/usr/lib/grub-rescue/grub-rescue-cdrom.iso",
	"ipxe-qemu": "/usr/lib/ipxe/qemu/pxe-e1000.rom",
	"librsvg2-bin": "/usr/bin/rsvg-convert",
	"memtest86+": "/usr/lib/memtest86+/memtest86+x64.iso",
	ovmf: "/usr/share/ovmf/OVMF.fd",
};

async function install(packages: readonly string[]): Promise<void> {
	const needed = packages.filter((name) => name !== "console-setup-linux" || !process.env.CONSOLE_FONTS);
	await installFor(
		needed.map((name) => filesOf[name] ?? ""),
		needed,
	);
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
await install(["librsvg2-bin", "fonts-open-sans", "console-setup-linux"]);
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
for (const { name, packages, record } of recordings) {
	if (!isWanted(name)) continue;
	try {
		await install(packages);
		await inFolder(async (folder) => await record(take, folder));
	} catch (error) {
		console.error(`${name}: ${error instanceof Error ? error.message : error}`);
		process.exitCode = 1;
	}
}
