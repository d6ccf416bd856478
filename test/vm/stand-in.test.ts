import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { recognise } from "../../src/screen/recognise.ts";
import { readPng } from "../frames/png.ts";
import { buildStandIn, type End, type Scene, type Screen } from "../stand-in/build.ts";
import { windowsXp } from "../stand-in/screens/bootvid.ts";
import { nt4BlueScreen } from "../stand-in/screens/text.ts";
import { Watched } from "../stand-in/show.ts";

/** The guest that shows pictures, in real QEMU: what stands on its screen, and how it ends. */

let folder = "";
beforeAll(async () => {
	folder = await mkdtemp(join(tmpdir(), "bulkhead-stand-in-test-"));
});
afterAll(async () => {
	await rm(folder, { recursive: true, force: true });
});

const stop = {
	code: 0x0a,
	parameters: ["0x00000000", "0x0000001A", "0x00000000", "0xFC873D6C"],
	name: "IRQL_NOT_LESS_OR_EQUAL",
};
const read = { ...stop, parameters: stop.parameters.map((value) => value.toLowerCase()) };

async function recorded(name: string): Promise<Screen> {
	const file = join(import.meta.dirname, `../frames/recorded/${name}.png`);
	return { mode: "pixels", picture: readPng(await readFile(file)) };
}

async function started(scenes: Scene[], end: End): Promise<Watched> {
	const disk = join(folder, `${end}.raw`);
	await buildStandIn(scenes, disk, end);
	return await Watched.standIn(disk);
}

test("blue screens of four eras are recognised on a running guest, and a dump that goes on", async () => {
	const screens: Screen[] = [
		nt4BlueScreen(stop),
		windowsXp(stop),
		await recorded("10-1920"),
		await recorded("10-1920-later"),
		await recorded("11-24h2-1024-module"),
		await recorded("updates-10-30"),
	];
	await using guest = await started(
		screens.map((screen) => ({ screen, lasts: "until-told" })),
		"halt",
	);
	const seen = [];
	let before = await guest.frame();
	for (const [index] of screens.entries()) {
		await guest.scene(index);
		const frame = await guest.frame();
		seen.push(recognise(frame, before));
		before = frame;
		guest.tell();
	}
	expect(seen).toMatchObject([
		{ kind: "blue-screen", era: "nt4", stop: read, dump: "none" },
		{ kind: "blue-screen", era: "2000-to-2008-r2", stop: read, dump: "none" },
		{ kind: "blue-screen", era: "8-to-10", dump: "unknown" },
		{ kind: "blue-screen", era: "8-to-10", dump: "writing" },
		{ kind: "blue-screen", era: "11", dump: "done" },
		{ kind: "updating" },
	]);
});

const brief: Scene[] = [{ screen: nt4BlueScreen(stop), lasts: 200 }];

test("a scene lasts as long as it is told to, and then the guest resets", async () => {
	await using guest = await started(brief, "reset");
	await guest.until(() => guest.events.includes("RESET"), 60_000, "reset");
	expect(guest.serial).toContain("scene 0\n");
});

test("a guest that panics writes to pvpanic's port", async () => {
	await using guest = await started(brief, "panic");
	await guest.until(() => guest.events.includes("GUEST_PANICKED"), 60_000, "panic");
});

test.each([
	["hang", false, true],
	["halt", true, false],
] as const)("a guest that is to %s shows its last scene", async (end, interrupts, busy) => {
	await using guest = await started(brief, end);
	await guest.scene(0);
	const isThere = async () => {
		const registers = await guest.human("info registers");
		const flags = Number.parseInt(/EFL=([0-9a-f]+)/.exec(registers)?.[1] ?? "0", 16);
		return ((flags & 0x200) !== 0) === interrupts && /HLT=0/.test(registers) === busy;
	};
	await guest.until(isThere, 60_000, end);
	expect(recognise(await guest.frame())).toMatchObject({ kind: "blue-screen", stop: read });
});
