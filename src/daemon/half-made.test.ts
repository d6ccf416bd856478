import { mkdir, mkdtemp, readdir, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { run } from "../host/command.ts";
import { paths as pathsIn } from "../store/paths.ts";
import { ServerStore } from "../store/servers.ts";
import type { Context } from "./context.ts";
import { removeHalfMade } from "./half-made.ts";

let folder: string;
let context: Context;
let told: string[];
beforeEach(async () => {
	folder = await mkdtemp(join(tmpdir(), "bulkhead-half-"));
	told = [];
	const paths = pathsIn(folder, folder);
	const tell = ({ folder }: { folder: string }) => void told.push(folder);
	const log = { warn: tell, error: tell };
	const history = { forgetTraffic: async () => {} };
	context = { paths, log, history, servers: new ServerStore(paths) } as unknown as Context;
	await mkdir(paths.servers);
});
afterEach(async () => await rm(folder, { recursive: true }));

const at = (name: string) => context.paths.server(name).folder;
const left = async () => await readdir(context.paths.servers);
const remove = async () => await removeHalfMade(context, (name) => name === "known");

test("what was being made or deleted goes, and an empty folder; nothing else", async () => {
	for (const name of ["known", "begun", "empty", "other"]) await mkdir(at(name));
	await writeFile(context.paths.server("begun").unfinished, "");
	await writeFile(join(at("other"), "letters"), "");
	await remove();
	expect(await left()).toEqual(["known", "other"]);
	expect(told).toEqual([at("other")]);
});

test("a link to a disk that is not mounted stays, and the daemon starts", async () => {
	await mkdir(join(folder, "disk"));
	await symlink(join(folder, "disk", "erp"), at("erp"));
	await symlink(join(folder, "disk"), at("mail"));
	await remove();
	expect(await left()).toEqual(["erp", "mail"]);
	expect(told).toEqual([at("erp"), at("mail")]);
});

test("an empty disk that is mounted there stays, and the daemon starts", async ({ skip }) => {
	await mkdir(at("erp"));
	const quick = { deadlineMs: 20_000 };
	const mounted = await run("mount", ["-t", "tmpfs", "none", at("erp")], quick).catch(() => undefined);
	if (!mounted) return skip("nothing can be mounted here");
	try {
		await remove();
		expect(told).toEqual([at("erp")]);
	} finally {
		await run("umount", [at("erp")], quick);
	}
	expect(await left()).toEqual(["erp"]);
});

test("what cannot be removed is told, keeps nothing else from it, and the daemon starts", async () => {
	for (const name of ["begun", "later"]) {
		await mkdir(at(name));
		await writeFile(context.paths.server(name).unfinished, "");
	}
	const door = (name: string) => (name === "begun" ? join(folder, "file", "door") : join(folder, "door"));
	Object.assign(context, { paths: { ...context.paths, door } });
	await writeFile(join(folder, "file"), "");
	await remove();
	expect(await left()).toEqual(["begun"]);
	expect(told).toEqual([at("begun")]);
});
