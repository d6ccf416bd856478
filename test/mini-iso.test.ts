import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { run } from "../src/host/command.ts";
import { miniIso } from "./isos/mini-iso.ts";

/** The image is made of Debian's own files, and read back by the program that made it. */
const original = "/usr/lib/debian-installer/images/12/amd64/text/debian-installer/amd64/initrd.gz";
const preseed = "d-i time/zone string Etc/UTC\n";
let folder = "";
let iso = "";
const read = async (path: string) => {
	const to = join(folder, "file");
	await rm(to, { force: true });
	await run("xorriso", ["-osirrox", "on", "-indev", iso, "-extract", path, to], { deadlineMs: 60_000 });
	return await readFile(to);
};

beforeAll(async () => {
	folder = await mkdtemp(join(tmpdir(), "bh-mini-iso-"));
	iso = join(folder, "mini.iso");
	await miniIso(iso, { preseed, files: { "usr/share/more": Buffer.from("more") } });
}, 120_000);

afterAll(async () => {
	await rm(folder, { recursive: true, force: true });
});

test("the menu and all that it starts lie in the root folder, and the boot loader finds it there", async () => {
	const { stdout } = await run("xorriso", ["-indev", iso, "-find", "/", "-type", "f"], {
		deadlineMs: 60_000,
	});
	const files = new Set(stdout.split("\n").map((line) => line.replaceAll("'", "").replace(/^\//, "")));
	const menu = ["isolinux.cfg", "menu.cfg", "stdmenu.cfg", "txt.cfg", "adtxt.cfg"];
	for (const name of menu) expect(String(await read(`/${name}`))).not.toContain("debian-installer/");
	const entry = String(await read("/adtxt.cfg"));
	expect(entry).toContain("label auto\n");
	for (const name of ["isolinux.bin", "ldlinux.c32", "vesamenu.c32", "linux", "initrd.gz", ...menu])
		expect(files).toContain(name);
	const boot = await run("xorriso", ["-indev", iso, "-report_el_torito", "plain"], { deadlineMs: 60_000 });
	expect(boot.stdout).toMatch(/El Torito img path :.*\/isolinux\.bin/);
});

test("the installer's initial RAM disk is whole, and what is added follows it", async () => {
	const initrd = await read("/initrd.gz");
	const { size } = await stat(original);
	expect(initrd.subarray(0, size).equals(await readFile(original))).toBe(true);
	const begins = Math.ceil(size / 4) * 4;
	const archive = initrd.subarray(begins).toString("latin1");
	// The newc format of cpio (Linux, Documentation/driver-api/early-userspace/buffer-format.rst).
	expect(archive.startsWith("070701")).toBe(true);
	for (const text of ["preseed.cfg", preseed, "usr/share/more"]) expect(archive).toContain(text);
});
