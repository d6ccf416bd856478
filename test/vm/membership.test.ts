import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdtemp, readdir, readFile, readlink, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { installFor } from "../../bench/packages.ts";
import type { DomainView } from "../../src/api/domain.ts";
import { asMember, viewCommand } from "../../src/directory/member/view.ts";
import { winbindProcess } from "../../src/directory/member/winbind.ts";
import { ControlGroup, detectGroupSupport } from "../../src/host/cgroup.ts";
import { CommandError, run } from "../../src/host/command.ts";
import { isAlive } from "../../src/host/process.ts";
import { Controller } from "./controller.ts";
import { instanceForTests, patience, report, until } from "./harness.ts";

/** The host, which a namespace stands for, as a member of a domain whose controller is a real one, Samba's. */
const tag = `bhd${process.pid}`;
const [host, dc, stranger] = [`${tag}host`, `${tag}dc`, `${tag}other`];
const address = "10.99.0.10";
let controller: Controller;
/** Of another domain. */
const otherAddress = "10.99.9.10";
let other: Controller;
let secrets: string;

const ip = async (...args: string[]) => (await run("ip", args, { deadlineMs: 10_000 })).stdout;

// Before the daemon, which begins in it.
beforeAll(async () => {
	await installFor(
		[
			"/usr/sbin/samba",
			"/usr/sbin/winbindd",
			"/usr/share/samba/setup/provision.ldif",
			"/usr/lib/x86_64-linux-gnu/samba/vfs/acl_xattr.so",
			"/usr/bin/tdbtool",
		],
		["samba", "winbind", "samba-ad-provision", "samba-dsdb-modules", "samba-vfs-modules", "tdb-tools"],
	);
	for (const name of [host, dc, stranger]) {
		await ip("netns", "add", name);
		await ip("-n", name, "link", "set", "lo", "up");
	}
	for (const [name, cable, mine, theirs] of [
		[dc, "dc", "10.99.0.1", address],
		[stranger, "other", "10.99.9.1", otherAddress],
	] as const) {
		await ip("-n", host, "link", "add", cable, "type", "veth", "peer", "name", "eth0", "netns", name);
		await ip("-n", host, "addr", "add", `${mine}/24`, "dev", cable);
		await ip("-n", name, "addr", "add", `${theirs}/24`, "dev", "eth0");
		await ip("-n", host, "link", "set", cable, "up");
		await ip("-n", name, "link", "set", "eth0", "up");
	}
	other = await Controller.provision(stranger, otherAddress, "OTHER.EXAMPLE.ORG");
	controller = await Controller.provision(dc, address);
	await controller.start();
	await controller.tool("user", "create", "alice", "Al1ce-Passw0rd");
	secrets = await mkdtemp(join(tmpdir(), "bulkhead-secrets-"));
	for (const [name, text] of Object.entries({ right: controller.password, wrong: "Not-This-0ne" }))
		await writeFile(join(secrets, name), `${text}\n`);
});

const bulkhead = instanceForTests(undefined, host, async () => {
	for (const one of [controller, other]) await one?.[Symbol.asyncDispose]();
	if (secrets) await rm(secrets, { recursive: true, force: true });
	for (const name of [host, dc, stranger]) await ip("netns", "del", name);
});
const { client } = bulkhead;
const folder = bulkhead.paths.domain;

const domain = async (...words: string[]) => await bulkhead.command("domain", ...words);
const right = () => ["--password-file", join(secrets, "right")];
const joinAs = async (name: string, ...more: string[]) =>
	await domain("join", "ad.example.com", "--controller", address, ...right(), "--name", name, ...more);
const leave = async () => await domain("leave", "--user", "Administrator", ...right());
const computers = async () => (await controller.tool("computer", "list")).trim().split("\n").sort();

async function untilIs(state: DomainView["state"]): Promise<DomainView> {
	let view: DomainView | null = null;
	const reached = async () => {
		({ domain: view } = await client.call("domain", {}, null, { deadlineMs: 60_000 }));
		return view?.state === state && (state === "offline" || view.trusted === true);
	};
	await until(`the membership ${state}`, reached, patience.state, () => JSON.stringify(view));
	return view as unknown as DomainView;
}

