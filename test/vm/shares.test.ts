import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { existsSync } from "node:fs";
import {
	mkdir,
	mkdtemp,
	readdir,
	readFile,
	readlink,
	rename,
	rm,
	stat,
	symlink,
	writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { setTimeout as delay } from "node:timers/promises";
import { beforeAll, expect, test } from "vitest";
import { installFor } from "../../bench/packages.ts";
import type { AddShareBody } from "../../src/api/share.ts";
import { shareView, smbdProcess } from "../../src/directory/member/shares/smbd.ts";
import { viewCommand } from "../../src/directory/member/view.ts";
import { winbindProcess } from "../../src/directory/member/winbind.ts";
import { ControlGroup, detectGroupSupport } from "../../src/host/cgroup.ts";
import { CommandError, run } from "../../src/host/command.ts";
import { withoutSetId } from "../../src/host/set-id.ts";
import { Controller } from "./controller.ts";
import { instanceForTests, patience, report, until } from "./harness.ts";

/** Users of a domain reach folders of a host that is a member of it, from a machine of their own. */
const tag = `bhs${process.pid}`;
const [host, dc, desk] = [`${tag}host`, `${tag}dc`, `${tag}desk`];
const addresses = { dc: "10.99.2.10", host: "10.99.3.1", desk: "10.99.3.20" } as const;
const passwords = { alice: "Al1ce-Passw0rd", bob: "B0bby-Passw0rd", carol: "Car0l-Passw0rd" } as const;
type User = keyof typeof passwords;
let controller: Controller;
let files: ChildProcess;
/** The desk's own files, and the folders that are shared. */
let folder: string;
const ip = async (...args: string[]) => await run("ip", args, { deadlineMs: 10_000 });

beforeAll(async () => {
	await installFor(
		[
			"/usr/sbin/samba",
			"/usr/sbin/winbindd",
			"/usr/share/samba/setup/provision.ldif",
			"/usr/lib/x86_64-linux-gnu/samba/vfs/acl_xattr.so",
			"/usr/bin/smbclient",
			"/usr/bin/kinit",
		],
		[
			...["samba", "winbind", "samba-ad-provision", "samba-dsdb-modules", "samba-vfs-modules"],
			...["smbclient", "krb5-user"],
		],
	);
	for (const name of [host, dc, desk]) {
		await ip("netns", "add", name);
		await ip("-n", name, "link", "set", "lo", "up");
	}
	for (const [name, mine, theirs] of [
		[dc, "10.99.2.1", addresses.dc],
		[desk, addresses.host, addresses.desk],
	] as const) {
		const cable = name === dc ? "dc" : "lan";
		await ip("-n", host, "link", "add", cable, "type", "veth", "peer", "name", "eth0", "netns", name);
		await ip("-n", host, "addr", "add", `${mine}/24`, "dev", cable);
		await ip("-n", name, "addr", "add", `${theirs}/24`, "dev", "eth0");
		await ip("-n", host, "link", "set", cable, "up");
		await ip("-n", name, "link", "set", "eth0", "up");
		await ip("-n", name, "route", "add", "default", "via", mine);
	}
	await ip("netns", "exec", host, "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward");
	folder = await mkdtemp(join(tmpdir(), "bulkhead-shares-"));
	for (const name of ["host", "desk", "docs", "plans"]) await mkdir(join(folder, name));
	const script = join(import.meta.dirname, "shares-host.sh");
	files = spawn("unshare", ["--mount", "sh", script, join(folder, "host")], { stdio: "ignore" });
	const isReady = async () => existsSync(`/proc/${files.pid}/root${folder}/host/ready`);
	await until("the host's files", isReady, 300_000);
	bulkhead.files = files.pid;
	controller = await Controller.provision(dc, addresses.dc);
	await controller.start();
	for (const [user, password] of Object.entries(passwords))
		await controller.tool("user", "create", user, password);
	await controller.tool("group", "add", "staff");
	await controller.tool("group", "addmembers", "staff", "alice,carol");
	const realm = controller.realm;
	for (const [name, lines] of Object.entries({
		"krb5.conf": [
			...["[libdefaults]", `default_realm = ${realm}`, "dns_lookup_kdc = false", "dns_lookup_realm = false"],
			...[
				"dns_canonicalize_hostname = false",
				"rdns = false",
				"[realms]",
				`${realm} = {`,
				`kdc = ${addresses.dc}`,
			],
			...["}", "[domain_realm]", `.ad.example.com = ${realm}`],
		],
		"resolv.conf": [`nameserver ${addresses.dc}`],
		hosts: ["127.0.0.1 localhost"],
		letter: ["Dear customer"],
		reply: ["Dear firm"],
	}))
		await writeFile(join(folder, "desk", name), `${lines.join("\n")}\n`);
	await writeFile(join(folder, "desk/smb.conf"), `[global]\nrealm = ${realm}\nworkgroup = AD\n`);
	await writeFile(join(folder, "secret"), `${controller.password}\n`);
});

const bulkhead = instanceForTests(undefined, host, async () => {
	await controller?.[Symbol.asyncDispose]();
	files?.kill("SIGKILL");
	for (const name of [host, dc, desk]) await ip("netns", "del", name);
	if (folder) await rm(folder, { recursive: true, force: true });
});

const domain = async (...words: string[]) => await bulkhead.command("domain", ...words);
const secret = () => ["--password-file", join(folder, "secret")];
const joinHost = async () =>
	await domain("join", "ad.example.com", "--controller", addresses.dc, "--name", "host1", ...secret());

const leave = async () => await domain("leave", "--user", "Administrator", ...secret());
const share = async (...words: string[]) => await domain("share", ...words);
const docs = () => join(folder, "docs");
const plans = () => join(folder, "plans");

/** On the host, in its network and among its files. */
const onHost = async (...words: string[]) =>
	await entering(host, [`--mount=/proc/${files.pid}/ns/mnt`], words);

/** At the desk, which has name servers and names of its own. */
const atDesk = async (user: User, ...words: string[]) => await entering(desk, [], deskWords(user, words));

function deskWords(user: User, words: string[]): string[] {
	const own = ["resolv.conf", "hosts"].map((name) => `mount --bind ${folder}/desk/${name} /etc/${name} && `);
	const environment = [`KRB5CCNAME=${cache(user)}`, `KRB5_CONFIG=${folder}/desk/krb5.conf`];
	return [
		"unshare",
		"--mount",
		"sh",
		"-c",
		`${own.join("")}exec "$@" 1>&2`,
		"sh",
		"env",
		...environment,
		...words,
	];
}
const cache = (user: User) => `FILE:${folder}/desk/${user}.cc`;

interface Said {
	code: number | null;
	said: string;
	ms: number;
}

async function entering(namespace: string, options: string[], words: string[]): Promise<Said> {
	const began = performance.now();
	const ms = () => Math.round(performance.now() - began);
	try {
		const args = [`--net=/run/netns/${namespace}`, ...options, "--", ...words];
		const { stdout, stderr } = await run("nsenter", args, { deadlineMs: 60_000 });
		return { code: 0, said: `${stdout}${stderr}`.trim(), ms: ms() };
	} catch (error) {
		if (!(error instanceof CommandError)) throw error;
		return { code: error.code, said: error.stderr, ms: ms() };
	}
}

const client = (program: string) => [program, "-s", join(folder, "desk/smb.conf")];
const byTicket = (user: User) => `--use-krb5-ccache=${folder}/desk/${user}.cc`;
const service = (name: string) => `//host1.ad.example.com/${name}`;

/** Somebody uses a share, with a ticket. */
const smb = async (user: User, name: string, command: string) =>
	await atDesk(user, ...client("smbclient"), byTicket(user), service(name), "-c", command);
/** With a password: no ticket, NTLM. */
const smbByPassword = async (user: User, name: string, command: string) =>
	await atDesk(
		user,
		...client("smbclient"),
		"--use-kerberos=off",
		"-U",
		`AD\\${user}%${passwords[user]}`,
		service(name),
		"-c",
		command,
	);

/** Gets the tickets that whoever logs in to a desk has, and the one for the host's files. */
async function logIn(user: User): Promise<void> {
	const script = `printf '%s\\n' '${passwords[user]}' | kinit ${user}@${controller.realm} && kvno cifs/host1.ad.example.com`;
	const { code, said } = await atDesk(user, "sh", "-c", script);
	if (code !== 0) throw new Error(said);
}

const lookUp = async () => await atDesk("alice", "getent", "ahostsv4", "host1.ad.example.com");
const listening = async () => (await onHost("ss", "-Hltn", "sport = :445")).said;
const served = async (user: User = "alice") => (await smb(user, "docs", "ls")).code === 0;
const state = async () => (await domain("status", "--json")).stdout;
const untilIs = async (wanted: "online" | "offline") =>
	await until(
		`the membership ${wanted}`,
		async () => (await state()).includes(`"state": "${wanted}"`),
		patience.state,
	);

/** Every file below /etc, with its content, mode and owner. */
const etc = async () =>
	(
		await onHost(
			"sh",
			"-c",
			"cd /etc; find . -printf '%p %y %m %U %G %l\\n' | sort; find . -type f -exec sha256sum {} + | sort",
		)
	).said;

/** smbclient has 16 MiB on their way before it waits for an answer. */
const piece = 20 * 2 ** 20;

/** Somebody puts a file, piece by piece. */
async function beginUpload(user: User, name: string) {
	const words = [
		...client("smbclient"),
		byTicket(user),
		service("docs"),
		"-c",
		`iosize 65536; put - ${name}`,
	];
	const args = [`--net=/run/netns/${desk}`, "--", ...deskWords(user, words)];
	const child = spawn("nsenter", args, { stdio: ["pipe", "ignore", "ignore"] });
	const sent: Buffer[] = [];
	return {
		async send(bytes: number) {
			const next = randomBytes(bytes);
			sent.push(next);
			if (!child.stdin.write(next)) await once(child.stdin, "drain", { signal: AbortSignal.timeout(30_000) });
			const least = bytes * (sent.length - 1);
			const arrived = async () => (await stat(join(docs(), name))).size > least;
			await until(`${name} arriving`, async () => await arrived().catch(() => false), 30_000);
		},
		async end() {
			const ended = once(child, "exit", { signal: AbortSignal.timeout(30_000) });
			child.stdin.end();
			const [code] = (await ended) as [number | null];
			return { code, sent: Buffer.concat(sent) };
		},
	};
}

let etcBefore: string;

test("without a domain nothing is shared", async () => {
	expect((await share("list")).stdout).toContain("a member of no domain");
	expect(await share("add", "docs", docs())).toMatchObject({
		code: 1,
		stderr: expect.stringContaining("this host is a member of no domain"),
	});
});

test("what cannot be shared is refused with the reason, and nothing is changed", async () => {
	expect(await joinHost()).toMatchObject({ code: 0, stderr: "" });
	await untilIs("online");
	etcBefore = await etc();
	const rights = async () => (await onHost("getfacl", "-pn", docs())).said;
	const before = await rights();
	await symlink(docs(), join(folder, "link"));
	await mkdir(join(folder, "open"));
	await onHost("chmod", "777", join(folder, "open"));
	await mkdir(join(folder, "open/inner"));
	await mkdir(join(folder, "users"));
	await onHost("chown", "1000", join(folder, "users"));
	for (const [wrong, why] of [
		[{ path: join(folder, "none") }, /path: there is no .*none; make it first/],
		[{ path: join(folder, "link") }, /path: .*link is a link/],
		[{ path: join(folder, "secret") }, /path: .*secret is no folder/],
		[{ path: join(folder, "open/inner") }, /path: others than root may write to .*open/],
		[{ path: join(folder, "open") }, /path: everybody on this host may write to/],
		[{ path: join(folder, "users") }, /path: .*users is not root's/],
		[{ path: "/etc" }, /path: \/etc is the system's own/],
		[{ path: "/" }, /path: \/ is not shared as a whole/],
		[{ path: bulkhead.state }, /path: .* is Bulkhead's own/],
		[{ path: join(bulkhead.state, "servers") }, /path: .* is Bulkhead's own/],
		[{ groups: ["nobody knows"] }, /groups: the domain has no group nobody knows/],
		[{ groups: ["Administrators"] }, /groups: Administrators is builtin/],
		[{ listen: ["192.0.2.1"] }, /listen: 192.0.2.1 is no address of this host \(it has 10.99/],
		[{ name: "global" }, /name: .*means something else/],
		[{ name: "a]b" }, /name: a share's name has/],
		[{ name: "a\npath = /" }, /name: a share's name has/],
		[{ name: "%S" }, /name: a share's name has/],
	] as const) {
		const plain = { name: "docs", path: docs(), groups: [], readOnly: false, listen: null };
		const body = { ...plain, ...wrong } as AddShareBody;
		await expect(bulkhead.client.call("addShare", {}, body)).rejects.toThrow(why);
	}
	// Another program has the port.
	const busy =
		"use IO::Socket; my $taken = IO::Socket::INET->new(LocalAddr => '0.0.0.0:445', Listen => 1) or die; sleep 60";
	const other = spawn("nsenter", [`--net=/run/netns/${host}`, "perl", "-e", busy], { stdio: "ignore" });
	await until("the port taken", async () => (await listening()) !== "", 10_000);
	expect((await share("add", "docs", docs())).stderr).toMatch(
		/listen: perl \(process \d+\) has port 445 of 10\.99\./,
	);
	other.kill("SIGKILL");
	await once(other, "exit");
	// What fails half way is undone: here smbd's folder cannot be made.
	await writeFile(join(bulkhead.paths.domain, "shares"), "");
	expect((await share("add", "docs", docs(), "--allow-group", "staff")).code).toBe(1);
	expect((await onHost("getfattr", "-d", "-m", "trusted.bulkhead", docs())).said).toBe("");
	expect(await rights()).toBe(before);
	expect((await share("list")).stdout).toContain("No folder is shared");
	expect(existsSync(join(bulkhead.paths.domain, "shares"))).toBe(false);
});

test("of a share that was being added when the daemon was killed nothing stays", async () => {
	const rights = async () => (await onHost("getfacl", "-pn", docs())).said;
	const mark = async () => (await onHost("getfattr", "-d", "-m", "bulkhead", docs())).said;
	const before = await rights();
	const unfinished = join(bulkhead.paths.domain, "share-adding.json");
	const group = { name: "AD\\staff", sid: "S-1-5-21-1-2-3-1105" };
	const wanted = { name: "docs", path: docs(), groups: [group], everybody: false, readOnly: false };
	const share = { ...wanted, mark: "6f4c2a3e-8d1b-4f7a-9c3e-2b1a0d9e8f7c" };
	const acl = (await onHost("getfacl", "--omit-header", "-pn", docs())).said;
	const adding = { share, before: { acl, inode: (await stat(docs())).ino } };
	await bulkhead.endDaemon("SIGKILL");
	await writeFile(unfinished, JSON.stringify(adding));
	await onHost("setfattr", "-n", "trusted.bulkhead.share", "-v", share.mark, docs());
	await onHost("setfattr", "-n", "user.bulkhead.probe", "-v", "1", docs());
	await onHost("setfacl", "-m", "g:3001105:rwx,d:g:3001105:rwx,d:o::---", docs());
	// Its disk is not there yet.
	await rename(docs(), join(folder, "away"));
	await mkdir(docs());
	await bulkhead.startDaemon();
	const told = async () => (await state()).includes("cannot be taken back");
	await until("that told", told, 20_000);
	expect(existsSync(unfinished)).toBe(true);
	expect((await domain("share", "add", "docs", docs())).stderr).toContain("is another folder now");
	await rm(docs(), { recursive: true });
	await rename(join(folder, "away"), docs());
	await until("it settled", async () => !existsSync(unfinished), 20_000);
	expect(await rights()).toBe(before);
	expect(await mark()).toBe("");
	await untilIs("online");
});

test("members of a group share files, and nobody else reaches them", async () => {
	const added = await share("add", "docs", docs(), "--allow-group", "staff", "--listen", addresses.host);
	expect(added).toMatchObject({ code: 0, stderr: "" });
	expect(added.stdout).toContain("\\\\host1.ad.example.com\\docs");
	expect(await listening()).toMatch(/10\.99\.3\.1:445/);
	expect(await listening()).not.toMatch(/(0\.0\.0\.0|10\.99\.2\.1):445/);
	// Its name is looked up where all of the domain are.
	const named = async () => (await lookUp()).code === 0;
	await until("the host's name in the domain's DNS", named, 30_000);
	expect((await share("list")).stdout).not.toContain("DNS");
	for (const user of ["alice", "bob", "carol"] as const) await logIn(user);
	const first = await smb(
		"alice",
		"docs",
		`put ${folder}/desk/letter letter; mkdir work; put ${folder}/desk/letter work\\copy`,
	);
	report("alice puts a file", first);
	expect(first.code).toBe(0);
	expect(await readFile(join(docs(), "letter"), "utf8")).toBe("Dear customer\n");
	// A colleague may change what she has made, in folders that she has made, too.
	const got = join(folder, "desk/got");
	const second = await smb(
		"carol",
		"docs",
		`get letter ${got}; put ${folder}/desk/reply letter; put ${folder}/desk/reply work\\copy`,
	);
	expect(second.said).not.toContain("NT_STATUS");
	expect(await readFile(got, "utf8")).toBe("Dear customer\n");
	expect(await readFile(join(docs(), "work/copy"), "utf8")).toBe("Dear firm\n");
	expect((await stat(join(docs(), "letter"))).uid).toBeGreaterThan(3_000_000);
	expect((await smbByPassword("carol", "docs", "ls")).code).toBe(0);

	const refused = { code: 1, said: expect.stringContaining("NT_STATUS_ACCESS_DENIED") };
	expect(await smb("bob", "docs", "ls")).toMatchObject(refused);
	expect(await smbByPassword("bob", "docs", "ls")).toMatchObject(refused);
	const anonymous = [...client("smbclient"), "--no-pass", "--use-kerberos=off", "-U", "%"];
	expect(await atDesk("bob", ...anonymous, service("docs"), "-c", "ls")).toMatchObject(refused);
	expect((await atDesk("bob", ...anonymous, "-L", service(""))).said).not.toContain("docs");
	const wrong = [
		...client("smbclient"),
		"--use-kerberos=off",
		"-U",
		"AD\\alice%wrong",
		service("docs"),
		"-c",
		"ls",
	];
	expect((await atDesk("alice", ...wrong)).said).toContain("NT_STATUS_LOGON_FAILURE");
	const old = [...client("smbclient"), "--option=client min protocol=NT1", "-m", "NT1", byTicket("alice")];
	expect((await atDesk("alice", ...old, service("docs"), "-c", "ls")).said).toContain(
		"protocol negotiation failed",
	);
});

test("Windows' rights are kept, and cannot be written past it", async () => {
	const acl = [...client("smbcacls"), byTicket("alice"), service("docs"), "letter"];
	const denied = await atDesk("alice", ...acl, "--add", "ACL:AD\\carol:DENIED/0x0/RWD");
	expect(denied).toMatchObject({ code: 0 });
	expect((await atDesk("alice", ...acl)).said).toContain("ACL:AD\\carol:DENIED/0x0/");
	expect((await smb("carol", "docs", `get letter ${folder}/desk/none`)).said).toContain(
		"NT_STATUS_ACCESS_DENIED",
	);
	expect((await smb("carol", "docs", "setea letter NTACL x")).said).toContain("NT_STATUS");
	expect((await smb("carol", "docs", `get letter ${folder}/desk/none`)).said).toContain(
		"NT_STATUS_ACCESS_DENIED",
	);
	expect((await smb("alice", "docs", `get letter ${folder}/desk/got`)).said).not.toContain("NT_STATUS");
});

test("another share comes and goes, and whoever uses the first one does not notice", async () => {
	const upload = await beginUpload("alice", "large");
	await upload.send(piece);
	const status = ["smbstatus", "--configfile=/shares/etc/smb.conf", "--processes"];
	const connected = await onHost(...shareView(bulkhead.paths.domain, status));
	expect(connected.said).toMatch(/AD\\alice .* SMB3_11 .* AES-128-(GMAC|CMAC)/);
	expect(await share("add", "Plans 2027", plans(), "--read-only")).toMatchObject({ code: 0, stderr: "" });
	await writeFile(join(plans(), "plan"), "rest\n");
	expect((await share("add", "more", join(plans()))).stderr).toContain("is shared as Plans 2027 already");
	expect((await share("add", "plans 2027", join(folder, "desk"))).stderr).toContain(
		"there is a share Plans 2027 already",
	);
	expect((await share("add", "more", join(folder, "desk"), "--listen", "10.99.2.1")).stderr).toContain(
		"all shares are served at the same addresses, which are 10.99.3.1",
	);
	// Without a group it is for all users of the domain; to read only.
	const got = join(folder, "desk/got");
	expect((await smb("bob", "Plans 2027", `get plan ${got}`)).code).toBe(0);
	expect(await readFile(got, "utf8")).toBe("rest\n");
	expect((await smb("bob", "Plans 2027", `put ${folder}/desk/letter new`)).said).toMatch(
		/NT_STATUS_(ACCESS_DENIED|MEDIA_WRITE_PROTECTED)/,
	);
	await upload.send(piece);
	expect(await share("remove", "plans 2027")).toMatchObject({ code: 0, stderr: "" });
	expect((await smb("bob", "Plans 2027", "ls")).said).toContain("NT_STATUS_BAD_NETWORK_NAME");
	expect(await readFile(join(plans(), "plan"), "utf8")).toBe("rest\n");
	await upload.send(piece);
	const { code, sent } = await upload.end();
	expect(code).toBe(0);
	expect((await readFile(join(docs(), "large"))).equals(sent)).toBe(true);
	const { shares } = JSON.parse((await share("list", "--json")).stdout);
	expect(shares.shares).toEqual([
		{ name: "docs", path: docs(), groups: ["AD\\staff"], readOnly: false, trouble: null },
	]);
	expect(JSON.parse(await state()).domain.shares).toEqual(["docs"]);
});

test("the controller fails: who is there goes on, and who has a ticket comes in", async () => {
	const upload = await beginUpload("alice", "during");
	await upload.send(piece);
	await controller.kill();
	await upload.send(piece);
	const early = await smb("carol", "docs", "ls");
	report("carol, with a ticket, at once", early);
	expect(early.code).toBe(0);
	await untilIs("offline");
	await upload.send(piece);
	const { code, sent } = await upload.end();
	expect(code).toBe(0);
	expect((await readFile(join(docs(), "during"))).equals(sent)).toBe(true);
	const known = await smb("alice", "docs", `put ${folder}/desk/letter meanwhile`);
	report("alice, with a ticket", known);
	expect(known.code).toBe(0);
	expect(await smb("bob", "docs", "ls")).toMatchObject({ code: 1 });
	// NTLM has to ask the controller, whatever winbindd has kept.
	const byPassword = await smbByPassword("alice", "docs", "ls");
	report("alice, with her password", byPassword);
	expect(byPassword.said).toContain("NT_STATUS_NO_LOGON_SERVERS");
	expect((await share("add", "plans", plans(), "--allow-group", "staff")).stderr).toMatch(
		/groups: no controller of AD.EXAMPLE.COM answers/,
	);
	expect(await share("add", "plans", plans())).toMatchObject({ code: 0, stderr: "" });
	expect(await share("remove", "plans")).toMatchObject({ code: 0, stderr: "" });
});

test("after a boot shares are served again, also while no controller answers", async () => {
	await bulkhead.endDaemon("SIGKILL");
	for (const name of ["domain", "domain-shares"])
		await ControlGroup.at(`bulkhead-${bulkhead.tag}-${name}`, detectGroupSupport()).destroy();
	expect(await listening()).toBe("");
	await bulkhead.startDaemon();
	await until("docs served", served, 60_000);
	expect((await smb("bob", "docs", "ls")).code).toBe(1);
	await controller.start();
	await untilIs("online");
	await until(
		"alice by her password",
		async () => (await smbByPassword("alice", "docs", "ls")).code === 0,
		60_000,
	);
});

test("it outlives the daemon, and comes back when it is killed, as when winbindd is", async () => {
	const first = await smbdProcess(bulkhead.paths.domain);
	await bulkhead.endDaemon("SIGKILL");
	expect(await served()).toBe(true);
	await bulkhead.startDaemon();
	await untilIs("online");
	expect(await smbdProcess(bulkhead.paths.domain)).toEqual(first);
	process.kill(first?.pid ?? 0, "SIGKILL");
	const another = async () => {
		const now = await smbdProcess(bulkhead.paths.domain);
		return now !== undefined && now.pid !== first?.pid && (await served());
	};
	await until("another smbd", another, 30_000);
	const winbind = await winbindProcess(bulkhead.paths.domain);
	process.kill(winbind?.pid ?? 0, "SIGKILL");
	const again = async () => {
		const now = await winbindProcess(bulkhead.paths.domain);
		return now !== undefined && now.pid !== winbind?.pid && (await served("carol"));
	};
	await until("another winbindd", again, 30_000);
});

test("a new password of the host's own shuts nobody out", async () => {
	const change = ["net", "ads", "changetrustpw", "--configfile=/domain/etc/smb.conf", "-P"];
	const words = [`--net=/run/netns/${host}`, ...viewCommand(bulkhead.paths.domain, change)];
	await run("nsenter", words, { deadlineMs: 30_000 });
	// With the ticket from before, and with one of now.
	expect(await served("alice")).toBe(true);
	await logIn("carol");
	expect(await served("carol")).toBe(true);
});

test("a folder whose disk is not there is not served, and is again when it is", async () => {
	await rename(docs(), join(folder, "away"));
	await mkdir(docs());
	const list = async () => (await share("list")).stdout;
	await until("that told", async () => (await list()).includes("is not the folder that was shared"), 30_000);
	expect((await smb("alice", "docs", "ls")).said).toContain("NT_STATUS_BAD_NETWORK_NAME");
	expect(await readdir(docs())).toEqual([]);
	await rm(docs(), { recursive: true });
	await rename(join(folder, "away"), docs());
	await until("docs served", served, 30_000);
	expect(await list()).not.toContain("not served");
});

test("winbindd and smbd see no process of the host, and what is mounted in a shared folder is none of its business", async () => {
	const smbd = (await smbdProcess(bulkhead.paths.domain))?.pid ?? 0;
	const winbindd = (await winbindProcess(bulkhead.paths.domain))?.pid ?? 0;
	for (const pid of [smbd, winbindd]) {
		expect(await readlink(`/proc/${pid}/ns/pid`)).not.toBe(await readlink("/proc/self/ns/pid"));
		const processes = (await readdir(`/proc/${pid}/root/proc`)).filter((name) => /^\d+$/.test(name));
		expect(processes).toContain("1");
		expect(processes).not.toContain(`${files.pid}`);
		expect(await readFile(`/proc/${pid}/status`, "utf8")).toContain("\nSeccomp:\t2\n");
	}
	// As systemd has it: what is mounted in one place appears wherever the same folder is.
	const disk = join(folder, "disk");
	const script =
		'mkdir "$0"; mount -t tmpfs none "$0"; mount --make-shared "$0"; mkdir -m 755 "$0/big" "$0/big/sub"';
	expect(await onHost("sh", "-ec", script, disk)).toMatchObject({ code: 0 });
	expect(await share("add", "big", join(disk, "big"), "--allow-group", "staff")).toMatchObject({ code: 0 });
	expect(await onHost("mount", "-t", "tmpfs", "none", join(disk, "big/sub"))).toMatchObject({ code: 0 });
	const isMounted = async () => (await onHost("mountpoint", "-q", join(disk, "big/sub"))).code === 0;
	expect(await readFile(`/proc/${smbd}/mountinfo`, "utf8")).not.toContain("/shares/at/big/sub");
	// Its folder is looked at every ten seconds.
	await delay(12_000);
	expect(await isMounted()).toBe(true);
	expect((await share("list")).stdout).not.toContain("not served");
	expect(await share("remove", "big")).toMatchObject({ code: 0 });
	expect(await isMounted()).toBe(true);
	await onHost("umount", "-R", disk);
});

/** By their numbers on x86-64: chmod, fchmodat2, openat, mknod, openat2, and the first one of x32's. */
const setIdScript = `
	sub try { my ($what, $call, @with) = @_; print "$what ", (syscall($call, @with) >= 0 ? "done" : "refused"), "\\n" }
	$| = 1; my ($a, $b) = ("a", "b"); open(my $file, ">", $a); my $how = pack("Q3", 0101, 04755, 0);
	try("chmod 755", 90, $a, 0755); try("chmod 4755", 90, $a, 04755); try("fchmodat2 2755", 452, -100, $a, 02755, 0);
	try("openat 4755", 257, -100, $b, 0101, 04755); try("openat 755", 257, -100, $b, 0101, 0755);
	try("mknod 4755", 133, $b, 0104755, 0); try("openat2", 437, -100, $b, $how, 24); try("x32", 0x4000005a, $a, 04755)`;

test("what runs like smbd can leave nothing that runs as its owner", async () => {
	const tried = join(folder, "tried");
	await mkdir(tried);
	const output = await withoutSetId(join(folder, "filter"), async (filter, descriptor) => {
		const view = ["--ro-bind", "/", "/", "--dev", "/dev", "--bind", tried, tried, "--chdir", tried];
		const stdio = ["ignore", "pipe", "ignore", "ignore", descriptor] as const;
		const child = spawn("bwrap", [...view, ...filter, "perl", "-e", setIdScript], { stdio: [...stdio] });
		const { stdout } = child;
		if (!stdout) throw new Error("its output is not read");
		const [said, [code]] = await Promise.all([text(stdout), once(child, "exit")]);
		return { said: said.trim().split("\n"), code };
	});
	expect(output.said).toEqual([
		...["chmod 755 done", "chmod 4755 refused", "fchmodat2 2755 refused", "openat 4755 refused"],
		...["openat 755 done", "mknod 4755 refused", "openat2 refused"],
	]);
	// 128 + SIGSYS, as bubblewrap tells it.
	expect(output.code).toBe(159);
	for (const name of ["a", "b"]) expect((await stat(join(tried, name))).mode & 0o7777).toBe(0o755);
});

test("the last share takes smbd with it", async () => {
	expect(await share("remove", "none")).toMatchObject({
		code: 1,
		stderr: expect.stringContaining("no share none"),
	});
	expect(await share("remove", "DOCS")).toMatchObject({
		code: 0,
		stdout: expect.stringContaining("shared no more"),
	});
	expect(await listening()).toBe("");
	expect((await lookUp()).code).not.toBe(0);
	expect(await smbdProcess(bulkhead.paths.domain)).toBeUndefined();
	for (const name of ["shares", "shares.json"])
		expect(existsSync(join(bulkhead.paths.domain, name))).toBe(false);
	expect((await share("list")).stdout).toContain("No folder is shared");
});

test("leaving the domain ends it all, and leaves the files", async () => {
	expect(await share("add", "docs", docs(), "--allow-group", "staff")).toMatchObject({ code: 0, stderr: "" });
	expect(await served()).toBe(true);
	await until("its name", async () => (await lookUp()).code === 0, 30_000);
	const files = (await readdir(docs(), { recursive: true })).sort();
	expect(files).toContain("letter");
	const left = await leave();
	expect(left).toMatchObject({
		code: 0,
		stderr: "",
		stdout: expect.stringContaining(`${docs()} is shared no more`),
	});
	expect(await listening()).toBe("");
	expect(existsSync(bulkhead.paths.domain)).toBe(false);
	expect((await lookUp()).code).not.toBe(0);
	const group = ControlGroup.at(`bulkhead-${bulkhead.tag}-domain-shares`, detectGroupSupport());
	expect(group.folders.filter((path) => existsSync(path))).toEqual([]);
	expect((await readdir(docs(), { recursive: true })).sort()).toEqual(files);
	expect((await onHost("getfattr", "-d", "-m", "trusted.bulkhead", docs())).said).toBe("");
	expect(await etc()).toBe(etcBefore);
});
