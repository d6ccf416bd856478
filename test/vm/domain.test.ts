import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parse, stringify } from "yaml";
import { DomainClient } from "../../bench/domain/client.ts";
import type { ServerDefinition, Site } from "../../src/api/site.ts";
import { instanceForTests, patience, report, tiny, until } from "./harness.ts";
import { askTime, type Computer, type ToldTime } from "./time-client.ts";

/** A real Active Directory domain in a session: Samba, in a Debian guest, and clients that no one here wrote. */
const bulkhead = instanceForTests();
const address = "10.89.0.10";
const realm = "ad.example.com";
const password = "Passw0rd-Adm1n";
const site: Site = {
	name: "office",
	segments: { lab: { subnet: "10.89.0.0/24", subnet6: "fd00:89::/64" } },
	servers: {
		dc1: {
			template: "debian-domain-controller",
			data: [{ name: "domain", size: "256MiB" }],
			network: { segment: "lab", address, address6: "fd00:89::10" },
			publish: [{ service: "active-directory", to: "host" }],
			recovery: { mode: "warm", budget: { attempts: 10, within: "10m" } },
		},
		other: { ...tiny("10.89.0.11", 0), publish: [], start: "manual" },
	},
};
const paths = bulkhead.paths.server("dc1");
let secrets: string;
let client: DomainClient;
/** A computer of the domain, and what its password is to those who sign with it: see Computer. */
const clock: Computer & { name: string; password: string } = {
	...{ name: "CLOCK1", password: "Cl0ck-Passw0rd", ntHash: "2ead3a6b6f934ec5a47c69cc14b897c2" },
	rid: 0,
};
/** Seconds. A guest that boots reads its clock to a second; one that wakes would be as late as its seal is old. */
const rightWithinS = 10;

beforeAll(async () => {
	secrets = await mkdtemp(join(tmpdir(), "bulkhead-secrets-"));
	for (const [name, text] of Object.entries({ right: password, weak: "short" }))
		await writeFile(join(secrets, name), `${text}\n`);
	client = await DomainClient.open({ realm, password, controllers: [address] });
	await bulkhead.apply(site);
});

afterAll(async () => {
	await client?.[Symbol.asyncDispose]();
	if (secrets) await rm(secrets, { recursive: true, force: true });
});

const create = async (server: string, name = realm, ...more: string[]) =>
	await bulkhead.command(
		...["domain", "create", server, "--realm", name, "--password-file", join(secrets, "right"), ...more],
	);

/** As clients do: they ask again. */
async function untilTold(server: string, computer?: Computer): Promise<ToldTime> {
	let told: ToldTime | undefined;
	const asked = async () => {
		told = await askTime(server, computer).catch(() => undefined);
		return told !== undefined;
	};
	await until(`the time of ${server}`, asked, patience.state);
	return told as unknown as ToldTime;
}

test("a controller without a domain is not started, and says what it waits for", async () => {
	const view = await bulkhead.show("dc1");
	expect(view).toMatchObject({ state: "stopped", session: null });
	expect(view.reason).toContain("bulkhead domain create dc1");
	const started = await bulkhead.command("start", "dc1");
	expect(started).toMatchObject({ code: 1, stderr: expect.stringContaining("dc1 has no domain yet") });
});

describe("what no domain can be made of is refused, and nothing is changed", () => {
	test.each<[string, () => string[], RegExp]>([
		["a realm of one word", () => ["dc1", "office"], /a domain name of two words or more/],
		["a short name that is the server's", () => ["dc1", realm, "--workgroup", "dc1"], /workgroup: .*DC1/],
		["a server of another kind", () => ["other"], /other is none that a domain can be made on/],
		["a server that is not there", () => ["dc7"], /no server dc7/],
		[
			"a weak password",
			() => ["dc1", realm, "--password-file", join(secrets, "weak")],
			/password: the password is too short. It should be equal or longer than 7 characters\n/,
		],
	])("%s", async (_, words, message) => {
		const disk = await stat(paths.disk("domain"));
		const [server = "", name, ...more] = words();
		const { code, stderr } = await create(server, name, ...more);
		expect(stderr).toMatch(message);
		expect(code).toBe(1);
		expect(await stat(paths.disk("domain"))).toMatchObject({ ino: disk.ino, mtimeMs: disk.mtimeMs });
		expect(existsSync(paths.making)).toBe(false);
		expect((await bulkhead.show("dc1")).state).toBe("stopped");
	});
});

