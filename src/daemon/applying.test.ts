import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import type { Site } from "../api/site.ts";
import { paths as pathsIn } from "../store/paths.ts";
import { ServerStore, type StoredServer } from "../store/servers.ts";
import { Applying } from "./applying.ts";
import type { Context } from "./context.ts";
import { CurrentSite } from "./current-site.ts";
import { planOf } from "./plan.ts";
import { ServerChanges } from "./server-changes.ts";
import type { ServerUnit } from "./server-unit.ts";
import type { SiteSandbox } from "./site-sandbox.ts";
import type { Units } from "./units.ts";

const office = { subnet: "10.77.0.0/24" };
const shop = { subnet: "10.78.0.0/24" };
const on = (segment: string, address: string) => ({ template: "tiny", network: { segment, address } });
const before: Site = {
	name: "home",
	segments: { office },
	servers: { a: on("office", "10.77.0.10"), b: on("office", "10.77.0.11"), c: on("office", "10.77.0.12") },
};

/** A site of three stopped servers, with all that is kept of them. @param failing whose front doors cannot be changed */
async function siteOfThree(failing: string) {
	const folder = await mkdtemp(join(tmpdir(), "bulkhead-applying-"));
	onTestFinished(async () => await rm(folder, { recursive: true }));
	const paths = pathsIn(folder, folder);
	const servers = new ServerStore(paths);
	const units = new Map<string, ServerUnit>();
	for (const [name, definition] of Object.entries(before.servers ?? {})) {
		const installed = { guest: "linux", systemDisk: "disposable" } as StoredServer["installed"];
		const stored: StoredServer = {
			...{
				name,
				site: "home",
				subnet: office.subnet,
				subnet6: null,
				lan: null,
				ejected: [],
				filled: [],
				domain: null,
			},
			...{ definition, installed },
		};
		const unit = {
			...{ stored, record: { state: "stopped", planned: null, session: null } },
			...{ supervisor: { installsUpdates: false }, door: { openWhenPossible: async () => {} } },
			refuseWhileExported: () => {},
			async change(next: StoredServer) {
				this.stored = next;
				if (name === failing && next.definition !== definition) throw new Error("its port is taken");
			},
		};
		units.set(name, unit as unknown as ServerUnit);
		await mkdir(paths.server(name).folder, { recursive: true });
		await servers.save(stored);
	}
	const log = { error: () => {} };
	const context = { paths, servers, log, history: { append: () => {} } } as unknown as Context;
	const current = new CurrentSite(context);
	await current.save(before);
	const stored = () => [...units.values()].map((unit) => unit.stored);
	const parts = {
		...{ stored, server: (name: string) => units.get(name), permit: async () => {}, makeWay: async () => {} },
		discard: async ({ name }: StoredServer) => void units.delete(name),
	} as unknown as Units;
	const open = vi.fn(async (_: Site) => {});
	const changes = new ServerChanges(context, current, parts);
	const applying = new Applying(context, current, { open } as unknown as SiteSandbox, parts, changes);
	const apply = async (site: Site) => {
		const plan = planOf(site, stored(), current.site);
		vi.spyOn(applying, "plan").mockResolvedValue({ plan, site });
		await applying.apply("", plan.fingerprint, true, () => {}, AbortSignal.timeout(5000));
	};
	/** What the next daemon would make of it. */
	const next = async () => {
		const loaded = new CurrentSite(context);
		await loaded.load(stored());
		return loaded.site;
	};
	return { apply, next, opened: () => open.mock.lastCall?.[0] };
}

test("what fails after some servers have moved leaves them, and those that have not, where they are", async () => {
	const { apply, next, opened } = await siteOfThree("b");
	const servers = { a: on("shop", "10.78.0.10"), b: on("shop", "10.78.0.11") };
	await expect(apply({ ...before, segments: { shop }, servers })).rejects.toThrow("its port is taken");
	const there = { ...before, segments: { office, shop }, servers: { ...before.servers, a: servers.a } };
	expect(opened()).toEqual(there);
	expect(await next()).toEqual(there);
});

test("what fails at the first server leaves all as it was", async () => {
	const { apply, next, opened } = await siteOfThree("a");
	const segments = { office: { ...office, allow: "all" as const }, shop };
	const servers = { a: on("shop", "10.78.0.10"), b: on("shop", "10.78.0.11") };
	await expect(apply({ ...before, segments, servers })).rejects.toThrow("its port is taken");
	expect(opened()).toEqual(before);
	expect(await next()).toEqual(before);
});

test("a segment with another network has it for those who have moved; who reaches whom on it is as it was", async () => {
	const { apply, next, opened } = await siteOfThree("b");
	const wide = { subnet: "10.79.0.0/16" };
	const servers = { ...before.servers, a: on("office", "10.79.0.10"), b: on("office", "10.79.0.11") };
	const site: Site = { ...before, segments: { office: { ...wide, allow: "all" } }, servers };
	await expect(apply(site)).rejects.toThrow("its port is taken");
	expect(opened()?.segments).toEqual({ office: wide });
	expect((await next())?.segments).toEqual({ office: wide });
});
