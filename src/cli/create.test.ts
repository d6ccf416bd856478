import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough, Writable } from "node:stream";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { parse } from "yaml";
import { BulkheadError } from "../api/errors.ts";
import type { WindowsIso } from "../api/windows.ts";
import { StandIn } from "../client/stand-in.ts";
import { runHere } from "./harness.ts";
import { run } from "./run.ts";
import { Terminal } from "./terminal.ts";

const edition = (index: number, name: string) => ({
	...{ index, name, description: "", editionId: "ServerStandard", installationType: "Server" },
	...{ architecture: "amd64" as const, build: 20348, languages: ["de-DE"] },
});
const medium: WindowsIso = {
	...{ label: "SSS_X64FREE", version: "windows-server-2022", image: "sources/install.wim" },
	editions: [
		edition(1, "Windows Server 2022 SERVERSTANDARDCORE"),
		edition(2, "Windows Server 2022 SERVERSTANDARD"),
	],
};
const password = "S0mmer & Größe'$";

let daemon: StandIn;
let folder: string;
let siteFile: string;
beforeEach(async () => {
	folder = await mkdtemp(join(tmpdir(), "bulkhead-create-"));
	siteFile = join(folder, "site.yaml");
	daemon = await StandIn.start({ windowsIso: () => medium });
});
afterEach(async () => {
	await daemon[Symbol.asyncDispose]();
	await rm(folder, { recursive: true, force: true });
});

const create = async (args: readonly string[]) =>
	await runHere(["create", "windows-server", ...args], { state: daemon.state });

/** A command line whose standard input is a text, or a person who answers each question when it has been asked. */
async function createWith(args: readonly string[], input: string | readonly (readonly [RegExp, string])[]) {
	const shape = { isTTY: typeof input !== "string", columns: 100 };
	const typed = Object.assign(new PassThrough(), shape);
	const answers = typeof input === "string" ? [] : [...input];
	if (typeof input === "string") typed.end(input);
	let [out, err, asked] = ["", "", ""];
	const output = new Writable({
		write(chunk, _, done) {
			out += String(chunk);
			done();
		},
	});
	const errors = new Writable({
		write(chunk, _, done) {
			err += String(chunk);
			asked += String(chunk);
			const next = /: $/.test(asked) ? answers.shift() : undefined;
			if (next) {
				expect(asked).toMatch(next[0]);
				asked = "";
				setImmediate(() => typed.write(`${next[1]}\n`));
			}
			done();
		},
	});
	const streams = {
		input: typed,
		output: Object.assign(output, shape),
		errors: Object.assign(errors, shape),
	};
	const environment = { BULKHEAD_STATE: daemon.state, LANG: "C.UTF-8", NO_COLOR: "1" };
	const terminal = new Terminal({ ...streams, environment });
	const code = await run(["create", "windows-server", ...args], terminal, new AbortController().signal);
	return { code, out, err, left: answers.length };
}
const common = () => [
	"--site-file",
	siteFile,
	"--iso",
	"/srv/iso/win.iso",
	"--drivers",
	"/srv/iso/virtio-win.iso",
];
const edited = async () => parse(await readFile(siteFile, "utf8"));
const withPassword = async (name = "given", content = password) => {
	const file = join(folder, name);
	await writeFile(file, `${content}\n`, { mode: 0o600 });
	return file;
};

