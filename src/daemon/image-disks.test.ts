import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Site } from "../api/site.ts";
import { run } from "../host/command.ts";
import { paths } from "../store/paths.ts";
import type { Context } from "./context.ts";
import { imageProblems } from "./image-disks.ts";

let folder = "";
beforeEach(async () => {
	folder = await mkdtemp(join(tmpdir(), "bulkhead-images-"));
	await run("qemu-img", ["create", "-q", "-f", "qcow2", join(folder, "disk.qcow2"), "1M"], {
		deadlineMs: 20_000,
	});
});
afterEach(async () => {
	await rm(folder, { recursive: true });
});

const problems = async (signal: AbortSignal, withinMs: number) => {
	const site: Site = { name: "office", servers: { erp: { image: join(folder, "disk.qcow2") } } };
	return await imageProblems(site, [], { paths: paths(folder, folder) } as Context, signal, withinMs);
};
const patient = () => AbortSignal.timeout(60_000);

test("an image that cannot be looked at in time is a problem of the site file, with its place", async () => {
	expect(await problems(patient(), 1)).toEqual([
		{
			path: ["servers", "erp", "image"],
			message: `${folder}/disk.qcow2 cannot be looked at within 1 ms; is the disk or the network there that it is on?`,
		},
	]);
});

test("whoever breaks off does not wait for the look", async () => {
	const stop = new AbortController();
	const looking = problems(stop.signal, 60_000);
	stop.abort(new Error("the client went away"));
	await expect(looking).rejects.toThrow("the client went away");
});
