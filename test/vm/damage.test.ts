import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { beforeAll, describe, expect, test } from "vitest";
import type { ServerDefinition, Site } from "../../src/api/site.ts";
import { listIfThere } from "../../src/host/files.ts";
import { freePort, get, instanceForTests, tiny } from "./harness.ts";

/** Files that are missing or damaged: what runs is watched or left alone, and no disk is ever written over. */
const bulkhead = instanceForTests();
const { client } = bulkhead;
const ports = { door: 0, "door-b": 0 };
const pids = { door: 0, "door-b": 0 };
let site: Site;
let a: ServerDefinition;

beforeAll(async () => {
	for (const name of ["door", "door-b"] as const) ports[name] = await freePort();
	a = tiny("10.96.0.10", ports.door, { data: [{ name: "files", size: "16MiB" }] });
	site = {
		name: "dmg",
		segments: { lab: { subnet: "10.96.0.0/24" } },
		servers: { door: a, "door-b": tiny("10.96.0.11", ports["door-b"]) },
	};
	await bulkhead.apply(site);
	for (const name of ["door", "door-b"] as const) {
		await bulkhead.until(name, "running");
		pids[name] = (await bulkhead.session(name)).pid;
	}
});

/** Ends the daemon, changes a file while none runs, and starts the next one. @returns a function that puts it back */
async function between(file: string, content: string | undefined): Promise<() => Promise<void>> {
	await bulkhead.endDaemon("SIGKILL");
	const before = await readFile(file);
	if (content === undefined) await rm(file);
	else await writeFile(file, content);
	await bulkhead.startDaemon();
	return async () => await writeFile(file, before);
}

async function bothRun(): Promise<void> {
	for (const name of ["door", "door-b"] as const) {
		expect((await bulkhead.until(name, "running")).session?.pid).toBe(pids[name]);
		expect(await get(ports[name], "/")).toMatchObject({ status: 200 });
	}
}

test("without site.yaml every server is supervised all the same, and nothing is planned to be made", async () => {
	await between(bulkhead.paths.site, undefined);
	await bothRun();
	const plan = await client.call("plan", {}, { text: JSON.stringify(site) });
	expect(plan.changes.map(({ kind }) => kind)).toEqual(["same", "same"]);
});

describe.each(["definition", "record"] as const)("with a damaged %s of one server", (file) => {
	let back: () => Promise<void>;
	beforeAll(async () => {
		back = await between(bulkhead.paths.server("door-b")[file], "{ damaged");
	});

	test("that one runs on and is left alone, and the other is supervised", async () => {
		expect((await client.call("list", {}, null)).map(({ name }) => name)).toEqual(["door"]);
		expect((await bulkhead.session("door")).pid).toBe(pids.door);
		process.kill(pids["door-b"], 0);
		for (const port of Object.values(ports)) expect(await get(port, "/")).toMatchObject({ status: 200 });
		await expect(client.call("show", { server: "door-b" }, null)).rejects.toThrow(
			/is not supervised: .*mend it/,
		);
		expect((await bulkhead.events()).map(({ text }) => text)).toContainEqual(
			expect.stringMatching(
				/^door-b is not supervised, and nothing of it is touched: \S+\/door-b\/\S+ cannot be read/,
			),
		);
		await expect(bulkhead.apply(site)).rejects.toThrow(/door-b is not supervised: .*nothing was changed/);
	});

	test("when it is mended, it is taken over as if nothing had been", async () => {
		await bulkhead.endDaemon("SIGTERM");
		await back();
		await bulkhead.startDaemon();
		await bothRun();
	});
});

test("a disk that is there is not written over, and the definition stays as it was", async () => {
	const { disk, disks, definition } = bulkhead.paths.server("door");
	await writeFile(disk("more"), "MY ONLY COPY");
	const before = await readFile(definition, "utf8");
	const data = [
		{ name: "files", size: "16MiB" },
		{ name: "extra", size: "16MiB" },
		{ name: "more", size: "16MiB" },
	];
	const wanted = { ...site, servers: { ...site.servers, door: { ...a, data } } };
	await expect(bulkhead.apply(wanted)).rejects.toThrow(/already a file \S+more\.qcow2, which is not touched/);
	expect(await readFile(disk("more"), "utf8")).toBe("MY ONLY COPY");
	expect(await readFile(definition, "utf8")).toBe(before);
	expect(await listIfThere(disks)).toEqual(["files.qcow2", "more.qcow2", "system.qcow2"]);
	await rm(disk("more"));
	await bulkhead.apply(wanted);
	expect((await bulkhead.show("door")).dataDisks).toEqual(["files", "extra", "more"]);
	await expect(bulkhead.apply(site)).rejects.toThrow(/problem/);
	expect(await listIfThere(disks)).toContain("more.qcow2");
});

test("files of a server that is not known any more are not written over", async () => {
	const { folder, disk } = bulkhead.paths.server("lost");
	const wanted = { ...site, servers: { ...(await current()), lost: tiny("10.96.0.12", await freePort()) } };
	await mkdir(bulkhead.paths.server("lost").disks, { recursive: true });
	await writeFile(disk("system"), "MY ONLY COPY");
	await expect(bulkhead.apply(wanted)).rejects.toThrow(
		/already files of a server lost in \S+; move them away/,
	);
	expect(await readFile(disk("system"), "utf8")).toBe("MY ONLY COPY");
	await rm(folder, { recursive: true });
});

test("a file that changes only segments is applied", async () => {
	const wanted = {
		...site,
		segments: { ...site.segments, dmz: { subnet: "10.97.0.0/24" } },
		servers: await current(),
	};
	const plan = await client.call("plan", {}, { text: JSON.stringify(wanted) });
	expect(plan.segments).toEqual(["+ dmz 10.97.0.0/24"]);
	await bulkhead.apply(wanted);
	expect(await readFile(bulkhead.paths.site, "utf8")).toContain("10.97.0.0/24");
	await bothRun();
});

async function current(): Promise<Record<string, ServerDefinition>> {
	return JSON.parse(await readFile(bulkhead.paths.site, "utf8")).servers;
}
