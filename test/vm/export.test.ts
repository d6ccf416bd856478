import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { run } from "../../src/host/command.ts";
import { instanceForTests, patience } from "./harness.ts";

/** A server is taken away, and comes back with the same disks and the same hardware. */

const bulkhead = instanceForTests();
const folder = `/tmp/bhvm-export-${process.pid}`;
const at = (name: string) => join(folder, name);
const site = at("site.yaml");
const sh = async (command: string) =>
	await run("sh", ["-euc", command], { deadlineMs: patience.build, cwd: folder });
const compare = async (one: string, other: string) =>
	await run("qemu-img", ["compare", one, other], { deadlineMs: patience.build });

const text = `name: away
segments:
  lab: { subnet: 10.97.0.0/24 }
servers:
  erp:
    image: ${at("system.raw")}
    guest: windows-server-2016
    firmware: bios
    memory: 192MiB
    cpus: 2
    system: { bus: lsi-sas }
    data:
      - { name: ledger, size: 4MiB, image: ${at("data.raw")}, bus: ide }
      - { name: more, size: 8MiB, bus: virtio }
    machine: pc
    network: { segment: lab, address: 10.97.0.10, mac: "00:50:56:00:00:07", card: e1000 }
    start: manual
`;

const diskOf = (server: string, name: string) => bulkhead.paths.server(server).disk(name);

beforeAll(async () => {
	await mkdir(folder, { recursive: true });
	await sh(
		"head -c 5M /dev/urandom > system.raw; truncate -s 8M system.raw; printf END >> system.raw; truncate -s 9M system.raw; head -c 4M /dev/urandom > data.raw",
	);
	await writeFile(site, text);
	const said = await bulkhead.command("apply", "--yes", site);
	expect(said, said.stderr).toMatchObject({ code: 0 });
});
afterAll(async () => await rm(folder, { recursive: true, force: true }));

test("data disks are copied from their images, and are as large as the site file says", async () => {
	await compare(at("system.raw"), diskOf("erp", "system"));
	await compare(at("data.raw"), diskOf("erp", "ledger"));
	const { stdout } = await run("qemu-img", ["info", "--output=json", diskOf("erp", "more")], {
		deadlineMs: 10_000,
	});
	expect(JSON.parse(stdout)["virtual-size"]).toBe(8 * 2 ** 20);
});

