import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { paths as pathsOf } from "../store/paths.ts";
import type { StoredServer } from "../store/servers.ts";
import type { Context } from "./context.ts";
import { saveMade } from "./domains.ts";

let state: string;
beforeEach(async () => {
	state = await mkdtemp(join(tmpdir(), "bulkhead-"));
});
afterEach(async () => await rm(state, { recursive: true, force: true }));

const server = (name: string, realm?: string) =>
	({ name, domain: realm === undefined ? null : { realm } }) as unknown as StoredServer;
const before = [server("dc1"), server("dc2")];
const made = [server("dc1", "AD.EXAMPLE.COM"), server("dc2", "AD.EXAMPLE.COM")];

/** The daemon may be killed at each of its writes: what is said there is what the next daemon finds. */
async function contextThat(save: (server: StoredServer, marked: boolean[]) => void): Promise<Context> {
	const paths = pathsOf(state, join(state, "cache"));
	for (const { name } of before) await mkdir(paths.server(name).folder, { recursive: true });
	const marked = () => before.map(({ name }) => existsSync(paths.server(name).unstarted));
	return { paths, servers: { save: async (one: StoredServer) => save(one, marked()) } } as unknown as Context;
}

test("a daemon that is killed once a server knows its domain leaves the mark that all are to be started", async () => {
	const seen: [string, boolean[]][] = [];
	const context = await contextThat(({ name }, marked) => void seen.push([name, marked]));
	await saveMade(before, made, context);
	expect(seen).toEqual([
		["dc1", [true, true]],
		["dc2", [true, true]],
	]);
	for (const { name } of before) expect(existsSync(context.paths.server(name).unstarted)).toBe(true);
});

test("when they cannot be kept none has a domain, and none is to be started", async () => {
	const kept = new Map<string, StoredServer>();
	const context = await contextThat((one) => {
		if (one.name === "dc2" && one.domain !== null) throw new Error("no room");
		kept.set(one.name, one);
	});
	await expect(saveMade(before, made, context)).rejects.toThrow("no room");
	expect([...kept.values()]).toEqual(before);
	for (const { name } of before) expect(existsSync(context.paths.server(name).unstarted)).toBe(false);
});
