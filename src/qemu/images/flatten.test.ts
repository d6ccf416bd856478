import { mkdtemp, open, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { run } from "../../host/command.ts";
import { convertImage, createOverlay, ImageError } from "../image.ts";
import { flattenOverlay } from "./flatten.ts";

let folder: string;
beforeEach(async () => {
	folder = await mkdtemp(join(tmpdir(), "bulkhead-flatten-"));
});
afterEach(async () => await rm(folder, { recursive: true }));

const at = (name: string) => join(folder, name);
const sh = async (script: string) => await run("sh", ["-c", script], { deadlineMs: 20_000, cwd: folder });
const uid = 1_950_000_000;
const size = { uid, bytes: 2 ** 20 };

test("an overlay is made whole from the base that it is given, and stays as it was", async () => {
	const io = async (image: string, ...commands: string[]) =>
		await run("qemu-io", ["-f", "qcow2", ...commands.flatMap((one) => ["-c", one]), image], {
			deadlineMs: 10_000,
		});
	await writeFile(at("zeros"), Buffer.alloc(2 ** 20));
	await convertImage(at("zeros"), "raw", at("base, old.qcow2"));
	await io(at("base, old.qcow2"), "write -P 1 0 64k");
	// As a session names its base: there is no such file on the host.
	await createOverlay(at("overlay"), "/disks/system.qcow2", 2 ** 20);
	const options = `driver=qcow2,file.driver=file,file.filename=${at("overlay")},backing.driver=raw,backing.file.driver=file,backing.file.filename=${at("zeros")}`;
	await run("qemu-io", ["--image-opts", "-c", "write -P 2 64k 64k", options], { deadlineMs: 10_000 });
	const before = await readFile(at("overlay"));
	await flattenOverlay(at("overlay"), at("base, old.qcow2"), at("whole"), size);
	await io(at("whole"), "read -P 1 0 64k", "read -P 2 64k 64k", "read -P 0 128k 64k");
	expect((await readFile(at("overlay"))).equals(before)).toBe(true);
	await expect(flattenOverlay(at("overlay"), at("missing"), at("other"), size)).rejects.toThrow("missing");
	expect((await readFile(at("overlay"))).equals(before)).toBe(true);
});

test.each<[string, string]>([
	[
		"a qcow2 that keeps its data in another file, which is a pipe",
		"qemu-img create -q -f qcow2 -o data_file=data overlay 1M; rm data; mkfifo data",
	],
	["a VMDK", `printf '# Disk DescriptorFile\\nRW 2048 FLAT "pipe" 0\\n' > overlay; mkfifo pipe`],
	["a raw disk", "truncate -s 1M overlay"],
	["nothing", ": > overlay"],
	["a qcow2 of more than its disk", "qemu-img create -q -f qcow2 overlay 64T"],
	["a pipe", "mkfifo overlay"],
	["a folder", "mkdir overlay"],
])("an overlay that has become %s is refused without being opened by QEMU", async (_, made) => {
	await sh(`qemu-img create -q -f qcow2 base 1M; ${made}`);
	const before = await readdir(folder);
	const flattened = flattenOverlay(at("overlay"), at("base"), at("whole"), size);
	await expect(flattened).rejects.toThrow(/overlay is not what it was made as; abandon these changes$/);
	expect(await readdir(folder)).toEqual(before);
});

test("one that has become a link is not followed", async () => {
	await sh("qemu-img create -q -f qcow2 base 1M; ln -s base overlay");
	await expect(flattenOverlay(at("overlay"), at("base"), at("whole"), size)).rejects.toThrow("ELOOP");
	expect(await readdir(folder)).toEqual(["base", "overlay"]);
});

test("a damaged one is told in QEMU's words, and nothing is left of the copy", async () => {
	await sh("qemu-img create -q -f qcow2 base 1M; qemu-img create -q -f qcow2 overlay 1M");
	await using file = await open(at("overlay"), "r+");
	// Its table of tables lies beyond all bounds.
	await file.write(Buffer.alloc(7, 0x7f), 0, 7, 40);
	await expect(flattenOverlay(at("overlay"), at("base"), at("whole"), size)).rejects.toThrow(ImageError);
	expect(await readdir(folder)).toEqual(["base", "overlay"]);
});

test("what was left of a copy before is replaced, and the copy is root's alone", async () => {
	await sh("qemu-img create -q -f qcow2 base 1M; qemu-img create -q -f qcow2 overlay 1M; echo half > whole");
	await flattenOverlay(at("overlay"), at("base"), at("whole"), size);
	const { uid, mode } = await stat(at("whole"));
	expect([uid, mode & 0o777]).toEqual([0, 0o600]);
	expect((await readFile(at("whole"))).toString("latin1", 0, 4)).toBe("QFI\xfb");
});
