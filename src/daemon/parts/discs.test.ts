import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { hungShare } from "../../host/testing/hung-share.ts";
import { paths as pathsOf } from "../../store/paths.ts";
import type { StoredServer } from "../../store/servers.ts";
import type { Context } from "../context.ts";
import { presentDrives } from "./discs.ts";

let folder: string;
let share: string;
let told: string[];
beforeEach(async () => {
	folder = await mkdtemp(join(tmpdir(), "bulkhead-discs-"));
	share = join(folder, "share");
	await mkdir(share);
	await writeFile(join(folder, "here.iso"), "");
	told = [];
});
afterEach(async () => await rm(folder, { recursive: true }));

/** @returns each drive that has a disc, of a server with these two */
async function filled(iso: string, drivers: string, withinMs?: number): Promise<string[]> {
	const server = { name: "lab", ejected: [], definition: { install: { iso, drivers } }, installed: {} };
	const history = { append: ({ text }: { text: string }) => void told.push(text) };
	const context = { paths: pathsOf(folder, folder), history } as unknown as Context;
	const drives = await presentDrives(server as unknown as StoredServer, context, withinMs);
	return drives.flatMap(({ name, file }) => (file === null ? [] : [name]));
}

test("a disc that is gone leaves its drive empty, and that is told", async () => {
	expect(await filled(join(folder, "gone.iso"), join(folder, "here.iso"))).toEqual(["drivers"]);
	expect(told).toEqual([`${folder}/gone.iso is not there: its drive is empty in this session`]);
});

test("so does one on a share that answers never, and the session begins without it", async ({ skip }) => {
	await using hung = await hungShare(share);
	if (!hung) return skip("this host has no FUSE");
	expect(await filled(join(share, "disc.iso"), join(share, "drivers.iso"), 1000)).toEqual([]);
	const why = "is on a disk or a share that did not answer within 1.00 s: its drive is empty in this session";
	expect(told.sort()).toEqual([`${share}/disc.iso ${why}`, `${share}/drivers.iso ${why}`]);
});
