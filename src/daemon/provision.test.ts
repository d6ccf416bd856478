import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type Paths, paths as pathsOf } from "../store/paths.ts";
import { ServerStore } from "../store/servers.ts";
import type { Context } from "./context.ts";
import { HostJournal } from "./parts/journal.ts";
import { createServer } from "./provision.ts";

let paths: Paths;
let context: Context;
beforeEach(async () => {
	paths = pathsOf(await mkdtemp(join(tmpdir(), "bulkhead-provision-")), "/nowhere");
	context = { paths, servers: new ServerStore(paths) } as Partial<Context> as Context;
});
afterEach(async () => await rm(paths.state, { recursive: true }));

const wanted = {
	name: "dc1",
	site: "office",
	subnet: null,
	subnet6: null,
	lan: null,
	definition: { image: "/nowhere.qcow2" },
	index: 1,
	uid: process.getuid?.() ?? 0,
	uuid: "00000000-0000-4000-8000-000000000001",
};

test("files of a server that are there already are not touched, also when its definition is gone", async () => {
	const disk = paths.server("dc1").disk("system");
	await mkdir(paths.server("dc1").disks, { recursive: true });
	await writeFile(disk, "THE ONLY COPY");
	await expect(createServer(wanted, context, () => {})).rejects.toMatchObject({
		code: "bad-input",
		message: expect.stringMatching(/^there are already files of a server dc1 in \S+; move them away/),
	});
	expect(await readFile(disk, "utf8")).toBe("THE ONLY COPY");
});

test("nothing is left of a server that could not be made", async () => {
	await expect(createServer(wanted, context, () => {})).rejects.toThrow();
	expect(await context.servers.names()).toEqual([]);
});

test("a lost record gives no session's number a second time, and the last session is ended first", async () => {
	const journal = new HostJournal("dc1", context);
	expect(await journal.loadRecord()).toMatchObject({ nextSession: 1, planned: null });
	for (const number of [2, 10]) await mkdir(paths.server("dc1").session(number).folder, { recursive: true });
	expect(await journal.loadRecord()).toMatchObject({ nextSession: 11, planned: 10, state: "stopped" });
});

test.each(["{", "null", "[]", '{"state":"asleep"}', '{"nextSession":"7"}'])(
	"a damaged record is an error with what to do: %s",
	async (text) => {
		const { folder, record } = paths.server("dc1");
		await mkdir(folder, { recursive: true });
		await writeFile(record, text);
		await expect(new HostJournal("dc1", context).loadRecord()).rejects.toMatchObject({ code: "bad-input" });
	},
);