describe("taken away", () => {
	test.each(["qcow2", "vmdk", "vhdx", "vhd", "raw"])(
		"as %s: each disk is a file, the same to the byte",
		async (format) => {
			const said = await bulkhead.command("export", "erp", "--to", at(`${format}/erp.${format}`));
			expect(said.code).toBe(1);
			expect(said.stderr).toMatch(/there is no folder/);
			await mkdir(at(format));
			const done = await bulkhead.command("export", "erp", "--to", at(`${format}/erp.${format}`));
			expect(done, done.stderr).toMatchObject({ code: 0 });
			expect((await readdir(at(format))).sort()).toEqual(
				["erp-ledger", "erp-more", "erp"].map((name) => `${name}.${format}`),
			);
			await compare(at(`${format}/erp.${format}`), diskOf("erp", "system"));
			await compare(at(`${format}/erp-ledger.${format}`), diskOf("erp", "ledger"));
		},
	);

	test("as OVA, and imported again: the same disks and the same hardware", async () => {
		const done = await bulkhead.command("export", "erp", "--to", at("erp.ova"));
		expect(done, done.stderr).toMatchObject({ code: 0 });
		const listed = await sh("tar tf erp.ova");
		expect(listed.stdout.split("\n").slice(0, 5)).toEqual([
			"erp.ovf",
			"erp.mf",
			"erp-system.vmdk",
			"erp-ledger.vmdk",
			"erp-more.vmdk",
		]);
		const seen = await bulkhead.command(
			"import",
			at("erp.ova"),
			"--name",
			"back",
			"--json",
			"--segment",
			"lab",
			"--address",
			"10.97.0.11",
		);
		expect(seen.code, seen.stdout).toBe(0);
		expect(JSON.parse(seen.stdout).definition).toEqual({
			image: `${at("erp.ova")}#erp-system.vmdk`,
			guest: "windows-server-2016",
			machine: "pc",
			firmware: "bios",
			tpm: false,
			memory: "192MiB",
			cpus: 2,
			system: { bus: "lsi-sas" },
			data: [
				{ name: "disk2", size: "4MiB", image: `${at("erp.ova")}#erp-ledger.vmdk`, bus: "ide" },
				{ name: "disk3", size: "8MiB", image: `${at("erp.ova")}#erp-more.vmdk`, bus: "virtio" },
			],
			// Its hardware address is its original's, beside which it is to be.
			network: { segment: "lab", address: "10.97.0.11", card: "e1000" },
		});
		const takenBy = [{ server: "erp", segment: "lab" }];
		const mac = "00:50:56:00:00:07";
		expect(JSON.parse(seen.stdout).import.cards).toEqual([{ mac, card: "e1000", takenBy }]);
		// By hand, so that it is not started: nothing on these disks would boot.
		const definition = { ...JSON.parse(seen.stdout).definition, start: "manual" };
		const withBoth = { ...definition, network: { ...definition.network, mac } };
		await writeFile(site, `${text}  back: ${JSON.stringify(withBoth)}\n`);
		const refused = await bulkhead.command("apply", "--yes", site);
		expect(refused.stderr).toContain(`${mac} is already the hardware address of erp on segment lab`);
		await writeFile(site, `${text}  back: ${JSON.stringify(definition)}\n`);
		const said = await bulkhead.command("apply", "--yes", site);
		expect(said, said.stderr).toMatchObject({ code: 0 });
		for (const [old, now] of [
			["system", "system"],
			["ledger", "disk2"],
			["more", "disk3"],
		] as const)
			await compare(diskOf("erp", old), diskOf("back", now));
	});
});

describe("refused, and nothing is left", () => {
	const files = async () => (await readdir(folder, { recursive: true })).sort();

	test.each([
		[
			"a file that is there",
			["--to", at("system.raw")],
			/there is already a file \S+system\.raw, which is not touched/,
		],
		["a name without a format", ["--to", at("erp")], /does not say in which format; add --format/],
		["a folder that is not there", ["--to", at("none/erp.qcow2")], /there is no folder/],
	])("%s", async (_, options, words) => {
		const before = await files();
		const said = await bulkhead.command("export", "erp", ...options);
		expect(said.code).toBe(1);
		expect(said.stderr).toMatch(words);
		expect(await files()).toEqual(before);
	});

	test.each(["qcow2", "ova"])("somebody else's draft of the name is left alone, as %s", async (format) => {
		const draft = at(`other.${format}.part`);
		await writeFile(draft, "not yours");
		const said = await bulkhead.command("export", "erp", "--to", at(`other.${format}`));
		expect(said.code).toBe(1);
		expect(said.stderr).toMatch(/there is already a file \S+\.part, which is not touched/);
		expect(await readFile(draft, "utf8")).toBe("not yours");
		await rm(draft);
	});

	test("a disk that its session has made lean on a file of the host", async () => {
		const disk = diskOf("erp", "more");
		const whole = await readFile(disk);
		const before = await files();
		await sh(`qemu-img create -q -f qcow2 -b /etc/shadow -F raw -u ${disk} 8M`);
		const said = await bulkhead.command("export", "erp", "--to", at("leaning.qcow2"));
		await writeFile(disk, whole);
		expect(said.code).toBe(1);
		expect(said.stderr).toMatch(/depends on another file/);
		expect(await files()).toEqual(before);
	});

	test("a server that runs", async () => {
		await bulkhead.client.call("start", { server: "erp" }, null);
		const said = await bulkhead.command("export", "erp", "--to", at("running.qcow2"));
		await bulkhead.client.call("stop", { server: "erp" }, { deadlineMs: 0 });
		expect(said.stderr).toMatch(/its disks change; stop it first: bulkhead stop erp/);
		expect(await files()).not.toContain("running.qcow2");
	});
});