describe("by options alone", () => {
	test("an entry is written that the site file takes", async () => {
		const file = await withPassword();
		const said = await create([
			...["files1", ...common(), "--edition", "2", "--time-zone", "Europe/Berlin"],
			...["--password-file", file, "--share", "Data=C:\\Shares\\Data", "--remote-desktop", "--yes"],
		]);
		expect(said).toMatchObject({ code: 0, err: "" });
		expect(said.out).toContain(`To install it: bulkhead apply ${siteFile}`);
		expect(await edited()).toEqual({
			name: "office",
			segments: { office: { subnet: "10.77.0.0/24" } },
			servers: {
				files1: {
					guest: "windows-server-2022",
					install: {
						iso: "/srv/iso/win.iso",
						drivers: "/srv/iso/virtio-win.iso",
						answers: {
							...{ computerName: "FILES1", edition: 2, language: "de-DE", timeZone: "Europe/Berlin" },
							remoteDesktop: true,
							administrator: { passwordFile: file },
							roles: [{ role: "file-server", shares: [{ name: "Data", folder: "C:\\Shares\\Data" }] }],
						},
					},
					...{ memory: "4GiB", cpus: 2, system: { size: "60GiB" } },
					network: { segment: "office", address: "10.77.0.10" },
				},
			},
		});
	});

	test("comments and other servers stay, and the next free address is taken", async () => {
		const text =
			"# ours\nname: shop\nsegments:\n  lan: { subnet: 10.5.0.0/24 } # the only one\nservers:\n  a: { template: tiny, network: { segment: lan, address: 10.5.0.10 } }\n";
		await writeFile(siteFile, text, { mode: 0o600 });
		const file = await withPassword();
		const said = await create([
			"dc1",
			...common(),
			"--edition",
			"1",
			"--password-file",
			file,
			"--domain-controller",
			"ad.example.com",
			"--netbios",
			"AD",
			"--recovery-password-file",
			await withPassword("recovery", "Wint3r & Kälte"),
			"--sql-disk",
			"20GiB",
			"--yes",
			"--json",
		]);
		expect(said.code).toBe(0);
		const { definition, passwordFiles } = JSON.parse(said.out);
		expect(definition.network).toEqual({ segment: "lan", address: "10.5.0.11" });
		expect(definition.data).toEqual([{ name: "sql", size: "20GiB" }]);
		expect(passwordFiles).toEqual([file, join(folder, "recovery")]);
		const after = await readFile(siteFile, "utf8");
		expect(after.startsWith("# ours\n")).toBe(true);
		expect(after).toContain("# the only one");
		expect((await stat(siteFile)).mode & 0o777).toBe(0o600);
		expect(`${said.out}${said.err}${after}`).not.toContain("S0mmer");
	});

	describe("what was said in full", () => {
		const all = ["--guest", "windows-server-2022", "--edition", "1", "--language", "de-DE"];
		const said = async (changed: readonly string[] = []) =>
			await create(["w", ...common(), ...all, "--password-file", await withPassword(), "--yes", ...changed]);

		test("is looked for on the ISO", async () => {
			expect(await said()).toMatchObject({ code: 0, err: "" });
		});
		test.each([
			[["--guest", "windows-10"], /--guest: \S+ installs windows-server-2022, not windows-10/],
			[["--edition", "Windows 10 Pro"], /--edition: there is no edition Windows 10 Pro on the ISO/],
			[["--language", "fr-FR"], /--language: the edition is there in de-DE, not in fr-FR/],
		])("%j is not there", async (changed, words) => {
			expect(await said(changed)).toMatchObject({ code: 1, err: expect.stringMatching(words) });
			expect(await readdir(folder)).toEqual(["given"]);
		});
		test("is taken from an ISO that cannot be read", async () => {
			daemon.answers.windowsIso = () => {
				throw new BulkheadError("bad-input", "it is no Windows installation medium");
			};
			expect(await said()).toMatchObject({
				code: 0,
				err: expect.stringMatching(
					/nobody could look whether that is on \/srv\/iso\/win.iso: it is no Windows/,
				),
			});
		});
	});

	test.each([
		[
			"windows-server-2022",
			"the Administrator's",
			password,
			/--recovery-password-file: .*Administrator's password/,
		],
		[
			"windows-server-2008-r2",
			"one with umlauts",
			"Wint3r & Kälte",
			/--recovery-password-file: .*ASCII signs/,
		],
	] as const)("for a controller with %s, %s is no recovery password", async (version, _, recovery, words) => {
		daemon.answers.windowsIso = () => ({ ...medium, version });
		const said = await create([
			...["dc1", ...common(), "--edition", "1", "--domain-controller", "ad.example.com", "--yes"],
			...["--password-file", await withPassword()],
			...["--recovery-password-file", await withPassword("recovery", recovery)],
		]);
		expect(said).toMatchObject({ code: 1, err: expect.stringMatching(words) });
		expect(said.err).not.toMatch(/S0mmer|Wint3r/);
		expect(await readdir(folder)).toEqual(["given", "recovery"]);
	});

	test("a password comes from standard input, and goes into a file that nobody else reads", async () => {
		const args = ["w1", ...common(), "--edition", "1", "--password-file", "-", "--yes"];
		expect(await createWith(args, `${password}\nmore\n`)).toMatchObject({ code: 0, err: "" });
		const file = join(folder, "secrets/w1-administrator");
		expect(await readFile(file, "utf8")).toBe(`${password}\n`);
		expect((await stat(file)).mode & 0o777).toBe(0o600);
		expect((await stat(join(folder, "secrets"))).mode & 0o777).toBe(0o700);
		// The next one is not written over it.
		expect(await createWith(args.with(0, "w2"), "weak\n")).toMatchObject({
			code: 1,
			err: expect.stringMatching(/--password-file: it has 4 characters/),
		});
		await writeFile(siteFile, "name: office\nsegments:\n  office: { subnet: 10.77.0.0/24 }\n");
		expect(await createWith(args, `${password}\n`)).toMatchObject({
			code: 1,
			err: expect.stringMatching(/w1-administrator is there already; say --password-file/),
		});
	});
});

