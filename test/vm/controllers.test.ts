import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { DomainClient } from "../../bench/domain/client.ts";
import type { ServerDefinition, Site } from "../../src/api/site.ts";
import { instanceForTests, patience, report, until } from "./harness.ts";

/** A domain with two controllers, each a server of its own: real Samba in real guests, which replicate. */
const bulkhead = instanceForTests();
const realm = "ad.example.com";
const password = "Passw0rd-Adm1n";
const addresses = { dc1: "10.90.0.10", dc2: "10.90.0.11" } as const;
type Name = keyof typeof addresses;

const controller = (name: Name, ...allowed: Name[]): ServerDefinition => ({
	template: "debian-domain-controller",
	data: [{ name: "domain", size: "256MiB" }],
	network: { segment: "lab", address: addresses[name], address6: `fd00:90::${addresses[name].slice(-2)}` },
	allow: allowed.map((from) => ({ from, service: "active-directory" })),
	publish: [{ service: "active-directory", to: "host" }],
	recovery: { mode: "cold", budget: { attempts: 10, within: "10m" } },
});
const site = (first: Name[], second: Name[]): Site => ({
	name: "office",
	segments: { lab: { subnet: "10.90.0.0/24", subnet6: "fd00:90::/64" } },
	servers: { dc1: controller("dc1", ...first), dc2: controller("dc2", ...second) },
});
let secrets: string;
let client: DomainClient;

beforeAll(async () => {
	secrets = await mkdtemp(join(tmpdir(), "bulkhead-secrets-"));
	await writeFile(join(secrets, "right"), `${password}\n`);
	client = await DomainClient.open({ realm, password, controllers: Object.values(addresses) });
	await bulkhead.apply(site(["dc2"], []));
});

afterAll(async () => {
	await client?.[Symbol.asyncDispose]();
	if (secrets) await rm(secrets, { recursive: true, force: true });
});

const create = async (...servers: string[]) =>
	await bulkhead.command(
		...["domain", "create", ...servers, "--realm", realm, "--password-file", join(secrets, "right")],
	);
const replicates = async (name: Name) => {
	const { code, stdout } = await bulkhead.command("domain", "replication", "--on", name);
	return code === 0 && stdout.includes("ALL GOOD");
};
const knows = async (name: Name, user: string) => (await client.users(name)).includes(user);

test("what could not replicate is refused, and neither server is changed", async () => {
	const twice = await create("dc1", "dc1");
	expect(twice).toMatchObject({ code: 1, stderr: expect.stringContaining("dc1 is named twice") });
	const apart = await create("dc1", "dc2");
	expect(apart.stderr).toMatch(
		/servers\.dc2\.allow: dc1 has to reach it.*add \{ from: dc1, service: active-directory \}/s,
	);
	expect(apart.code).toBe(1);
	for (const name of ["dc1", "dc2"]) expect((await bulkhead.show(name)).domain).toBeNull();
});

test(
	"two servers are made the controllers of one domain, and know the same",
	async () => {
		await bulkhead.apply(site(["dc2"], ["dc1"]));
		expect(await create("dc1", "dc2")).toMatchObject({ code: 0, stderr: "" });
		for (const name of ["dc1", "dc2"] as const) {
			await bulkhead.until(name, "running");
			expect((await bulkhead.show(name)).domain?.controllers).toEqual(["dc1", "dc2"]);
			const said = await client.run(["host", client.fullName(name)]);
			expect(said.trim().split("\n").sort()).toEqual([
				`${client.fullName(name)} has IPv6 address fd00:90::${addresses[name].slice(-2)}`,
				`${client.fullName(name)} has address ${addresses[name]}`,
			]);
		}
		for (const service of ["_ldap._tcp", "_kerberos._tcp", "_kerberos._tcp.dc._msdcs"]) {
			const found = await client.run(["host", "-t", "SRV", `${service}.${realm}`]);
			for (const name of ["dc1", "dc2"]) expect(found).toContain(` ${name}.${realm}.`);
		}
		await expect(client.run(["host", "-t", "SRV", `_kerberos._udp.${realm}`])).rejects.toThrow(/code 1/);
		await client.addUser("dc1", "alice", "Al1ce-Passw0rd");
		await client.addUser("dc2", "bob", "B0b-Passw0rd");
		await until("alice on the other", async () => await knows("dc2", "alice"), patience.test);
		await until("bob on the other", async () => await knows("dc1", "bob"), patience.test);
	},
	4 * patience.test,
);

