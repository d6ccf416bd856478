import { mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { paths as pathsIn } from "../store/paths.ts";
import { ServerStore, type StoredServer } from "../store/servers.ts";
import type { Context } from "./context.ts";
import type { Groups } from "./parts/groups.ts";
import type { SiteSandbox } from "./site-sandbox.ts";
import { Units } from "./units.ts";

test("a server that is deleted is gone whatever the firewall says, and nothing is begun for it again", async () => {
	const folder = await mkdtemp(join(tmpdir(), "bulkhead-units-"));
	onTestFinished(async () => await rm(folder, { recursive: true }));
	const done: string[] = [];
	const did = (what: string) => async () => void done.push(what);
	const paths = pathsIn(folder, folder);
	const servers = new ServerStore(paths);
	const context = {
		...{ paths, servers, groups: {}, history: { forgetTraffic: async () => {} } },
		log: { error: did("told"), warn: () => {} },
	} as unknown as Context;
	const sandbox = {
		permit: async (_: unknown, lenient: boolean) => {
			done.push(`permit${lenient ? " leniently" : ""}`);
			throw new Error("nft: no");
		},
		...{ names: { endOf: did("names") }, leases: { settled: did("leases") } },
		...{ removePorts: did("ports"), tidy: did("tidy") },
	} as unknown as SiteSandbox;
	const groups = { removeOf: did("groups"), removeEmpty: async () => {} } as unknown as Groups;
	const stored = { name: "web", definition: { template: "tiny" } } as unknown as StoredServer;
	await mkdir(paths.server("web").folder, { recursive: true });
	await servers.save(stored);
	await new Units(context, groups, sandbox).discard(stored);
	expect(done).toEqual(["permit leniently", "told", "names", "groups", "ports", "leases", "tidy"]);
	expect(await readdir(join(paths.server("web").folder, ".."))).toEqual([]);
});