/** @returns whether a user of the domain gets in, and how long that takes */
async function logon(user: string, password: string): Promise<{ ok: boolean; ms: number }> {
	const began = performance.now();
	const said = asMember(folder, ["wbinfo", `--pam-logon=AD\\${user}%${password}`], { deadlineMs: 60_000 });
	const ok = await said.then(
		() => true,
		(error: unknown) => {
			if (error instanceof CommandError && error.code === 1) return false;
			throw error;
		},
	);
	return { ok, ms: Math.round(performance.now() - began) };
}

/** Every file of the host that a membership could change, with its content. */
async function hostFiles(): Promise<string[]> {
	const all = ["/etc", "/var/lib/samba", "/var/cache/samba", "/run/samba"].map(async (root) => {
		const entries = existsSync(root) ? await readdir(root, { recursive: true, withFileTypes: true }) : [];
		return await Promise.all(
			entries.map(async (entry) => {
				const path = join(entry.parentPath, entry.name);
				if (entry.isSymbolicLink()) return `${path} -> ${await readlink(path)}`;
				if (!entry.isFile()) return path;
				return `${path} ${createHash("sha256")
					.update(await readFile(path))
					.digest("hex")}`;
			}),
		);
	});
	return (await Promise.all(all)).flat().sort();
}