describe("with mistakes nothing is written", () => {
	const refused = async (args: readonly string[]) => {
		const before = await readdir(folder);
		const said = await create([...args, "--site-file", siteFile, "--yes", "--json"]);
		expect(said.code).toBe(1);
		expect(await readdir(folder)).toEqual(before);
		const { error } = JSON.parse(said.out);
		return [
			error.message,
			...error.problems.map((one: { field: string; message: string }) => `${one.field}: ${one.message}`),
		].join("\n");
	};
	test.each([
		["no name", [], /a name is missing, and nobody can be asked/],
		["no ISO", ["w"], /--iso is missing/],
		["no edition", ["w", "--iso", "/x.iso"], /--edition is missing/],
		[
			"another edition",
			["w", "--iso", "/x.iso", "--edition", "Home"],
			/--edition: there is no edition Home on the ISO; there are: 1 Windows Server 2022 SERVERSTANDARDCORE; 2 /,
		],
		[
			"another Windows",
			["w", "--iso", "/x.iso", "--guest", "windows-11"],
			/--guest: \/x.iso installs windows-server-2022, not windows-11/,
		],
		["no Windows", ["w", "--iso", "/x.iso", "--guest", "windows-xp"], /--guest: windows-xp is none of/],
		[
			"a wrong zone",
			["w", "--iso", "/x.iso", "--drivers", "/y", "--edition", "1", "--time-zone", "Mars"],
			/--time-zone: "Mars" is no time zone that Windows knows/,
		],
		[
			"no password",
			["w", "--iso", "/x.iso", "--drivers", "/y", "--edition", "1"],
			/--password-file: nobody can be asked for the password of the new Administrator here/,
		],
	])("%s", async (_, args, words) => {
		expect(await refused(args)).toMatch(words);
	});
	test("what the site file would not take is told by its fields", async () => {
		const file = await withPassword();
		const args = [
			"w",
			...common(),
			"--edition",
			"1",
			"--password-file",
			file,
			"--keyboard",
			"A B",
			"--share",
			"Data",
		];
		const said = await refused(args);
		expect(said).toMatch(/w cannot be added; nothing was changed/);
		expect(said).toMatch(/servers.w.install.answers.keyboard: "A B" is not a keyboard/);
		expect(said).toMatch(/servers.w.install.answers.roles.0.shares.0.folder: /);
	});
	test.each([
		[["--computer-name", "A B"], /--computer-name: "A B" is not a computer's name/],
		[["--address", "10.78.0.10"], /--address: 10.78.0.10 is outside segment office/],
		[["--address", "10.77.0.010"], /--address: .*10\.77\.0\.10, without zeros in front/],
		[["--memory", "lots"], /servers.w.memory: "lots" is not a size/],
		[["--domain-controller", "ad"], /servers.w.install.answers.roles.0.realm: a realm is a domain name/],
	])("%j is told before anybody is asked for a password", async (changed, words) => {
		expect(await refused(["w", ...common(), "--edition", "1", ...changed])).toMatch(words);
	});
	test("a name that is taken, a file with mistakes, a file that is none", async () => {
		await writeFile(siteFile, "name: a\nservers: { w: { template: tiny } }\n");
		expect(await refused(["w"])).toMatch(/has a server w already/);
		await writeFile(siteFile, "name: a\nservrs: {}\n");
		expect(await refused(["w"])).toMatch(
			/has mistakes; mend them first; nothing was changed\nservrs: .*did you mean "servers"/,
		);
		await writeFile(siteFile, "name: [\n");
		expect(await refused(["w"])).toMatch(/is no YAML; mend that first/);
	});
	test("what the daemon says of the ISO", async () => {
		daemon.answers.windowsIso = () => {
			throw new BulkheadError("bad-input", "/x.iso: it is no Windows installation medium");
		};
		expect(await refused(["w", "--iso", "/x.iso"])).toMatch("it is no Windows installation medium");
	});
	test.skipIf(process.getuid?.() === 0)("a folder that cannot be written", async () => {
		await chmod(folder, 0o500);
		expect(await refused(["w"])).toMatch(/./);
	});
});

describe("a person is asked", () => {
	test("what was not said, again when it was wrong, and gets its defaults", async () => {
		const said = await createWith(
			["--site-file", siteFile],
			[
				[/Name of the server: $/, "files1"],
				[/Windows ISO: $/, "/srv/win.iso"],
				[/2 {2}Windows Server 2022 SERVERSTANDARD\nEdition: $/, "Home"],
				[/there is no edition Home[\s\S]*Edition: $/, "2"],
				[/virtio-win ISO with drivers and guest agent \[none\]: $/, "/srv/virtio-win.iso"],
				[/Computer name \[FILES1\]: $/, "my files"],
				[/"my files" is not a computer's name[\s\S]*Computer name \[FILES1\]: $/, ""],
				[/Time zone \[.*\]: $/, "Europe/Berlin"],
				[/5 {2}file server\nWhat it is to be \[none of these\]: $/, "4"],
				[/Domain, as ad.example.com: $/, "ad.example.com"],
				[
					/Addresses of its controllers, which are asked for its names \[whoever DHCP names\]: $/,
					"10.77.0.10",
				],
				[/Account that may add computers to the domain \[Administrator\]: $/, ""],
				[/Address \[10.77.0.10\]: $/, "10.77.0.20"],
				[/Password of the new Administrator: $/, "weak"],
				[/it has 4 characters[\s\S]*Password of the new Administrator: $/, password],
				[/The same once more: $/, password],
				[/Password of the domain's account: $/, "theirs"],
			],
		);
		expect(said).toMatchObject({ code: 0, left: 0 });
		expect(`${said.err}${said.out}`).not.toMatch(/S0mmer|theirs/);
		const { install, network } = (await edited()).servers.files1;
		const secret = (name: string) => join(folder, `secrets/files1-${name}`);
		expect(install.answers).toEqual({
			...{ computerName: "FILES1", edition: "Windows Server 2022 SERVERSTANDARD", language: "de-DE" },
			timeZone: "Europe/Berlin",
			administrator: { passwordFile: secret("administrator") },
			roles: [
				{
					...{ role: "member", realm: "ad.example.com", account: "Administrator" },
					...{ controllers: ["10.77.0.10"], passwordFile: secret("join") },
				},
			],
		});
		expect(network).toEqual({ segment: "office", address: "10.77.0.20" });
		expect(await readFile(secret("administrator"), "utf8")).toBe(`${password}\n`);
		expect(await readFile(secret("join"), "utf8")).toBe("theirs\n");
	});
	const toThePlace: (readonly [RegExp, string])[] = [
		[/What it is to be \[none of these\]: $/, "2"],
		[/Domain, as ad.example.com: $/, "ad"],
		[/a realm is a domain name of two words[\s\S]*Domain, as ad.example.com: $/, "dc1.example.com"],
		[/the computer and its domain are both called dc1[\s\S]*Domain, as ad.example.com: $/, "ad.example.com"],
		[/Address \[10.77.0.10\]: $/, "10.78.0.10"],
		[/10.78.0.10 is outside segment office[\s\S]*Address \[10.77.0.10\]: $/, "10.77.0.1"],
		[/the sandbox's own address[\s\S]*Address \[10.77.0.10\]: $/, ""],
	];
	const asked = ["dc1", "--edition", "1", "--computer-name", "DC1", "--time-zone", "Europe/Berlin"];

	test("again for each slip, of passwords too, and keeps what was said before", async () => {
		const said = await createWith(
			[...asked, ...common()],
			[
				...toThePlace,
				[/Password of the new Administrator: $/, password],
				[/The same once more: $/, `${password}x`],
				[/the two passwords differ[\s\S]*Password of the new Administrator: $/, password],
				[/The same once more: $/, password],
				[/Password of Directory Services Restore Mode: $/, password],
				[
					/it is the Administrator's password[\s\S]*Password of Directory Services Restore Mode: $/,
					"Wint3r24",
				],
				[/The same once more: $/, "Wint3r24"],
			],
		);
		expect(said).toMatchObject({ code: 0, left: 0 });
		expect(await readFile(join(folder, "secrets/dc1-recovery"), "utf8")).toBe("Wint3r24\n");
	});
	test("three slips with a password are enough", async () => {
		const differing: (readonly [RegExp, string])[] = [
			[/Password of the new Administrator: $/, password],
			[/The same once more: $/, "another"],
		];
		const answers = [...toThePlace, ...differing, ...differing, ...differing];
		expect(await createWith([...asked, ...common()], answers)).toMatchObject({
			code: 1,
			left: 0,
			err: expect.stringMatching(/--password-file: the two passwords differ; nothing was changed/),
		});
		expect(await readdir(folder)).toEqual([]);
	});
	test("only for what that Windows can be, and for shares that can be made", async () => {
		daemon.answers.windowsIso = () => ({ ...medium, version: "windows-10" });
		const client = await createWith(
			[...asked, ...common()],
			[
				[/1 {2}none of these\n {2}2 {2}member of a domain\nWhat it is to be \[none of these\]: $/, "3"],
				[/choose by number, 1 to 2[\s\S]*: $/, "file server"],
				[/choose by number, 1 to 2[\s\S]*: $/, "controller of a new Active Directory domain"],
			],
		);
		expect(client).toMatchObject({ left: 0, code: 1 });
		daemon.answers.windowsIso = () => medium;
		const server = await createWith(
			[...asked, ...common()],
			[
				[/What it is to be/, "5"],
				[/Share, as Data=C:\\Data: $/, "Data"],
				[/"" is not a folder of the server[\s\S]*Share, as/, "Data=E:\\Data"],
				[/Address/, "10.77.0.30"],
				[/Password of/, password],
				[/once more/, password],
			],
		);
		expect(server).toMatchObject({ code: 0, left: 0 });
	});
	test("for the segment where there are several, and for no address that another has", async () => {
		await writeFile(
			siteFile,
			"name: shop\nsegments:\n  a: { subnet: 10.5.0.0/24 }\n  b: { subnet: 10.6.0.0/24 }\nservers:\n  w: { template: tiny, network: { segment: b, address: 10.6.0.10 } }\n",
		);
		const said = await createWith(
			[...asked, ...common()],
			[
				[/What it is to be/, ""],
				[/Segment \[a\]: $/, "b"],
				[/Address \[10.6.0.11\]: $/, "10.6.0.10"],
				[/10.6.0.10 is already the address of w[\s\S]*Address/, ""],
				[/Password of/, password],
				[/once more/, password],
			],
		);
		expect(said).toMatchObject({ code: 0, left: 0 });
		expect((await edited()).servers.dc1.network).toEqual({ segment: "b", address: "10.6.0.11" });
	});
	test("and a site file that is edited meanwhile stays as it is, without new passwords", async () => {
		const theirs = "name: shop\n";
		const { ask } = Terminal.prototype;
		const asked = vi.spyOn(Terminal.prototype, "ask").mockImplementation(async function (
			this: Terminal,
			...words
		) {
			await writeFile(siteFile, theirs);
			return await ask.apply(this, words);
		});
		const args = ["w", ...common(), "--edition", "1", "--computer-name", "W", "--address", "10.77.0.30"];
		const answers: (readonly [RegExp, string])[] = [
			[/Time zone/, "Europe/Berlin"],
			[/What it is to be/, ""],
			[/Password of/, password],
			[/once more/, password],
		];
		const refusal = { code: 1, left: 0, err: expect.stringContaining(`${siteFile} was changed meanwhile`) };
		// One that was not there is as little expected as other words in it.
		for (const before of [undefined, "name: office\nsegments:\n  office: { subnet: 10.77.0.0/24 }\n"]) {
			if (before === undefined) await rm(siteFile, { force: true });
			else await writeFile(siteFile, before);
			expect(await createWith(args, answers)).toMatchObject(refusal);
			expect(await readFile(siteFile, "utf8")).toBe(theirs);
			expect(await readdir(join(folder, "secrets"))).toEqual([]);
		}
		asked.mockRestore();
	});
	test("and when no answer will do, nothing is written", async () => {
		const zones = [/Time zone/, "Mars"] as const;
		const args = ["w", ...common(), "--edition", "1", "--computer-name", "W"];
		const said = await createWith(args, [zones, zones, zones]);
		expect(said).toMatchObject({
			code: 1,
			err: expect.stringMatching(/--time-zone: there was no answer that will do; nothing was changed/),
		});
		expect(await readdir(folder)).toEqual([]);
	});
});
