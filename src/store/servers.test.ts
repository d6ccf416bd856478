import { mkdir, mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { explain } from "../api/errors.ts";
import { sampleIncident } from "../client/samples.ts";
import { IncidentStore } from "./incidents.ts";
import { type Paths, paths as pathsOf } from "./paths.ts";
import { ServerStore } from "./servers.ts";

let paths: Paths;
beforeEach(async () => {
	const state = await mkdtemp(join(tmpdir(), "bulkhead-servers-"));
	paths = pathsOf(state, "/nowhere");
});
afterEach(async () => await rm(paths.state, { recursive: true }));

test("one damaged server hides none of the others; a stray file is no server", async () => {
	for (const name of ["bad", "empty"]) await mkdir(paths.server(name).folder, { recursive: true });
	await writeFile(paths.server("bad").definition, "site: [");
	await writeFile(join(paths.servers, "notes.txt"), "");
	const store = new ServerStore(paths);
	const { servers, damaged } = await store.list();
	expect(servers).toEqual([]);
	expect(damaged.map(({ name, error }) => `${name}: ${explain(error)}`)).toEqual([
		expect.stringMatching(
			/^bad: \S+\/bad\/server\.yaml cannot be read; mend it by hand, or move its folder away/,
		),
	]);
	expect(await store.names()).toEqual(["bad", "empty"]);
});

test("the number of a server is used as long as anything of it is there, also when its deletion stopped half-way", async () => {
	const store = new ServerStore(paths);
	const made = async (name: string, index: number) => {
		const installed = { index, uid: 1, uuid: "", source: "", memoryBytes: 1, cpus: 1, agent: false };
		const more = { boot: { kind: "disk" }, systemDisk: "kept", systemBytes: 1, services: {} };
		const networks = { subnet: null, subnet6: null, lan: null };
		await mkdir(paths.server(name).folder, { recursive: true });
		await store.save({
			name,
			site: "s",
			...networks,
			definition: {},
			installed: { ...installed, ...more },
		} as never);
	};
	await made("web", 1);
	await made("half", 2);
	await rename(paths.server("half").definition, paths.server("half").unfinished);
	for (const name of ["bad", "begun"]) await mkdir(paths.server(name).folder);
	await writeFile(paths.server("bad").definition, "site: [");
	await writeFile(paths.server("begun").unfinished, "This server is being made.\n");
	expect((await store.usedIndexes()).sort()).toEqual([1, 2]);
});

test("a damaged incident is told of once, and hides none of the others", async () => {
	const said: string[] = [];
	const store = new IncidentStore(paths, {
		error: (_: unknown, text?: string) => void said.push(String(text)),
	});
	const whole = sampleIncident({ id: "web-2", server: "web" });
	await store.save(whole);
	await mkdir(paths.server("web").incident("web-1").folder, { recursive: true });
	await writeFile(paths.server("web").incident("web-1").file, "{");
	for (let i = 0; i < 2; i++) expect(await store.list()).toEqual([whole]);
	expect(said).toEqual([expect.stringContaining("web-1/incident.json cannot be read")]);
	await expect(store.load("web-1")).rejects.toMatchObject({ code: "internal" });
});

test("a stray file beside servers or incidents, or in their place, is none, and hides none of the others", async () => {
	const said: string[] = [];
	const store = new IncidentStore(paths, {
		error: (_: unknown, text?: string) => void said.push(String(text)),
	});
	const whole = sampleIncident({ id: "web-2", server: "web" });
	await store.save(whole);
	await mkdir(paths.server("db").folder, { recursive: true });
	const strays = [
		join(paths.servers, "NOTES"),
		paths.server("notes").folder,
		paths.server("db").incidents,
		join(paths.server("web").incidents, "README"),
		paths.server("web").incident("web-1").folder,
	];
	for (const stray of strays) await writeFile(stray, "");
	expect(await store.list()).toEqual([whole]);
	for (const id of ["notes-1", "db-1", "web-1"]) expect(await store.load(id)).toBeUndefined();
	expect(said).toEqual([]);
});

test("no name of a server makes two of its folders one", () => {
	const all = [
		paths.sockets("door", 3),
		paths.sockets("door-web", 3),
		paths.door("door"),
		paths.door("door-3"),
		paths.door("web"),
	];
	expect(new Set(all).size).toBe(all.length);
	expect(join(paths.sockets("a".repeat(24), 999_999), "console.sock").length).toBeLessThan(107);
});