test(
	"while the first one starts again, the other answers whoever comes, and both know what happened meanwhile",
	async () => {
		const [gone, other] = ["dc1", "dc2"] as const;
		const { session } = await bulkhead.show(gone);
		const user = `during-${gone}`;
		await bulkhead.client.call("drill", { server: gone }, { fault: "panic" });
		const refused = async () =>
			await client.run(["bash", "-c", `: <> /dev/tcp/${addresses[gone]}/389`]).then(
				() => false,
				(error: Error) => error.message.includes("refused"),
			);
		await until("it yields", refused, patience.test);
		const share = async () => {
			const now = (await bulkhead.show(gone)).session?.number;
			return now === undefined || now === session?.number ? 0 : await bulkhead.shareOf(gone, now);
		};
		await until("a small share", async () => [5, undefined].includes(await share()), patience.test);
		const from = performance.now();
		// The failed one is asked first.
		const hosts = [gone, other].map((name) => `ldap://${client.fullName(name)}`).join(" ");
		await client.run(["ldapsearch", "-x", "-LLL", "-H", hosts, "-s", "base", "-b", ""]);
		const ldapMs = performance.now() - from;
		expect((await bulkhead.show(gone)).state, "still away").not.toBe("running");
		await client.kinit("alice", "Al1ce-Passw0rd");
		const kerberosMs = performance.now() - from - ldapMs;
		await client.addUser(other, user, "Al1ce-Passw0rd");
		report(`without ${gone}`, { kerberosMs, ldapMs });
		await bulkhead.untilNext(gone, session?.number ?? 0);
		await until("its own share", async () => [50, undefined].includes(await share()), patience.test);
		await until(
			"it knows what happened meanwhile",
			async () => await knows(gone, user).catch(() => false),
			patience.test,
		);
		for (const name of ["dc1", "dc2"] as const)
			await until(`${name} replicates`, async () => await replicates(name), 2 * patience.test);
	},
	6 * patience.test,
);

test(
	"what does not replicate is told in the tool's own words, and ends with 1",
	async () => {
		expect(await bulkhead.command("stop", "dc2", "--force")).toMatchObject({ code: 0 });
		// What happens here is told to the other at once, which fails.
		await client.addUser("dc1", "while-alone", "Al1ce-Passw0rd");
		const asked = async (...more: string[]) =>
			await bulkhead.command("domain", "replication", "--on", "dc1", ...more);
		const failed = async () => (await asked()).code === 1;
		await until("it fails to replicate", failed, 2 * patience.test);
		const { code, stdout, stderr } = await asked();
		expect(code).toBe(1);
		expect(stdout).toMatch(/^There are failing connections\n.*\n {4}[1-9]\d* consecutive failure\(s\)\.\n/s);
		expect(stderr).toContain("dc1: something did not replicate");
		const json = await asked("--json");
		expect(json).toMatchObject({ code: 1, stderr: "" });
		expect(JSON.parse(json.stdout)).toMatchObject({ server: "dc1", ok: false });
	},
	6 * patience.test,
);

test("of one that is deleted it is told what stays of it, and the other does not wait for it any more", async () => {
	const left =
		/dc2 stays a controller of AD\.EXAMPLE\.COM to dc1, .*samba-tool domain demote --remove-other-dead-server=dc2 -H ldap:\/\/dc1\.ad\.example\.com/;
	const asked = await bulkhead.command("delete", "dc2");
	expect(asked).toMatchObject({ code: 1, stderr: expect.stringContaining("a controller of AD.EXAMPLE.COM") });
	expect(asked.stdout).toMatch(left);
	const without = JSON.stringify({ ...site([], []), servers: { dc1: controller("dc1") } });
	const { changes } = await bulkhead.client.call("plan", {}, { text: without });
	expect(changes.map((one) => one.left)).toEqual([null, expect.stringMatching(left)]);
	const deleted = await bulkhead.command("delete", "dc2", "--yes");
	expect(deleted).toMatchObject({ code: 0, stdout: expect.stringMatching(left) });
	expect((await bulkhead.show("dc1")).domain?.controllers).toEqual(["dc1"]);
	expect((await bulkhead.events()).map(({ text }) => text)).toContainEqual(expect.stringMatching(left));
	// Also to the next daemon.
	await bulkhead.endDaemon("SIGKILL");
	await bulkhead.startDaemon();
	expect((await bulkhead.show("dc1")).domain?.controllers).toEqual(["dc1"]);
});