describe("a domain", () => {
	beforeAll(async () => {
		const made = await create("dc1");
		expect(made.stderr).toBe("");
		expect(made.code).toBe(0);
		const { session } = await bulkhead.until("dc1", "running");
		report("a new controller", { coldMs: (session?.readyAt ?? 0) - (session?.startedAt ?? 0) });
	});

	test("is made once", async () => {
		const again = await create("dc1");
		expect(again).toMatchObject({ code: 1, stderr: expect.stringContaining("never made over another") });
		const forgotten = await bulkhead.command("domain", "forget", "dc1");
		expect(forgotten).toMatchObject({ code: 1, stderr: expect.stringContaining("was made by Bulkhead") });
	});

	test("knows its own addresses and no other", async () => {
		const said = await client.run(["host", client.fullName("dc1")]);
		expect(said.trim().split("\n").sort()).toEqual([
			`${client.fullName("dc1")} has IPv6 address fd00:89::10`,
			`${client.fullName("dc1")} has address ${address}`,
		]);
		expect(await client.run(["host", "-t", "SRV", `_kerberos._tcp.${realm}`])).toContain(" 88 dc1.");
		await expect(client.run(["host", "-t", "SRV", `_kerberos._udp.${realm}`])).rejects.toThrow(/code 1/);
	});

	test("takes logons by Kerberos, shows its directory by GSSAPI and TLS, and its files by SMB", async () => {
		await client.kinit("Administrator", password);
		await expect(client.kinit("Administrator", "Not-This-0ne")).rejects.toThrow(/Password incorrect/);
		await client.kinit("Administrator", password);
		const own = "(sAMAccountName=dc1$)";
		for (const how of ["kerberos", "tls"] as const)
			expect(await client.search("dc1", how, own, "servicePrincipalName")).toContain(
				`servicePrincipalName: ldap/${client.fullName("dc1")}`,
			);
		const listed = [
			"smbclient",
			"--use-kerberos=required",
			"-N",
			"-c",
			"ls",
			`//${client.fullName("dc1")}/sysvol`,
		];
		expect(await client.run(listed)).toContain(realm);
	});

	test("has users and groups, which are asked for and changed by the controller's own tools", async () => {
		const domain = async (...words: string[]) => await bulkhead.command("domain", ...words);
		// Each of them takes seconds under emulation.
		const weak = await domain("user", "add", "bob", "--password-file", join(secrets, "weak"));
		expect(weak).toMatchObject({ code: 1, stderr: expect.stringContaining("password is too short") });
		const added = await domain("user", "add", "bob", "--password-file", join(secrets, "right"));
		expect(added).toMatchObject({ code: 0, stdout: "Done, on dc1.\n" });
		await client.kinit("bob", password);
		expect((await domain("group", "add", "Domain Admins", "bob")).code).toBe(0);
		const members = JSON.parse((await domain("group", "list", "Domain Admins", "--json")).stdout);
		expect(members).toEqual({ names: ["Administrator", "bob"] });
	});

	test("tells the time to whoever asks, and to its computers signed by their own passwords", async () => {
		clock.rid = await client.addComputer("dc1", clock.name, clock.password);
		for (const own of [address, "fd00:89::10"]) {
			const told = await untilTold(own);
			report("the time", { aheadMs: told.aheadSeconds * 1000 });
			expect(told).toMatchObject({ stratum: 8, signed: null });
			expect(Math.abs(told.aheadSeconds)).toBeLessThan(rightWithinS);
		}
		expect(await untilTold(address, clock)).toMatchObject({ stratum: 8, signed: true });
		// Somebody who the domain does not know gets no answer, and keeps nobody else from theirs.
		await expect(askTime(address, { ...clock, rid: 999_999 })).rejects.toThrow();
		expect((await untilTold(address, clock)).signed).toBe(true);
	});

	test("keeps the Administrator's password where it is checked, and nowhere on the host", async () => {
		const texts = await Promise.all(
			["server.yaml", "record.json"].map((name) => readFile(join(paths.folder, name), "utf8")),
		);
		const events = JSON.stringify(await bulkhead.events());
		for (const text of [...texts, events, await readFile(bulkhead.log, "utf8")])
			expect(text).not.toContain(password);
		expect(await readdir(paths.disks)).toEqual(["domain.qcow2", "system.qcow2"]);
	});

	test(
		"goes on after a panic, from its seal, with the user that was added right before",
		async () => {
			// Two guests with Samba, emulated, on processors that other tests use too.
			const isSealed = async () => (await bulkhead.show("dc1")).warm?.seal === "ready";
			await until("the seal", isSealed, 2 * patience.test);
			const ready = await bulkhead.show("dc1");
			await client.addUser("dc1", "alice", "Al1ce-Passw0rd");
			await bulkhead.client.call("drill", { server: "dc1" }, { fault: "panic" });
			const next = await bulkhead.untilNext("dc1", ready.session?.number ?? 0);
			expect(next.from).toBe("seal");
			expect(await client.users("dc1")).toContain("alice");
			await client.kinit("alice", "Al1ce-Passw0rd");
			const told = await untilTold(address, clock);
			expect(told).toMatchObject({ stratum: 8, signed: true });
			expect(Math.abs(told.aheadSeconds)).toBeLessThan(rightWithinS);
			const [incident] = await bulkhead.incidents("dc1");
			report("a controller's panic", { outageMs: incident?.outageMs });
		},
		4 * patience.test,
	);
});

