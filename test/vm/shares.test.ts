import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { installFor } from "../../bench/packages.ts";
import { CommandError, run } from "../../src/host/command.ts";
import { Controller } from "./controller.ts";
import { instanceForTests, until } from "./harness.ts";

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
	for (const [user, password] of Object.entries(passwords)) await controller.tool("user", "create", user, password);
	await controller.tool("group", "add", "staff");
	await controller.tool("group", "addmembers", "staff", "alice,carol");
	const realm = controller.realm;
	await writeFile(
		join(folder, "desk/krb5.conf"),
		`[libdefaults]\ndefault_realm = ${realm}\ndns_lookup_kdc = false\nrdns = false\ndns_canonicalize_hostname = false\n[realms]\n${realm} = { kdc = ${addresses.dc} }\n`,
	);
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

test("explore", async () => {
	expect(await joinHost()).toMatchObject({ code: 0, stderr: "" });
	await writeFile("/tmp/sharework/world.json", JSON.stringify({ host, dc, desk, folder, files: files.pid, state: bulkhead.state }));
	await until("the end", async () => existsSync("/tmp/sharework/stop"), 3_600_000);
}, 4_000_000);
