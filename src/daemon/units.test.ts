import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { paths as pathsIn } from "../store/paths.ts";
import { ServerStore, type StoredServer } from "../store/servers.ts";
import type { Context } from "./context.ts";
import type { Groups } from "./parts/groups.ts";
import type { SiteSandbox } from "./site-sandbox.ts";
import { Units } from "./units.ts";

/** No unit, and a server with its files; what is done to it, in order. @param failing what of that fails */
async function unitsWith(failing: string) {
	const folder = await mkdtemp(join(tmpdir(), "bulkhead-units-"));
	onTestFinished(async () => await rm(folder, { recursive: true }));
	const done: string[] = [];
	const did = (what: string) => async () => {
		done.push(what);
		if (what === failing) throw new Error(`${what}: no`);
	};
	const paths = pathsIn(folder, folder);
	const servers = new ServerStore(paths);
	await writeFile(join(folder, "file"), "");
	const names = failing === "files" ? () => join(folder, "file", "names") : paths.names;
	const history = { forgetTraffic: async () => {}, append: () => {} };
	const context = {
		...{ paths: { ...paths, names }, servers, groups: {}, history },
		log: { error: (_: unknown, text: string) => void done.push(`told: ${text}`), warn: () => {} },
	} as unknown as Context;
	const permitted: string[][] = [];
	const sandbox = {
		permit: async (all: readonly StoredServer[], lenient: boolean) => {
			permitted.push(all.map(({ name }) => name));
			await did(`permit${lenient ? " leniently" : ""}`)();
		},
		...{ names: { endOf: did("names") }, leases: { settled: did("leases") } },
		...{ removePorts: did("ports"), tidy: did("tidy") },
	} as unknown as SiteSandbox;
	const groups = { removeOf: did("groups"), removeEmpty: async () => {} } as unknown as Groups;
	const stored = { name: "web", definition: { template: "tiny" } } as unknown as StoredServer;
	await mkdir(paths.server("web").folder, { recursive: true });
	await servers.save(stored);
	return { units: new Units(context, groups, sandbox), stored, done, permitted, files: paths.server("web") };
}

test("a server that is deleted is gone whatever the firewall says, and nothing is begun for it again", async () => {
	const { units, stored, done, files } = await unitsWith("permit leniently");
	await units.discard(stored);
	const told = "told: what it was permitted could not be taken back yet";
	expect(done).toEqual(["permit leniently", told, "names", "groups", "ports", "leases", "tidy"]);
	expect(await readdir(join(files.folder, ".."))).toEqual([]);
});

test("one whose deletion stops half-way is set aside with its address, and nothing is changed until that is mended", async () => {
	const { units, stored, done, permitted, files } = await unitsWith("groups");
	await expect(units.discard(stored)).rejects.toThrow("groups: no");
	const why = "web is not supervised: it was being deleted, and that stopped half-way; mend this: groups: no";
	expect(() => units.server("web")).toThrow(why);
	const mend = "when that is done, restart the daemon, and apply again; nothing was changed";
	expect(() => units.refuseWhileDamaged()).toThrow(`${why}; ${mend}`);
	expect(done).not.toContain("tidy");
	await units.permit([]);
	expect(permitted.at(-1)).toEqual(["web"]);
	expect(await readdir(files.folder)).toEqual(["server.yaml"]);
});

test("so is one whose files cannot be removed, and it may do nothing any more", async () => {
	const { units, stored, permitted, files } = await unitsWith("files");
	await expect(units.discard(stored)).rejects.toThrow(/ENOTDIR/);
	expect(units.isAside("web")).toBe(true);
	await units.permit([]);
	expect(permitted.at(-1)).toEqual([]);
	expect(await readdir(files.folder)).toEqual(["unfinished"]);
});
