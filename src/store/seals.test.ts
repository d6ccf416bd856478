import { mkdir, mkdtemp, readFile, rm, stat, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { SealPaths } from "./paths.ts";
import { type Manifest, readManifest, SealError, verifyPart, whyUnusable, writeManifest } from "./seals.ts";

const day = 86_400_000;
const madeWith = {
	qemu: "7.2.19",
	machine: "pc-q35-7.2",
	accelerator: "tcg",
	processor: "made up",
	command: "qemu -m 128M",
	base: "1 2",
} as const;

let folder: string;
let seal: SealPaths;
let manifest: Manifest;

beforeEach(async () => {
	folder = await mkdtemp(join(tmpdir(), "seals-"));
	const at = (name: string) => join(folder, name);
	seal = {
		folder,
		manifest: at("seal.json"),
		ram: at("ram"),
		state: at("state"),
		system: at("system.qcow2"),
	};
	for (const file of [seal.ram, seal.state, seal.system]) await writeFile(file, `what is in ${file}`);
	manifest = await writeManifest(seal, {
		id: "a1",
		session: 2,
		madeAt: 100 * day,
		madeWith,
		memoryBytes: 128,
	});
});
afterEach(async () => await rm(folder, { recursive: true }));

test("is read as it was written, and whole", async () => {
	expect(await readManifest(seal)).toEqual(manifest);
	for (const part of ["ram", "state", "system"] as const) await verifyPart(manifest, part, seal[part]);
	expect(whyUnusable(manifest, madeWith, 100 * day, 14 * day)).toBeUndefined();
});

test("a flipped byte, a truncated and a missing part are told apart", async () => {
	const text = await readFile(seal.ram, "utf8");
	await writeFile(seal.ram, text.replace("what", "whAt"));
	await expect(verifyPart(manifest, "ram", seal.ram)).rejects.toThrow("its memory is damaged: its checksum");
	await truncate(seal.state, 3);
	await expect(verifyPart(manifest, "state", seal.state)).rejects.toThrow(
		"its device state has 3 bytes instead",
	);
	await rm(seal.system);
	await expect(verifyPart(manifest, "system", seal.system)).rejects.toThrow(
		"its system disk overlay is missing",
	);
});

test("a part that the disk does not give back is as good as damaged; what only takes too long says nothing of it", async () => {
	await rm(seal.state);
	await mkdir(seal.state);
	const { size } = await stat(seal.state);
	const same = { ...manifest, parts: { ...manifest.parts, state: { ...manifest.parts.state, bytes: size } } };
	await expect(verifyPart(same, "state", seal.state)).rejects.toThrow(SealError);
	await expect(verifyPart(same, "state", seal.state)).rejects.toThrow("its device state cannot be read");
	const given = verifyPart(manifest, "ram", seal.ram, AbortSignal.abort());
	await expect(given).rejects.not.toBeInstanceOf(SealError);
});

test("a manifest that is missing, damaged, or of another version", async () => {
	await writeFile(seal.manifest, JSON.stringify({ ...manifest, version: 2 }));
	await expect(readManifest(seal)).rejects.toThrow("another version of Bulkhead");
	await writeFile(seal.manifest, JSON.stringify({ ...manifest, parts: {} }));
	await expect(readManifest(seal)).rejects.toThrow("damaged");
	await writeFile(seal.manifest, "{");
	await expect(readManifest(seal)).rejects.toThrow("damaged");
	await rm(seal.manifest);
	expect(await readManifest(seal)).toBeUndefined();
});

test.each([
	["qemu", "8.2.0", "QEMU has changed since it was made: 7.2.19 → 8.2.0"],
	["machine", "pc-q35-8.2", "the machine type has changed since it was made: pc-q35-7.2 → pc-q35-8.2"],
	["accelerator", "kvm", "the accelerator has changed since it was made: tcg → kvm"],
	["processor", "another", "the host's processor has changed since it was made"],
	["command", "qemu -m 256M", "the server's hardware has changed since it was made"],
	["base", "1 3", "the system disk below it has changed since it was made"],
])("is of no use when its %s differs", (key, value, words) => {
	expect(whyUnusable(manifest, { ...madeWith, [key]: value }, 100 * day, 14 * day)).toBe(words);
});

test("is of no use when it is too old, or from the future", () => {
	expect(whyUnusable(manifest, madeWith, 114 * day, 14 * day)).toBeUndefined();
	expect(whyUnusable(manifest, madeWith, 114 * day + 1, 14 * day)).toContain("are the most");
	expect(whyUnusable(manifest, madeWith, 99 * day, 14 * day)).toContain("from the future");
});
