import { once } from "node:events";
import { mkdir, readdir, rm, stat, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { ServerDefinition, Site } from "../../src/api/site.ts";
import { run } from "../../src/host/command.ts";
import { freePort, type Instance, instanceForTests, tiny } from "./harness.ts";

/** What a person gets who asks for something that cannot be: what is wrong, where, what to do; and nothing has changed. */
const bulkhead = instanceForTests();
const small = `/tmp/bhvm-small-${process.pid}`;
const files = `/tmp/bhvm-files-${process.pid}`;
const site = (servers: Record<string, ServerDefinition>, more: Partial<Site> = {}): Site => ({
	name: "bad",
	segments: { lab: { subnet: "10.95.0.0/24" } },
	servers,
	...more,
});
let listen: number;
/** The server that is there, as the site says it. */
let there: ServerDefinition;

/** Everything that is kept, but the history of events and what belongs to the running daemon itself. */
async function kept({ state }: Instance): Promise<string[]> {
	const entries = await readdir(state, { recursive: true, withFileTypes: true });
	const lines = entries.map(async (entry) => {
		const path = join(entry.parentPath, entry.name);
		const { size, mtimeMs, mode, uid } = await stat(path);
		return entry.isDirectory()
			? `${path} ${mode} ${uid}`
			: `${path} ${mode} ${uid} ${size} ${Math.round(mtimeMs)}`;
	});
	return (await Promise.all(lines)).filter((line) => !line.includes("/history.sqlite")).sort();
}

/** Applies a text with the real program, and makes sure that it is refused and nothing has changed. */
async function refused(text: string, ...options: string[]): Promise<{ said: string; stdout: string }> {
	const file = join(files, "site.yaml");
	await writeFile(file, text);
	const before = [await bulkhead.client.call("list", {}, null), await kept(bulkhead)];
	const { code, stdout, stderr } = await bulkhead.command("apply", "--yes", ...options, file);
	const after = [await bulkhead.client.call("list", {}, null), await kept(bulkhead)];
	expect(code, stderr).toBe(1);
	expect(after).toEqual(before);
	return { said: stderr, stdout };
}

const refusedSite = async (wanted: Site) => (await refused(JSON.stringify(wanted, null, 2))).said;

beforeAll(async () => {
	await mkdir(files, { recursive: true });
	listen = await freePort();
	there = tiny("10.95.0.10", listen, { start: "manual" });
	await bulkhead.apply(site({ one: there }));
});

afterAll(async () => {
	await rm(files, { recursive: true, force: true });
});

describe("a site file that", () => {
	test("is no YAML: line and column", async () => {
		const { said } = await refused("name: bad\nsegments:\n  lab: { subnet: 10.95.0.0/24\nservers: {}\n");
		expect(said).toMatch(/site\.yaml:\d+:\d+: this is not valid YAML/);
		expect(said).toContain("nothing was changed");
	});

	test("has an unknown key: its place, and the nearest right one", async () => {
		const { said } = await refused("name: bad\nservers:\n  one:\n    template: tiny\n    memroy: 1GiB\n");
		expect(said).toMatch(
			/site\.yaml:5:5: servers\.one\.memroy: there is no key "memroy" here; did you mean "memory"\?/,
		);
	});

	const wrong: [what: string, servers: () => Record<string, ServerDefinition>, said: RegExp][] = [
		[
			"has a size that is none",
			() => ({ one: { ...there, memory: "lots" } }),
			/servers\.one\.memory: "lots" is not a size; write a number and a unit/,
		],
		[
			"has a size out of range",
			() => ({ one: { ...there, memory: "1KiB" } }),
			/servers\.one\.memory: 1KiB is out of range; choose a size between 32MiB/,
		],
		[
			"has an address outside its segment",
			() => ({ one: { ...there, network: { segment: "lab", address: "10.99.0.10" } } }),
			/servers\.one\.network\.address: 10\.99\.0\.10 is outside segment lab .*; choose an address inside/,
		],
		[
			"gives two servers one address",
			() => ({ one: there, two: tiny("10.95.0.10", listen + 1) }),
			/servers\.two\.network\.address: 10\.95\.0\.10 is already the address of one; give each server its own/,
		],
		[
			"publishes two services on one port",
			() => ({ one: there, two: tiny("10.95.0.11", listen) }),
			/servers\.two\.publish\[0\]\.listen: port \d+ of the host is already published by one; choose another/,
		],
		[
			"names a template that there is not",
			() => ({ one: there, two: { template: "tinny" } }),
			/servers\.two\.template: there is no template tinny; did you mean "tiny"\?/,
		],
		[
			"names an image that there is not",
			() => ({ one: there, two: { image: `${files}/none.qcow2` } }),
			/servers\.two\.image: \S+none\.qcow2 cannot be read as a disk image: there is no such file/,
		],
		[
			"changes what a server was made from",
			() => ({ one: { ...there, template: "debian-web" } }),
			/servers\.one\.template: cannot be changed; it would be another server/,
		],
	];
	test.each(wrong)("%s", async (_, servers, said) => {
		expect(await refusedSite(site(servers()))).toMatch(said);
	});

	test("has segments that overlap", async () => {
		const segments = { lab: { subnet: "10.95.0.0/24" }, far: { subnet: "10.95.0.128/25" } };
		expect(await refusedSite(site({ one: there }, { segments }))).toMatch(
			/segments\.far\.subnet: 10\.95\.0\.128\/25 overlaps 10\.95\.0\.0\/24 of segment lab; give each/,
		);
	});

	test("names a server twice", async () => {
		const { said } = await refused(
			"name: bad\nservers:\n  one:\n    template: tiny\n  one:\n    template: tiny\n",
		);
		expect(said).toMatch(/site\.yaml:\d+:\d+: this name is there twice in one block; rename or remove/);
	});

	test("wants an image that leans on another file", async () => {
		const base = join(files, "base.qcow2");
		const image = join(files, "leaning.qcow2");
		await run("qemu-img", ["create", "-q", "-f", "qcow2", base, "8M"], { deadlineMs: 10_000 });
		const overlay = ["create", "-q", "-f", "qcow2", "-b", base, "-F", "qcow2", image];
		await run("qemu-img", overlay, { deadlineMs: 10_000 });
		expect(await refusedSite(site({ one: there, two: { image } }))).toMatch(
			/servers\.two\.image: \S+leaning\.qcow2 depends on another file \(a backing file\); make it whole where/,
		);
	});

	test("publishes a port that another program holds", async () => {
		const port = await freePort();
		const other = createServer().listen(port, "127.0.0.1");
		await once(other, "listening");
		try {
			const wanted = JSON.stringify(site({ one: there, two: tiny("10.95.0.11", port) }));
			const { said } = await refused(wanted);
			expect(said).toMatch(
				new RegExp(`servers\\.two\\.publish\\[0\\]\\.listen: .*port ${port} of this host is in use`),
			);
			expect(said).toContain("or choose another `listen:`");
			const { stdout } = await refused(wanted, "--json");
			expect(JSON.parse(stdout)).toMatchObject({ error: { code: "port-in-use" } });
		} finally {
			other.close();
		}
	});

	test("is no text, or is not there", async () => {
		const { code, stderr } = await bulkhead.command("apply", join(files, "missing.yaml"));
		expect(code).toBe(1);
		expect(stderr).toMatch(/cannot read \S+missing\.yaml: there is no such file/);
		expect((await refused("- one\n- two\n")).said).toMatch(/must be a block with the keys name, segments/);
	});
});

describe("a host", () => {
	test("whose state directory has a daemon already refuses another", async () => {
		const before = await kept(bulkhead);
		const { code, stderr } = await bulkhead.command("daemon");
		expect(code).toBe(1);
		expect(stderr).toMatch(/another daemon already works on \S+; use that one, or give this one another/);
		expect(await kept(bulkhead)).toEqual(before);
	});
});

/** An image that takes little room itself and much when it is copied. */
async function packedImage(): Promise<string> {
	const [raw, packed] = [join(files, "packed.raw"), join(files, "packed.qcow2")];
	await writeFile(raw, Buffer.alloc(200 * 2 ** 20, "much"));
	await run("qemu-img", ["convert", "-c", "-f", "raw", "-O", "qcow2", raw, packed], { deadlineMs: 60_000 });
	return packed;
}

describe.each([
	["no room from the beginning", "40m", async (): Promise<ServerDefinition> => ({ template: "tiny" })],
	["room that ends half way", "140m", async () => ({ image: await packedImage() })],
])("a disk with %s", (_, size, source) => {
	beforeAll(async () => {
		for (const folder of [small, files]) await mkdir(folder, { recursive: true });
		await run("mount", ["-t", "tmpfs", "-o", `size=${size}`, "tmpfs", small], { deadlineMs: 10_000 });
	});
	afterAll(async () => {
		await run("umount", [small], { deadlineMs: 10_000 });
		await rm(small, { recursive: true });
	});
	const full = instanceForTests(`${small}/state`);

	test("nothing is left of the server that was to be made", async () => {
		const file = join(files, "full.yaml");
		const { publish, network } = tiny("10.95.0.20", await freePort());
		const server = { ...(await source()), publish: publish?.map((one) => ({ ...one, port: 80 })), network };
		await writeFile(file, JSON.stringify(site({ two: server as ServerDefinition })));
		const { code, stdout } = await full.command("apply", "--yes", "--json", file);
		expect(code, stdout).toBe(1);
		const { error } = JSON.parse(stdout);
		expect(error.code).toBe("disk-full");
		expect(error.message).toMatch(/make room there/);
		expect(await full.client.call("list", {}, null)).toEqual([]);
		expect(await readdir(full.paths.servers)).toEqual([]);
		expect(await full.processes()).toEqual([]);
		expect(await full.namespaces()).toEqual([]);
		expect((await full.client.call("status", {}, null)).pid).toBe(full.pid);
	});
});
