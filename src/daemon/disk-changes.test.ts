import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { paths as pathsOf } from "../store/paths.ts";
import type { StoredServer } from "../store/servers.ts";
import type { Context } from "./context.ts";
import { beginDiskChanges, endDiskChanges, finishDiskChanges } from "./disk-changes.ts";

let state: string;
let context: Context;
const error = vi.fn();
const server = { name: "s1", definition: { data: [{ name: "kept", size: "1GiB" }] } } as StoredServer;

beforeEach(async () => {
	state = await mkdtemp(join(tmpdir(), "bulkhead-disks-"));
	const paths = pathsOf(state, "");
	context = { paths, log: { error } } as unknown as Context;
	await mkdir(paths.server("s1").disks, { recursive: true });
	for (const disk of ["system", "kept", "added", "older"])
		await writeFile(paths.server("s1").disk(disk), disk);
});
afterEach(async () => await rm(state, { recursive: true }));

const files = async () => (await readdir(join(state, "servers/s1"), { recursive: true })).sort();
const disks = ["added", "kept", "older", "system"].map((name) => `disks/${name}.qcow2`);

test("a disk that was made and not kept is removed; those that the server has, and that nobody wrote down, stay", async () => {
	await beginDiskChanges(server, ["added", "kept"], context);
	await finishDiskChanges(server, false, context);
	expect(await files()).toEqual(["disks", ...disks.filter((file) => !file.includes("added"))]);
});

test("nothing is removed as long as a session may have it; it is then, with a later daemon", async () => {
	await beginDiskChanges(server, ["added"], context);
	await finishDiskChanges(server, true, context);
	expect(await files()).toEqual(["changing.json", "disks", ...disks]);
	await finishDiskChanges(server, false, context);
	expect(await files()).not.toContain("disks/added.qcow2");
});

test("what was finished is not looked at again", async () => {
	await beginDiskChanges(server, ["added"], context);
	await endDiskChanges(server, ["added"], context);
	await finishDiskChanges(server, false, context);
	expect(await files()).toEqual(["disks", ...disks]);
});

test("what a killed daemon wrote down outlasts later changes that have nothing to do with it", async () => {
	await beginDiskChanges(server, ["added"], context);
	expect(await finishDiskChanges(server, true, context)).toEqual(["added"]);
	for (const touched of [[], ["older"]]) {
		await beginDiskChanges(server, touched, context);
		await endDiskChanges(server, touched, context);
	}
	await finishDiskChanges(server, false, context);
	expect(await files()).toEqual(["disks", ...disks.filter((file) => !file.includes("added"))]);
});

test("a disk that was to be taken away, and was not, is the server's: later changes do not hold it against it", async () => {
	await beginDiskChanges(server, ["kept"], context);
	await beginDiskChanges(server, ["added"], context);
	const without = { ...server, definition: {} } as StoredServer;
	await finishDiskChanges(without, false, context);
	expect(await files()).toEqual(["disks", ...disks.filter((file) => !file.includes("added"))]);
});

test.each(['["../../kept"]', '["added', '{"disks":["added"]}'])("no disk is touched for %s", async (text) => {
	await writeFile(context.paths.server("s1").changing, text);
	await finishDiskChanges(server, false, context);
	expect(await files()).toEqual(["disks", ...disks]);
	expect(error).toHaveBeenCalled();
});
