import { writeFileSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { parse } from "yaml";
import { BulkheadError } from "../api/errors.ts";
import type { ImportView } from "../api/import.ts";
import type { Change, Progress } from "../api/plan.ts";
import { samplePlan, sampleServer } from "../client/samples.ts";
import { StandIn } from "../client/stand-in.ts";
import { runHere } from "./harness.ts";
import { nameFrom } from "./import/definition.ts";
import { Terminal } from "./terminal.ts";

let daemon: StandIn;
/** What the daemon finds in a source. */
let examined: ImportView;
let folder: string;
let site: string;
/** What the daemon was told to do, beside being asked. */
let told: { path: string; body: Record<string, unknown> }[];

const undone = (change: Change): Change => ({ ...change, kind: "same", differences: [], destroys: [] });

const erp: ImportView = {
	source: "/srv/erp.ova",
	kind: "ova",
	name: "ERP (old)",
	guest: "windows-server-2019",
	machine: null,
	firmware: "uefi",
	tpm: false,
	memoryBytes: 8 * 2 ** 30,
	cpus: 4,
	disks: [
		{
			called: "disk0",
			image: "/srv/erp.ova#erp-disk1.vmdk",
			format: "VMDK",
			virtualBytes: 64 * 2 ** 30,
			bus: "lsi-sas",
			system: true,
		},
		{
			called: "disk1",
			image: "/srv/erp.ova#erp-disk2.vmdk",
			format: "VMDK",
			virtualBytes: 10_737_377_280,
			bus: "lsi-sas",
			system: false,
		},
	],
	cards: [{ mac: "00:50:56:9a:12:34", card: "vmxnet3", takenBy: [] }],
	notes: ["Its sound card is not taken over."],
};
const entry = {
	image: "/srv/erp.ova#erp-disk1.vmdk",
	guest: "windows-server-2019",
	firmware: "uefi",
	tpm: false,
	memory: "8GiB",
	cpus: 4,
	system: { bus: "lsi-sas" },
	data: [{ name: "disk2", size: "10485720KiB", image: "/srv/erp.ova#erp-disk2.vmdk", bus: "lsi-sas" }],
};
const before = "# ours\nname: office\nsegments:\n  office: { subnet: 10.77.0.0/24 }\n";

/** Long tasks end with this. */
let ending: Progress = { type: "finished", text: "all is well" };

beforeEach(async () => {
	examined = erp;
	daemon = await StandIn.start({
		examineImport: () => examined,
		plan: () => ({ ...samplePlan, destructive: false }),
	});
	folder = await mkdtemp(join(tmpdir(), "bulkhead-"));
	site = join(folder, "site.yaml");
	await writeFile(site, before);
	told = [];
	ending = { type: "finished", text: "all is well" };
	daemon.raw = (request, response, body) => {
		const path = request.url ?? "";
		if (!path.endsWith("/apply") && !path.endsWith("/export")) return false;
		told.push({ path, body: JSON.parse(body) });
		response.writeHead(200, { "content-type": "application/x-ndjson" }).end(`${JSON.stringify(ending)}\n`);
		return true;
	};
});
afterEach(async () => {
	await daemon[Symbol.asyncDispose]();
	await rm(folder, { recursive: true, force: true });
});

const bulkhead = (...words: string[]) => runHere(words, { state: daemon.state });

describe("import", () => {
	test("shows what was found and what is not taken over, and prints the lines for the site file", async () => {
		const { code, out } = await bulkhead("import", "/srv/erp.ova");
		expect(code).toBe(0);
		for (const words of [
			"windows-server-2019",
			"vmxnet3, 00:50:56:9a:12:34",
			"64GiB",
			"erp-disk2.vmdk",
			"Its sound card is not taken over.",
			"it gets no network",
		])
			expect(out).toContain(words);
		const lines = out.slice(out.indexOf("Add this below")).split("\n").slice(2).join("\n");
		expect(parse(lines)).toEqual({ "erp-old": entry });
		expect(told).toEqual([]);
	});

	test("says whose time a Windows will have, and takes another time zone", async () => {
		expect((await bulkhead("import", "/srv/erp.ova")).out).toMatch(/time zone +this host's; say --time-zone/);
		const { out } = await bulkhead("import", "/srv/erp.ova", "--time-zone", "Europe/Berlin", "--json");
		expect(JSON.parse(out).definition).toEqual({ ...entry, timeZone: "Europe/Berlin" });
	});

	test("with --site it is written into the file, which keeps its comments, and applied", async () => {
		const where = ["--segment", "office", "--address", "10.77.0.30", "--guest", "windows-server-2022"];
		const { code, out } = await bulkhead(
			"import",
			"/srv/erp.ova",
			"--site",
			site,
			"--name",
			"erp",
			"--yes",
			...where,
		);
		expect(code, out).toBe(0);
		const text = await readFile(site, "utf8");
		expect(text).toContain("# ours");
		const network = { segment: "office", address: "10.77.0.30", mac: "00:50:56:9a:12:34", card: "vmxnet3" };
		expect(parse(text).servers).toEqual({ erp: { ...entry, guest: "windows-server-2022", network } });
		expect(told[0]?.body.text).toBe(text);
		expect(out).toContain("all is well");
	});

	test("a hardware address that a server of its segment has is left out, and that is said", async () => {
		const [card] = erp.cards;
		const takenBy = [{ server: "erp", segment: "office" }];
		examined = { ...erp, cards: card ? [{ ...card, takenBy }] : [] };
		const written = async (segment: string) => {
			const where = ["--segment", segment, "--address", "10.77.0.31"];
			const { out } = await bulkhead("import", "/srv/erp.ova", "--name", "copy", ...where);
			const lines = out.slice(out.indexOf("Add this below")).split("\n").slice(2).join("\n");
			return { out, network: parse(lines).copy.network };
		};
		const office = await written("office");
		expect(office.network).toEqual({ segment: "office", address: "10.77.0.31", card: "vmxnet3" });
		expect(office.out).toContain("Its hardware address is that of erp on segment office");
		const lab = await written("lab");
		expect(lab.network).toMatchObject({ mac: "00:50:56:9a:12:34" });
		expect(lab.out).not.toContain("Its hardware address is");
	});

	test("when it cannot be made, the file is what it was", async () => {
		ending = { type: "failed", error: { code: "disk-full", message: "no room" } };
		const { code, err } = await bulkhead("import", "/srv/erp.ova", "--site", site, "--yes");
		expect([code, err]).toEqual([1, "bulkhead: no room\n"]);
		expect(await readFile(site, "utf8")).toBe(before);
		expect(await readdir(folder)).toEqual(["site.yaml"]);
	});

	test("when it was made all the same, the file says so", async () => {
		let looks = 0;
		ending = { type: "failed", error: { code: "internal", message: "the client went away" } };
		const status = {
			version: "0",
			pid: 1,
			startedAt: 0,
			state: "/s",
			site: null,
			accelerator: "tcg",
		} as const;
		daemon.answers.status = () => ({ ...status, changing: ++looks < 3 });
		daemon.answers.plan = () =>
			looks === 0
				? { ...samplePlan, destructive: false }
				: { ...samplePlan, segments: [], changes: samplePlan.changes.map(undone) };
		const { code, err } = await bulkhead("import", "/srv/erp.ova", "--site", site, "--yes");
		expect(code).toBe(1);
		expect(err).toMatch(/All the same .*site\.yaml is in force, and stays/);
		expect(looks).toBe(3);
		expect(parse(await readFile(site, "utf8")).servers).toHaveProperty("erp-old");
	});

	test("nothing is written without a yes, or when there is a server of that name", async () => {
		expect((await bulkhead("import", "/srv/erp.ova", "--site", site)).err).toMatch(
			/Write erp-old into .* say it with --yes/,
		);
		await bulkhead("import", "/srv/erp.ova", "--site", site, "--yes");
		const text = await readFile(site, "utf8");
		const again = await bulkhead("import", "/srv/erp.ova", "--site", site, "--yes");
		expect(again.err).toMatch(
			/site\.yaml: the site file has a server erp-old already; give the new one another name/,
		);
		expect(await readFile(site, "utf8")).toBe(text);
		expect(told).toHaveLength(1);
	});

	test("a file that is edited while a yes is waited for stays as it is, and nothing is applied", async () => {
		const theirs = `${before}# theirs\n`;
		const asked = vi.spyOn(Terminal.prototype, "ask").mockImplementation(async () => {
			await writeFile(site, theirs);
			return "yes";
		});
		const words = ["import", "/srv/erp.ova", "--site", site];
		const { code, err } = await runHere(words, { state: daemon.state, typed: "" });
		asked.mockRestore();
		expect(code).toBe(1);
		expect(err).toContain(`${site} was changed meanwhile; nothing was changed; run it again`);
		expect(await readFile(site, "utf8")).toBe(theirs);
		expect(await readdir(folder)).toEqual(["site.yaml"]);
		expect(told).toEqual([]);
	});

	test("what is edited while it is applied is not taken back with it", async () => {
		ending = { type: "failed", error: { code: "disk-full", message: "no room" } };
		const answer = daemon.raw;
		daemon.raw = (request, response, body) => {
			if (request.url?.endsWith("/apply")) writeFileSync(site, "name: theirs\n");
			return answer?.(request, response, body) ?? false;
		};
		const { code, err } = await bulkhead("import", "/srv/erp.ova", "--site", site, "--yes");
		expect([code, err]).toEqual([
			1,
			expect.stringMatching(/site\.yaml was changed by somebody else meanwhile/),
		]);
		expect(await readFile(site, "utf8")).toBe("name: theirs\n");
	});

	test("a file that would destroy something besides is not applied with it", async () => {
		daemon.answers.plan = () => ({ ...samplePlan, destructive: true });
		const { code, err } = await bulkhead("import", "/srv/erp.ova", "--site", site, "--yes");
		expect(code).toBe(1);
		expect(err).toMatch(/would destroy disks beside this; nothing was changed/);
		expect(await readFile(site, "utf8")).toBe(before);
	});

	test("where disks are is passed on; half a network, and what the daemon refuses, are told", async () => {
		daemon.answers.examineImport = (_, body) => {
			expect(body.disks).toEqual({ scsi0: "/srv/a=b.raw", sata1: "/srv/c.raw" });
			throw new BulkheadError("bad-input", "/srv/erp.ova is cut off; copy it again");
		};
		const disks = ["--disk", "scsi0=/srv/a=b.raw", "--disk", "sata1=/srv/c.raw"];
		const { code, out } = await bulkhead("import", "/srv/erp.ova", ...disks, "--json");
		expect([code, JSON.parse(out).error.message]).toEqual([1, "/srv/erp.ova is cut off; copy it again"]);
		expect((await bulkhead("import", "/srv/erp.ova", "--segment", "office")).err).toMatch(/belong together/);
		expect((await bulkhead("import", "/srv/erp.ova", "--disk", "scsi0")).code).toBe(2);
	});
});

test.each([
	["ERP (old)", "erp-old"],
	["2008 Server", "server"],
	["Büro-Server München West 17", "buro-server-munchen-west"],
	["???", "server"],
])("a machine %s becomes server %s", (text, name) => {
	expect(nameFrom(text)).toBe(name);
});

describe("export", () => {
	test.each([
		["/srv/erp.ova", [], "ova"],
		["/srv/erp.IMG", [], "raw"],
		["/srv/erp", ["--format", "vhdx"], "vhdx"],
	])("to %s %j", async (to, more, format) => {
		const { code, out } = await bulkhead("export", "erp", "--to", to, ...more);
		expect([code, out]).toEqual([0, "all is well\n"]);
		expect(told).toEqual([{ path: "/v1/servers/erp/export", body: { to, format } }]);
	});

	test("a name that says no format is asked for one", async () => {
		const { code, err } = await bulkhead("export", "erp", "--to", "/srv/erp");
		expect(code).toBe(1);
		expect(err).toMatch(/add --format, one of qcow2, vmdk/);
	});
});

describe("convert-to-virtio", () => {
	const server = "servers:\n  erp:\n    image: /srv/erp.vmdk\n    system: { bus: lsi-sas }\n";
	beforeEach(() => {
		daemon.answers.show = () => sampleServer({ name: "erp", systemBus: "lsi-sas" });
	});
	const convert = (...words: string[]) =>
		bulkhead("convert-to-virtio", "erp", "--site", site, "--yes", ...words);

	test("step by step, and back", async () => {
		await writeFile(site, before + server);
		const first = await convert();
		expect(first.code, first.err).toBe(0);
		expect(first.out).toMatch(/virtio-win-guest-tools\.exe/);
		expect((await convert()).out).toMatch(/has its small virtio disk already/);
		const refused = async () => {
			const { code, err } = await convert("--switch");
			expect(code).toBe(1);
			return err;
		};
		daemon.answers.guestDisks = () => {
			throw new BulkheadError("guest-did-not-answer", "no guest agent answers in erp");
		};
		expect(await refused()).toMatch(/nothing says that erp has the driver \(no guest agent answers in erp\)/);
		daemon.answers.guestDisks = () => ({ server: "erp", disks: [{ serial: "system", bus: "scsi" }] });
		expect(await refused()).toMatch(/sees no disk on virtio: begin without --switch/);
		expect((await convert("--switch", "--driver-is-in")).out).toMatch(/When it does not boot .* --back/);
		expect(parse(await readFile(site, "utf8")).servers.erp.system.bus).toBe("virtio");
		expect((await convert("--back")).code).toBe(0);
		expect(parse(await readFile(site, "utf8")).servers.erp.system.bus).toBe("lsi-sas");
		expect(told).toHaveLength(3);
	});

	test.each([
		{ serial: null, bus: "virtio" },
		{ serial: "was-lsi-sas", bus: "scsi" },
	])("a guest that sees %j has the driver", async (disk) => {
		await writeFile(site, before + server);
		await convert();
		const disks = [{ serial: "system", bus: "scsi" }, disk];
		daemon.answers.guestDisks = () => ({ server: "erp", disks });
		expect((await convert("--switch")).code).toBe(0);
		expect(parse(await readFile(site, "utf8")).servers.erp.system.bus).toBe("virtio");
	});
});