describe("what cannot be joined is refused, and nothing is left", () => {
	const wrong = () => ["--password-file", join(secrets, "wrong")];
	const named = (...words: string[]) => [
		...["ad.example.com", "--controller", address, ...right(), "--name", ...words],
	];
	beforeAll(async () => void (await controller.tool("computer", "create", "DESK7")));
	afterAll(async () => void (await controller.tool("computer", "delete", "DESK7")));
	test.each<[string, () => string[], RegExp]>([
		[
			"a wrong password",
			() => ["ad.example.com", "--controller", address, ...wrong()],
			/password: it is not Administrator's/,
		],
		[
			"somebody whom the domain does not know",
			() => ["ad.example.com", "--controller", address, "--user", "nobody", ...right()],
			/user: the domain knows no nobody/,
		],
		[
			"another realm",
			() => ["other.example.com", "--controller", address, ...right()],
			/realm: 10.99.0.10 serves AD.EXAMPLE.COM/,
		],
		[
			"a realm that is none",
			() => ["ad", "--controller", address, ...right()],
			/realm: a realm is a domain name/,
		],
		[
			"a controller that is silent",
			() => ["ad.example.com", "--controller", "10.99.0.11", ...right()],
			/10.99.0.11 does not answer dns \(53\)/,
		],
		["an address that is none", () => ["ad.example.com", "--controller", "dc1", ...right()], /controllers/],
		["a name that is taken", () => named("desk7"), /has a computer DESK7 already; .*--replace/],
		["a controller's name", () => named("dc1"), /name: DC1 is one of the domain's controllers, .*--name$/m],
		[
			"a controller's account, to be taken over",
			() => named("dc1", "--replace"),
			/name: DC1 is one of the domain's controllers/,
		],
		["the domain's short name", () => named("ad"), /name: .* called AD, as its domain is for short/],
	])("%s", async (_, words, why) => {
		const { code, stderr } = await domain("join", ...words());
		expect(stderr).toMatch(why);
		expect(code).toBe(1);
		expect((await readdir(bulkhead.state)).filter((name) => name.startsWith("domain"))).toEqual([]);
		expect(await computers()).toEqual(["DC1$", "DESK7$"]);
	});
});

describe("a member", () => {
	let before: string[];
	beforeAll(async () => {
		before = await hostFiles();
	});

	test("is joined with nothing of the host's own files changed, and is told to be in order", async () => {
		const joined = await joinAs("host1");
		expect(joined.stderr).toBe("");
		expect(joined.code).toBe(0);
		expect(await hostFiles()).toEqual(before);
		expect(await computers()).toEqual(["DC1$", "HOST1$"]);
		const view = await untilIs("online");
		expect(view).toMatchObject({ realm: "AD.EXAMPLE.COM", workgroup: "AD", name: "HOST1", trouble: null });
		expect(view.controllers).toEqual([{ address, answers: ["dns", "kerberos", "ldap", "smb"] }]);
		expect(view.passwordChangedAt).not.toBeNull();
		const testJoin = ["net", "ads", "testjoin", "-P", "--configfile=/domain/etc/smb.conf"];
		const words = [`--net=/run/netns/${host}`, ...viewCommand(folder, testJoin)];
		expect((await run("nsenter", words, { deadlineMs: 20_000 })).stdout).toContain("Join is OK");
		const again = await joinAs("host1");
		expect(again).toMatchObject({
			code: 1,
			stderr: expect.stringContaining("is a member of AD.EXAMPLE.COM; leave that first"),
		});
	});

	test("lets its users in while the controller is away, and nobody with a wrong password", async () => {
		expect((await logon("alice", "Al1ce-Passw0rd")).ok).toBe(true);
		await controller.kill();
		const view = await untilIs("offline");
		expect(view).toMatchObject({ trusted: null, controllers: [{ address, answers: [] }] });
		// Whoever comes in the first moment still waits for the controller, some seconds.
		expect((await logon("alice", "Al1ce-Passw0rd")).ok).toBe(true);
		const cached = await logon("alice", "Al1ce-Passw0rd");
		expect(cached.ok).toBe(true);
		expect((await logon("alice", "Not-This-0ne")).ok).toBe(false);
		report("cached logon", cached);
		await controller.start();
		await untilIs("online");
		expect((await logon("alice", "Al1ce-Passw0rd")).ok).toBe(true);
		const told = (await bulkhead.events()).map(({ text }) => text);
		expect(told).toContain("No controller of AD.EXAMPLE.COM answers; who logged in here before still can");
		expect(told).toContain("A controller of AD.EXAMPLE.COM answers again");
	});

	test("outlives the daemon, and winbindd is begun again when it ends", async () => {
		const first = await winbindProcess(folder);
		await bulkhead.endDaemon("SIGKILL");
		expect((await logon("alice", "Al1ce-Passw0rd")).ok).toBe(true);
		await bulkhead.startDaemon();
		await untilIs("online");
		expect(await winbindProcess(folder)).toEqual(first);
		process.kill(first?.pid ?? 0, "SIGKILL");
		const isAnother = async () => {
			const now = await winbindProcess(folder);
			return now !== undefined && now.pid !== first?.pid;
		};
		await until("another winbindd", isAnother, 30_000);
		await untilIs("online");
		expect((await logon("alice", "Al1ce-Passw0rd")).ok).toBe(true);
	});

	test("has its password changed when it is old, and stays a member", async () => {
		const changedAt = async () => (await untilIs("online")).passwordChangedAt ?? 0;
		const joinedAt = await changedAt();
		await bulkhead.endDaemon("SIGKILL");
		// Where it is kept when it was changed: seconds since 1970, 32 bits.
		const old = new Uint8Array(new Uint32Array([Math.floor(joinedAt / 1000) - 31 * 86_400]).buffer);
		const bytes = [...old].map((byte) => `\\${byte.toString(16).padStart(2, "0")}`).join("");
		const key = "SECRETS/MACHINE_LAST_CHANGE_TIME/AD";
		const secretsFile = join(folder, "private/secrets.tdb");
		await run("tdbtool", [secretsFile, "store", key, bytes], { deadlineMs: 10_000 });
		await bulkhead.startDaemon();
		await until("another password", async () => (await changedAt()) >= joinedAt, patience.state);
		expect(await untilIs("online")).toMatchObject({ trusted: true, trouble: null });
		expect((await logon("alice", "Al1ce-Passw0rd")).ok).toBe(true);
		const told = (await bulkhead.events()).map(({ text }) => text);
		expect(told).toContain("This host has a new password in AD.EXAMPLE.COM, as each month");
		// Of a user's ticket winbindd makes sure with the keytab.
		const ticket = ["wbinfo", "--krb5ccname=MEMORY:", "--krb5auth=AD\\alice%Al1ce-Passw0rd"];
		await until(
			"a logon by Kerberos",
			async () => (await asMember(folder, ticket, { deadlineMs: 60_000 }).catch(() => null)) !== null,
			patience.state,
		);
	});

	test("leaves and joins again, each time without a trace", async () => {
		for (let i = 0; i < 2; i++) {
			const running = await winbindProcess(folder);
			expect(running && isAlive(running)).toBe(true);
			expect(await leave()).toMatchObject({ code: 0, stderr: "" });
			expect(existsSync(folder)).toBe(false);
			expect(running && isAlive(running)).toBe(false);
			const group = ControlGroup.at(`bulkhead-${bulkhead.tag}-domain`, detectGroupSupport());
			expect(group.folders.filter((path) => existsSync(path))).toEqual([]);
			expect(await computers()).toEqual(["DC1$"]);
			expect(await hostFiles()).toEqual(before);
			expect((await joinAs("host1")).code).toBe(0);
		}
	});

	test("that was leaving when the daemon was killed has left when the next one begins", async () => {
		const running = await winbindProcess(folder);
		await bulkhead.endDaemon("SIGKILL");
		// As it is when the domain has just forgotten the host.
		const told = { realm: "AD.EXAMPLE.COM", name: "HOST1", left: null };
		await writeFile(join(folder, "leaving.json"), JSON.stringify(told));
		await bulkhead.startDaemon();
		expect((await client.call("domain", {}, null)).domain).toBeNull();
		expect((await readdir(bulkhead.state)).filter((name) => name.startsWith("domain"))).toEqual([]);
		expect(running && isAlive(running)).toBe(false);
		expect(await hostFiles()).toEqual(before);
		expect((await bulkhead.events()).at(-1)?.text).toBe("This host has left AD.EXAMPLE.COM");
		expect((await joinAs("host1", "--replace")).code).toBe(0);
		await untilIs("online");
	});

	test("does not leave with a wrong password", async () => {
		const refused = await domain(
			"leave",
			"--user",
			"Administrator",
			"--password-file",
			join(secrets, "wrong"),
		);
		expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining("it is not Administrator's") });
		await untilIs("online");
	});

	test("leaves with the controller gone, and says what is left there; that account can be taken over", async () => {
		await controller.kill();
		const left = await domain("leave", "--user", "Administrator", ...right());
		expect(left).toMatchObject({
			code: 0,
			stdout: expect.stringContaining("the account HOST1 is left in AD.EXAMPLE.COM"),
		});
		expect(existsSync(folder)).toBe(false);
		expect(await hostFiles()).toEqual(before);
		await controller.start();
		expect((await joinAs("host1")).stderr).toContain("has a computer HOST1 already");
		expect((await joinAs("host1", "--replace")).code).toBe(0);
		await untilIs("online");
		expect((await leave()).code).toBe(0);
	});

	test("whose record cannot be read says so, and is a member again when it was put right", async () => {
		expect((await joinAs("host1")).code).toBe(0);
		const file = join(folder, "member.json");
		const text = await readFile(file, "utf8");
		await bulkhead.endDaemon("SIGKILL");
		await writeFile(file, text.replace("HOST1", "").slice(0, -20));
		await bulkhead.startDaemon();
		const why = /member\.json \(.*\); put it right, or .*: bulkhead domain leave/;
		for (const said of [await domain("status"), await joinAs("host1"), await leave()])
			expect(said).toMatchObject({ code: 1, stdout: "", stderr: expect.stringMatching(why) });
		expect(await computers()).toEqual(["DC1$", "HOST1$"]);
		await writeFile(file, text);
		await until("it read", async () => (await domain("status")).code === 0, 10_000);
		await untilIs("online");
		const told = (await bulkhead.events()).filter((one) => why.test(one.text));
		expect(told).toHaveLength(1);
	});

	test("whose record is lost can leave on the host alone", async () => {
		const running = await winbindProcess(folder);
		expect(running && isAlive(running)).toBe(true);
		await bulkhead.endDaemon("SIGKILL");
		await rm(join(folder, "member.json"));
		await bulkhead.startDaemon();
		expect((await domain("status")).stderr).toContain("member.json (it is missing)");
		expect(await domain("leave")).toMatchObject({
			code: 0,
			stdout: expect.stringContaining("the host's account is left in the domain"),
		});
		expect(existsSync(folder)).toBe(false);
		expect(running && isAlive(running)).toBe(false);
		expect((await domain("status")).stdout).toContain("a member of no domain");
		await controller.tool("computer", "delete", "HOST1");
	});

	test("of a domain with four controllers asks for names at those that answer", async () => {
		const silent = ["10.99.0.11", "10.99.0.12", "10.99.0.13"];
		const all = ["--controller", ...silent, address];
		const joined = await domain("join", "ad.example.com", ...all, ...right(), "--name", "host1");
		expect(joined).toMatchObject({ code: 0, stderr: "" });
		expect(joined.stdout).toContain(`${silent.join(", ")} do not answer: whether`);
		const resolver = join(folder, "etc/resolv.conf");
		const first = `nameserver ${address}\n`;
		expect((await readFile(resolver, "utf8")).startsWith(first)).toBe(true);
		await untilIs("online");
		expect((await logon("alice", "Al1ce-Passw0rd")).ok).toBe(true);
		await writeFile(resolver, `nameserver ${silent[0]}\n`);
		await until("another one", async () => (await readFile(resolver, "utf8")).startsWith(first), 10_000);
		expect((await leave()).code).toBe(0);
	});

	test("is told of a controller of another domain, which counts for nothing", async () => {
		const both = ["--controller", address, otherAddress, ...right(), "--name", "host1"];
		await other.start();
		// With and without the one that is the domain's.
		for (const [realm, why] of [
			["ad.example.com", /controllers: 10.99.9.10 serves OTHER.EXAMPLE.ORG, not AD.EXAMPLE.COM/],
			["third.example.com", /realm: 10.99.0.10 serves AD.EXAMPLE.COM, not/],
		] as const)
			expect(await domain("join", realm, ...both)).toMatchObject({
				code: 1,
				stderr: expect.stringMatching(why),
			});
		expect(await computers()).toEqual(["DC1$"]);
		// It was silent when the host joined.
		await other.kill();
		const joined = await domain("join", "ad.example.com", ...both);
		expect(joined).toMatchObject({ code: 0, stderr: "" });
		expect(joined.stdout).toContain(
			`${otherAddress} does not answer: whether that is a controller of AD.EXAMPLE.COM is seen`,
		);
		await untilIs("online");
		await other.start();
		const said = async () => (await client.call("domain", {}, null, { deadlineMs: 60_000 })).domain;
		const isTold = async () => /10.99.9.10 serves OTHER.EXAMPLE.ORG/.test((await said())?.trouble ?? "");
		await until("that told", isTold, 30_000);
		expect((await said())?.state).toBe("online");
		await controller.kill();
		const view = await untilIs("offline");
		expect(view.controllers.every(({ answers }) => answers.length === 0)).toBe(true);
		await controller.start();
		await untilIs("online");
		expect((await logon("alice", "Al1ce-Passw0rd")).ok).toBe(true);
		// Nobody's password is for another domain's.
		await controller.kill();
		expect(await leave()).toMatchObject({
			code: 0,
			stdout: expect.stringContaining("the account HOST1 is left in AD.EXAMPLE.COM (no controller answers)"),
		});
		await controller.start();
		await controller.tool("computer", "delete", "HOST1");
		await other.kill();
	});

	test("that was half made when the daemon was killed is undone, and told of", async () => {
		const making = `${folder}.making`;
		const joining = joinAs("host2");
		await until("the join begun", async () => existsSync(join(making, "member.json")), 30_000);
		await bulkhead.endDaemon("SIGKILL");
		expect((await joining).code).toBe(1);
		await bulkhead.startDaemon();
		await until("the mark gone", async () => !existsSync(making), 10_000);
		expect((await client.call("domain", {}, null)).domain).toBeNull();
		const told = (await bulkhead.events()).map(({ text }) => text);
		expect(told).toContainEqual(
			expect.stringMatching(
				/an account HOST2 may be left there; .*\(10.99.0.10\): samba-tool computer delete HOST2/,
			),
		);
	});
});