describe("a domain that was taken away", () => {
	test(
		"comes back with its disk, and no other is made over it",
		async () => {
			const away = join(secrets, "away");
			await mkdir(away);
			for (const words of [["stop"], ["export", "--to", join(away, "dc1.qcow2")], ["delete", "--yes"]]) {
				const [verb = "", ...options] = words;
				expect(await bulkhead.command(verb, "dc1", ...options)).toMatchObject({ code: 0 });
			}
			const { dc1, ...others } = site.servers as Record<string, ServerDefinition>;
			const disk = { name: "domain", size: "256MiB", image: join(away, "dc1-domain.qcow2") };
			await bulkhead.apply({ ...site, servers: { dc1: { ...dc1, data: [disk] }, ...others } });
			const again = await create("dc1");
			expect(again).toMatchObject({ code: 1, stderr: expect.stringContaining("came from an image") });
			await bulkhead.until("dc1", "running");
			// Its files are served a moment later than the rest.
			const use = async () => await bulkhead.command("domain", "use", "dc1", "--realm", realm);
			await until("its domain", async () => (await use()).code === 0, patience.state);
			expect((await bulkhead.show("dc1")).domain).toMatchObject({ realm: "AD.EXAMPLE.COM", origin: "made" });
			const users = await bulkhead.command("domain", "user", "list", "--json");
			expect(JSON.parse(users.stdout).names).toContain("alice");
			await client.kinit("bob", password);
		},
		4 * patience.test,
	);
});

describe("a domain that Bulkhead did not make", () => {
	const use = async (server: string, name = realm, ...more: string[]) =>
		await bulkhead.command("domain", "use", server, "--realm", name, ...more);
	const domainOf = async () => (await bulkhead.show("dc1")).domain;

	// What a server is that became a controller with its own tools: Bulkhead has heard of no domain.
	beforeAll(async () => {
		await bulkhead.endDaemon("SIGKILL");
		const file = join(paths.folder, "server.yaml");
		const stored = parse(await readFile(file, "utf8"));
		await writeFile(
			file,
			stringify({ ...stored, domain: null, installed: { ...stored.installed, domainDisk: null } }),
		);
		await bulkhead.startDaemon();
		await bulkhead.until("dc1", "running");
	});

	test("is refused where it is another, where nobody answers, and where nobody may ask", async () => {
		expect(await domainOf()).toBeNull();
		for (const [said, message] of [
			[
				use("dc1", "other.example.com"),
				/realm: dc1 is a controller of AD.EXAMPLE.COM, not of OTHER.EXAMPLE.COM/,
			],
			[use("dc1", realm, "--workgroup", "corp"), /workgroup: dc1 calls its domain AD, not CORP/],
			[
				use("other"),
				/other is not let out to this host, .*: bulkhead publish other active-directory --to host/,
			],
			[bulkhead.command("domain", "forget", "dc1"), /dc1 is the controller of no domain/],
		] as const) {
			const { code, stderr } = await said;
			expect(stderr).toMatch(message);
			expect(code).toBe(1);
		}
		// Let out when it runs: from its start on it would be waited for.
		await bulkhead.command("start", "other");
		await bulkhead.until("other", "running");
		expect((await bulkhead.command("publish", "other", "active-directory", "--to", "host")).code).toBe(0);
		const silent = await use("other");
		expect(silent.stderr).toMatch(/other: 10\.89\.0\.11 does not answer dns \(53\), kerberos \(88\), ldap/);
		expect(silent.code).toBe(1);
		expect(await domainOf()).toBeNull();
		expect(existsSync(paths.making)).toBe(false);
	});

	test("is taken as it is, managed with its own tools, and keeps its address", async () => {
		const used = await use("dc1");
		expect(used).toMatchObject({ code: 0, stderr: "" });
		expect(used.stdout).toContain(`bulkhead domain join AD.EXAMPLE.COM --controller ${address}`);
		const found = { realm: "AD.EXAMPLE.COM", workgroup: "AD", controllers: ["dc1"], origin: "found" };
		expect(await domainOf()).toMatchObject(found);
		expect((await bulkhead.command("show", "dc1")).stdout).toContain("managed with its own tools");
		const users = await bulkhead.command("domain", "user", "list");
		expect(users.stderr).toMatch(
			/AD.EXAMPLE.COM was not made by Bulkhead: dc1 is managed with its own tools/,
		);
		expect(users.code).toBe(1);
		const { dc1, other } = site.servers as Record<"dc1" | "other", ServerDefinition>;
		const moved = { ...dc1, network: { segment: "lab", address: "10.89.0.20", address6: "fd00:89::10" } };
		const said = {
			field: "servers.dc1.network.address",
			message: expect.stringContaining("cannot be changed"),
		};
		await expect(bulkhead.apply({ ...site, servers: { dc1: moved, other } })).rejects.toMatchObject({
			problems: expect.arrayContaining([expect.objectContaining(said)]),
		});
		// Also with another daemon, and told twice.
		await bulkhead.endDaemon("SIGKILL");
		await bulkhead.startDaemon();
		expect(await domainOf()).toMatchObject(found);
		expect((await use("dc1", realm.toUpperCase(), "--workgroup", "ad")).code).toBe(0);
		expect(await domainOf()).toMatchObject(found);
	});

	test("is forgotten, and nothing in the server has changed", async () => {
		const { session } = await bulkhead.show("dc1");
		const forgotten = await bulkhead.command("domain", "forget", "dc1");
		expect(forgotten).toMatchObject({ code: 0, stderr: "" });
		expect(await domainOf()).toBeNull();
		expect((await bulkhead.show("dc1")).session?.number).toBe(session?.number);
		await client.kinit("Administrator", password);
	});
});
