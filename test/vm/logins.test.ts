import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { beforeAll, expect, test } from "vitest";
import { installFor } from "../../bench/packages.ts";
import { forwarderProcess } from "../../src/directory/member/dns/forwarder.ts";
import { winbindProcess } from "../../src/directory/member/winbind.ts";
import { CommandError, run } from "../../src/host/command.ts";
import { Controller } from "./controller.ts";
import { instanceForTests, report, until } from "./harness.ts";

/** Users of a domain log in to a host whose files and network are its own; nothing of this machine's /etc changes. */
const tag = `bhu${process.pid}`;
const [host, dc] = [`${tag}host`, `${tag}dc`];
const address = "10.99.1.10";
const secretFile = join(tmpdir(), `bulkhead-secret-${tag}`);
let controller: Controller;
let folder: string;
let files: ChildProcess;
let sshd: ChildProcess;
/** Answer for all names but the domain's. */
let others: ChildProcess | undefined;
let second: ChildProcess | undefined;

const ip = async (...args: string[]) => await run("ip", args, { deadlineMs: 10_000 });

beforeAll(async () => {
	// The controller's; what is for logins is installed in the host's own files alone.
	await installFor(
		[
			"/usr/sbin/samba",
			"/usr/sbin/winbindd",
			"/usr/share/samba/setup/provision.ldif",
			"/usr/lib/x86_64-linux-gnu/samba/vfs/acl_xattr.so",
		],
		["samba", "winbind", "samba-ad-provision", "samba-dsdb-modules", "samba-vfs-modules"],
	);
	for (const name of [host, dc]) {
		await ip("netns", "add", name);
		await ip("-n", name, "link", "set", "lo", "up");
	}
	await ip("-n", host, "link", "add", "dc", "type", "veth", "peer", "name", "eth0", "netns", dc);
	await ip("-n", host, "addr", "add", "10.99.1.1/24", "dev", "dc");
	await ip("-n", dc, "addr", "add", `${address}/24`, "dev", "eth0");
	await ip("-n", host, "link", "set", "dc", "up");
	await ip("-n", dc, "link", "set", "eth0", "up");
	folder = await mkdtemp(join(tmpdir(), "bulkhead-host-"));
	const script = join(import.meta.dirname, "logins-host.sh");
	files = spawn("unshare", ["--mount", "sh", script, folder], { stdio: "ignore" });
	const isReady = async () => existsSync(`/proc/${files.pid}/root${folder}/ready`);
	await until("the host's files", isReady, 300_000);
	bulkhead.files = files.pid;
	controller = await Controller.provision(dc, address);
	await writeFile(secretFile, `${controller.password}\n`);
	await controller.start();
	await controller.tool("user", "create", "alice", "Al1ce-Passw0rd");
	await controller.tool("user", "create", "bob", "B0bby-Passw0rd");
	await controller.tool("group", "add", "linux users");
	await controller.tool("group", "addmembers", "linux users", "alice");
	for (const [group, member] of Object.entries({ "linux admins": "alice", "other admins": "bob" })) {
		await controller.tool("group", "add", group);
		await controller.tool("group", "addmembers", group, member);
	}
	await controller.tool("group", "add", "mail list", "--group-type=Distribution");
	sshd = spawn("nsenter", [...entered(), "/usr/sbin/sshd", "-D", "-e"], { stdio: "ignore" });
});

const bulkhead = instanceForTests(undefined, host, async () => {
	sshd?.kill("SIGKILL");
	for (const one of [others, second]) one?.kill("SIGKILL");
	await controller?.[Symbol.asyncDispose]();
	files?.kill("SIGKILL");
	await rm(secretFile, { force: true });
	if (folder) await rm(folder, { recursive: true, force: true });
	for (const name of [host, dc]) await ip("netns", "del", name);
});
const entered = () => [`--mount=/proc/${files.pid}/ns/mnt`, `--net=/run/netns/${host}`, "--"];

/** On the host. @returns what it wrote, its code, and how long it took */
async function onHost(...words: string[]): Promise<{ code: number | null; said: string; ms: number }> {
	const began = performance.now();
	const ms = () => Math.round(performance.now() - began);
	try {
		const { stdout } = await run("nsenter", [...entered(), ...words], { deadlineMs: 60_000 });
		return { code: 0, said: stdout.trim(), ms: ms() };
	} catch (error) {
		if (!(error instanceof CommandError)) throw error;
		return { code: error.code, said: error.stderr, ms: ms() };
	}
}

const launcher = join(import.meta.dirname, "../../bin/bulkhead");
const look = "id -un; pwd; klist -s && echo ticket; true";

async function ssh(user: string, password: string, command = look) {
	const options = [
		"StrictHostKeyChecking=no",
		"UserKnownHostsFile=/dev/null",
		"LogLevel=ERROR",
		"PubkeyAuthentication=no",
	];
	const words = options.flatMap((one) => ["-o", one]);
	return await onHost("sshpass", "-p", password, "ssh", ...words, "-l", user, "10.99.1.1", command);
}

/** All of /etc: each file with its content, mode and owner. */
const etc = async () =>
	(
		await onHost(
			"sh",
			"-c",
			"cd /etc; find . -printf '%p %y %m %U %G %l\\n' | sort; find . -type f -exec sha256sum {} + | sort",
		)
	).said;

const joinHost = async (...more: string[]) => await joinWith("--logins", ...more);
const joinWith = async (...more: string[]) =>
	await bulkhead.command(
		"domain",
		"join",
		"ad.example.com",
		"--controller",
		address,
		"--name",
		"host1",
		...secret(),
		...more,
	);
const secret = () => ["--password-file", secretFile];
const leave = async () => await bulkhead.command("domain", "leave", "--user", "Administrator", ...secret());

test("the domain's users log in, and /etc is as it was after each of five times", async () => {
	const before = await etc();
	for (let i = 0; i < 5; i++) {
		const joined = await joinHost();
		expect(joined).toMatchObject({ code: 0, stderr: "" });
		const known = async () => (await onHost("getent", "passwd", "alice@ad.example.com")).code === 0;
		await until("alice known", known, 30_000);
		if (i === 0) {
			report("getent", await onHost("getent", "passwd", "alice@ad.example.com"));
			report("id", await onHost("id", "alice@ad.example.com"));
			const inside = await ssh("alice@ad.example.com", "Al1ce-Passw0rd");
			report("ssh", inside);
			expect(inside.said).toContain("/home/AD/alice\nticket");
			expect((await ssh("alice@ad.example.com", "Not-This-0ne")).code).not.toBe(0);
			expect((await ssh("carol", "Car0l-Passw0rd")).code).toBe(0);
			await refusesUsersOfOthers();
		}
		expect(await etc()).not.toBe(before);
		expect(await leave()).toMatchObject({ code: 0, stderr: "" });
		expect(await etc()).toBe(before);
	}
});

/** Of a domain that this one trusts: they are known by such numbers. One of the host's own files stands for them. */
async function refusesUsersOfOthers(): Promise<void> {
	await onHost(
		"sh",
		"-c",
		"cp -p /etc/passwd /root/; echo 'dave:*:2000000:100::/tmp:/bin/sh' >> /etc/passwd",
	);
	expect((await onHost("su", "dave", "-c", "true")).code).not.toBe(0);
	expect((await onHost("su", "carol", "-c", "true")).code).toBe(0);
	expect((await onHost("su", "alice@ad.example.com", "-c", "true")).code).toBe(0);
	await onHost("cp", "-p", "/root/passwd", "/etc/passwd");
}

test("tickets are in a folder that is for them alone, and nobody else's names are in it", async () => {
	expect(await joinHost()).toMatchObject({ code: 0, stderr: "" });
	const alice = async (command: string, password = "Al1ce-Passw0rd") =>
		await ssh("alice@ad.example.com", password, command);
	await until("alice in", async () => (await alice("true")).code === 0, 30_000);
	const file = "/run/bulkhead-tickets/krb5cc_$(id -u)";
	const own = `klist | grep -o ${file}; stat -c '%a %U' ${file}; klist -s && echo valid`;
	expect(await alice(own)).toMatchObject({
		code: 0,
		said: expect.stringMatching(/^\/run\/bulkhead-tickets\/krb5cc_\d+\n600 AD\\alice\nvalid$/),
	});
	// Her own programs keep it as any other.
	const renewed = await alice("printf '%s\\n' Al1ce-Passw0rd | kinit && kinit -R; klist -s && echo valid");
	report("renewed", renewed);
	expect(renewed.said).toContain("valid");
	// Whoever tries her name with another password takes nothing from her.
	expect((await alice("true", "Not-This-0ne")).code).not.toBe(0);
	const uid = (await onHost("id", "-u", "alice@ad.example.com")).said;
	const kept = `/run/bulkhead-tickets/krb5cc_${uid}`;
	const asAlice = ["setpriv", `--reuid=${uid}`, "--regid=3000513", "--clear-groups"];
	expect((await onHost(...asAlice, "klist", "-s", kept)).code).toBe(0);
	// Users of the host's own see nothing there, and can have no name there first.
	for (const words of [
		"touch /run/bulkhead-tickets/krb5cc_3009999",
		"ls /run/bulkhead-tickets",
		`cat ${kept}`,
	])
		expect(await ssh("carol", "Car0l-Passw0rd", words)).toMatchObject({
			said: expect.stringContaining("Permission denied"),
		});
	const options = (await onHost("findmnt", "-no", "OPTIONS", "/run/bulkhead-tickets")).said;
	for (const one of ["nosuid", "nodev", "noexec"]) expect(options.split(",")).toContain(one);
	// winbindd sees nothing of what others have in /tmp.
	const winbindd = (await winbindProcess(bulkhead.paths.domain))?.pid ?? 0;
	expect(await readdir(`/proc/${winbindd}/root/tmp`)).toEqual([`krb5cc_${uid}`]);
	expect(await leave()).toMatchObject({ code: 0, stderr: "" });
	expect((await onHost("ls", "/run/bulkhead-tickets")).said).toContain("No such file");
});

test("who logs in to the host is the same who reaches its files from elsewhere", async () => {
	expect(await joinHost()).toMatchObject({ code: 0, stderr: "" });
	await onHost("mkdir", "/home/team-docs");
	const added = await bulkhead.command(
		"domain",
		"share",
		"add",
		"docs",
		"/home/team-docs",
		"--listen",
		"10.99.1.1",
	);
	expect(added).toMatchObject({ code: 0, stderr: "" });
	await onHost("sh", "-c", "echo hello > /root/letter");
	const user = ["--use-kerberos=off", "-U", "AD\\alice%Al1ce-Passw0rd", "//10.99.1.1/docs"];
	const put = await onHost("smbclient", ...user, "-c", "put /root/letter letter");
	expect(put.code).toBe(0);
	expect((await onHost("stat", "--format=%U", "/home/team-docs/letter")).said).toBe("AD\\alice");
	const read = await ssh("alice@ad.example.com", "Al1ce-Passw0rd", "cat /home/team-docs/letter");
	expect(read).toMatchObject({ code: 0, said: "hello" });
	expect(await leave()).toMatchObject({ code: 0, stderr: "" });
	await onHost("rm", "-r", "/home/team-docs");
});

/** What Bulkhead answers to somebody who is logged in. */
const usedBy = async (user: "alice" | "bob") =>
	await ssh(
		`${user}@ad.example.com`,
		{ alice: "Al1ce-Passw0rd", bob: "B0bby-Passw0rd" }[user],
		`${launcher} --state ${bulkhead.state} status`,
	);
const refused = { code: 1, said: expect.stringContaining("not allowed to use") };
const untilIn = async (user: "alice" | "bob") =>
	await until(`${user} let in`, async () => (await usedBy(user)).code === 0, 60_000);

test("what cannot administer Bulkhead is refused, and nothing is changed", async () => {
	const before = await etc();
	for (const [group, why] of [
		["nobody knows", /adminGroup: the domain has no group nobody knows/],
		["carol", /adminGroup: the domain has no group carol/],
		["Administrators", /adminGroup: Administrators is builtin \(S-1-5-32-544\)/],
		["mail list", /adminGroup: mail list is no security group/],
		["AD\\linux admins", /adminGroup: a name has/],
	] as const) {
		const { code, stderr } = await joinHost("--admin-group", group);
		expect(stderr).toMatch(why);
		expect(code).toBe(1);
	}
	// A user who may take the group's number in a namespace of his own would be its member.
	await onHost("sh", "-c", "cp -p /etc/subgid /root/subgid; echo mallory:3001000:1000 >> /etc/subgid");
	expect((await joinHost("--admin-group", "linux admins")).stderr).toMatch(
		/adminGroup: .*subgid lends mallory/,
	);
	await onHost("cp", "-p", "/root/subgid", "/etc/subgid");
	const words = ["ad.example.com", "--controller", address, ...secret(), "--admin-group", "linux admins"];
	expect((await bulkhead.command("domain", "join", ...words)).stderr).toMatch(
		/adminGroup: .*; give --logins too/,
	);
	expect(await etc()).toBe(before);
	expect(existsSync(bulkhead.paths.domain)).toBe(false);
	expect(existsSync(bulkhead.paths.domainSocket)).toBe(false);
	expect(await controller.tool("computer", "list")).not.toContain("HOST1");
});

test("members of one group of the domain use Bulkhead, also while no controller answers, and nobody does afterwards", async () => {
	expect(await joinHost("--admin-group", "linux admins")).toMatchObject({ code: 0, stderr: "" });
	await untilIn("alice");
	const inside = await usedBy("alice");
	report("status, as alice", inside);
	expect(inside.said).toContain(bulkhead.state);
	expect(await usedBy("bob")).toMatchObject(refused);
	const socket = await onHost("stat", "--format=%U %G %a", bulkhead.paths.domainSocket);
	// What winbindd calls the group's number is what the daemon has reckoned.
	expect(socket.said).toBe("root AD\\linux admins 660");
	expect((await bulkhead.command("domain", "status")).stdout).toContain("AD\\linux admins");
	const ids = await onHost("sh", "-c", "id -u alice@ad.example.com; id -G alice@ad.example.com | tr ' ' ,");

	await controller.kill();
	await bulkhead.endDaemon("SIGKILL");
	await bulkhead.startDaemon();
	await untilIn("alice");
	expect(await usedBy("bob")).toMatchObject(refused);
	await controller.start();
	await until(
		"whole",
		async () => (await bulkhead.command("domain", "status")).stdout.includes("good"),
		90_000,
	);

	expect(await leave()).toMatchObject({ code: 0, stderr: "" });
	const [uid = "", groups = ""] = ids.said.split("\n");
	const still = ["setpriv", `--reuid=${uid}`, `--regid=${groups.split(",")[0]}`, `--groups=${groups}`];
	const after = await onHost(...still, launcher, "--state", bulkhead.state, "status");
	report("status, as who was alice", after);
	expect(after).toMatchObject(refused);

	expect(await joinHost("--admin-group", "other admins")).toMatchObject({ code: 0, stderr: "" });
	await untilIn("bob");
	expect(await usedBy("alice")).toMatchObject(refused);
	// Whoever ends it gets the answer all the same.
	const left = await ssh(
		"bob@ad.example.com",
		"B0bby-Passw0rd",
		`${launcher} --state ${bulkhead.state} domain leave --json`,
	);
	report("left by bob", left);
	expect(left.code).toBe(0);
	expect(existsSync(bulkhead.paths.domainSocket)).toBe(false);
	await controller.tool("computer", "delete", "HOST1");
});

/** A name server of the host's own, beside the controllers. @param found its answer for the names that it knows */
async function answerAt(at: string, found: string): Promise<ChildProcess> {
	const bounds = ["--port=53", `--listen-address=${at}`, "--bind-interfaces", "--no-resolv", "--no-hosts"];
	const words = ["dnsmasq", "--keep-in-foreground", "--user=root", "--pid-file=", ...bounds];
	const all = [...words, `--address=/example.org/${found}`];
	const server = spawn("nsenter", [`--net=/run/netns/${host}`, ...all], { stdio: "ignore" });
	const answers = async () => (await onHost("ss", "-Hltn", "src", `${at}:53`)).said !== "";
	await until("a name server", answers, 10_000);
	return server;
}

async function answerOthers(): Promise<void> {
	others ??= await answerAt("10.99.1.1", "192.0.2.7");
}

const lookUp = async (name: string) => await onHost("getent", "ahostsv4", name);
const finds = async (name: string, found: string) => {
	const { said, ms } = await lookUp(name);
	expect(said).toMatch(new RegExp(`^${found}\\b`));
	return ms;
};

/** Asks for where LDAP of the domain is, of the first name server. RFC 1035, 4.1; 33 is SRV. */
const askServices = `my ($first) = \`cat /etc/resolv.conf\` =~ /nameserver (\\S+)/;
my @labels = qw(_ldap _tcp dc _msdcs ad example com);
my $question = pack("n6", 7, 256, 1, 0, 0, 0) . join("", map { pack("C/a*", $_) } @labels) . pack("Cnn", 0, 33, 1);
socket(S, PF_INET, SOCK_DGRAM, 17); $SIG{ALRM} = sub { die "no answer\\n" }; alarm 5;
send(S, $question, 0, sockaddr_in(53, inet_aton($first))); recv(S, my $answer, 2000, 0); print $answer`;

test("the domain's names are asked for at its controllers, all others as before, and /etc is as it was", async () => {
	await answerOthers();
	await onHost("ln", "-sf", "../run/there", "/etc/resolv.conf");
	const joinForNames = async () => await joinWith("--dns");
	expect((await joinForNames()).stderr).toMatch(/dns: \/etc\/resolv.conf is a link to ..\/run\/there/);
	await onHost("sh", "-c", "rm /etc/resolv.conf; echo nameserver 127.0.0.1 > /etc/resolv.conf");
	expect((await joinForNames()).stderr).toContain(
		"names a program of this host, at 127.0.0.1; have that ask",
	);
	await onHost("sh", "-c", "printf '# By hand\\nnameserver 10.99.1.1\\n' > /etc/resolv.conf");
	await onHost("touch", "-d", "2001-02-03", "/etc/resolv.conf");
	const times = async () => (await onHost("stat", "-c", "%y %a %u %g", "/etc/resolv.conf")).said;
	const before = [await etc(), await times()];

	expect(await joinForNames()).toMatchObject({ code: 0, stderr: "" });
	expect((await bulkhead.command("domain", "status")).stdout).toContain(
		"by way of resolv.conf and dnsmasq at 127.0.0.55",
	);
	await finds("dc1.ad.example.com", address);
	await finds("www.example.org", "192.0.2.7");
	// Its services are below _msdcs. Node.js cannot read what Samba answers to that, also when it is asked directly.
	expect((await onHost("perl", "-MSocket", "-e", askServices)).said).toContain("\u0003dc1");
	// Also with the daemon gone, and with all that is ours gone: it is only the domain's that are not found then.
	const first = await forwarderProcess(bulkhead.paths.domain);
	await bulkhead.endDaemon("SIGKILL");
	await finds("dc1.ad.example.com", address);
	process.kill(first?.pid ?? 0, "SIGKILL");
	await until("it gone", async () => (await forwarderProcess(bulkhead.paths.domain)) === undefined, 10_000);
	expect(await finds("www.example.org", "192.0.2.7")).toBeLessThan(1000);
	expect((await lookUp("dc1.ad.example.com")).code).not.toBe(0);
	await bulkhead.startDaemon();
	const again = async () => (await lookUp("dc1.ad.example.com")).code === 0;
	await until("the domain's names found again", again, 30_000);

	// Another program writes the file, and puts it right.
	await onHost("sh", "-c", "cp /etc/resolv.conf /root/; echo nameserver 10.99.1.1 > /etc/resolv.conf");
	const status = async () => (await bulkhead.command("domain", "status")).stdout;
	await until("that told", async () => /has written \/etc\/resolv.conf anew/.test(await status()), 10_000);
	await onHost("cp", "/root/resolv.conf", "/etc/resolv.conf");
	await until("all well", async () => !/has written/.test(await status()), 10_000);

	await controller.kill();
	// More questions for the domain than may wait at a name server by default.
	const flood = `for i in $(seq 300); do getent ahostsv4 host$i.ad.example.com & done; wait`;
	const asking = spawn("nsenter", [...entered(), "sh", "-c", flood], { stdio: "ignore", detached: true });
	await delay(2000);
	const slowest = Math.max(
		...(await Promise.all([1, 2, 3].map(async (i) => await finds(`w${i}.example.org`, "192.0.2.7")))),
	);
	report("another name, with the controller gone and 300 waiting for it", { ms: slowest });
	expect(slowest).toBeLessThan(1000);
	process.kill(-(asking.pid ?? 0), "SIGKILL");
	await controller.start();
	expect(await leave()).toMatchObject({ code: 0, stderr: "" });
	expect([await etc(), await times()]).toEqual(before);
	expect(await forwarderProcess(bulkhead.paths.domain)).toBeUndefined();
});

test("of the host's own name servers the first is asked while it answers, and of the controllers those that do", async () => {
	await answerOthers();
	await ip("-n", host, "addr", "add", "10.99.1.2/24", "dev", "dc");
	second = await answerAt("10.99.1.2", "192.0.2.8");
	const before = "nameserver 10.99.1.1\nnameserver 10.99.1.2\n";
	await onHost("sh", "-c", `printf '${before}' > /etc/resolv.conf`);
	expect(await joinWith("--dns", "--controller", "10.99.1.77")).toMatchObject({ code: 0, stderr: "" });
	const list = join(bulkhead.paths.domain, "dns/servers/list");
	const asked = async () => (await readFile(list, "utf8")).match(/(?<=^server=).*$/gm)?.join(" ");
	const isAsked = async (one: string) =>
		await until(`${one} asked`, async () => (await asked()) === `${one} /ad.example.com/${address}`, 30_000);
	await isAsked("10.99.1.1");
	await finds("dc1.ad.example.com", address);
	await finds("www.example.org", "192.0.2.7");
	others?.kill("SIGKILL");
	others = undefined;
	await isAsked("10.99.1.2");
	await finds("dc1.ad.example.com", address);
	await finds("www.example.org", "192.0.2.8");
	await answerOthers();
	await isAsked("10.99.1.1");
	await finds("www.example.org", "192.0.2.7");
	expect(await leave()).toMatchObject({ code: 0, stderr: "" });
	expect((await onHost("cat", "/etc/resolv.conf")).said).toBe(before.trim());
	second.kill("SIGKILL");
});

test("where systemd-resolved is asked, it asks the controllers for the domain's names alone, and forgets them", async () => {
	await answerOthers();
	await onHost("ln", "-sf", "../run/systemd/resolve/stub-resolv.conf", "/etc/resolv.conf");
	expect((await joinWith("--dns")).stderr).toMatch(
		/dns: .*does not answer .*systemctl start systemd-resolved/,
	);
	await using resolved = await startResolved();
	const before = [await etc(), await links()];
	expect(await joinWith("--dns")).toMatchObject({ code: 0, stderr: "" });
	expect((await bulkhead.command("domain", "status")).stdout).toContain("by way of systemd-resolved");
	await finds("dc1.ad.example.com", address);
	await resolved.restart();
	await finds("dc1.ad.example.com", address);
	for (let i = 0; i < 20; i++) await finds(`www${i}.example.org`, "192.0.2.7");
	// What it is asked for others' names it refuses, and passes on to nobody.
	expect((await onHost("perl", "-MSocket", "-e", askForOthers)).said).toBe("5");
	await controller.kill();
	expect(await finds("gone.example.org", "192.0.2.7")).toBeLessThan(1000);
	await controller.start();
	expect(await leave()).toMatchObject({ code: 0, stderr: "" });
	expect([await etc(), await links()]).toEqual(before);
	expect((await lookUp("dc1.ad.example.com")).code).not.toBe(0);
	await finds("after.example.org", "192.0.2.7");
});

/** What systemd-resolved knows of each interface, and the interfaces that there are. */
const links = async () =>
	(await onHost("resolvectl", "status", "--no-pager")).said.replace(/^ *(?:Current DNS.*\n)?/gm, "");

/** @returns the answer's code, 5 for refused (RFC 1035, 4.1.1), of what listens for the domain's names */
const askForOthers = `my $question = pack("n6", 7, 256, 1, 0, 0, 0) . pack("(C/a*)3", qw(www example org)) . pack("Cnn", 0, 1, 1);
socket(S, PF_INET, SOCK_DGRAM, 17); $SIG{ALRM} = sub { die "no answer\\n" }; alarm 5;
send(S, $question, 0, sockaddr_in(53, inet_aton("127.0.0.55"))); recv(S, my $answer, 2000, 0); print 15 & unpack("x3 C", $answer)`;

/** systemd-resolved and the bus by which it is told, without a systemd. Its link to others is the controllers' network. */
async function startResolved() {
	const begin = (...words: string[]) => spawn("nsenter", [...entered(), ...words], { stdio: "ignore" });
	await onHost("install", "-d", "/run/dbus");
	await onHost("install", "-d", "-o", "systemd-resolve", "-g", "systemd-resolve", "/run/systemd/resolve");
	const bus = begin("dbus-daemon", "--system", "--nofork", "--nopidfile", "--nosyslog");
	const isThere = async () => (await onHost("test", "-S", "/run/dbus/system_bus_socket")).code === 0;
	await until("the bus", isThere, 10_000);
	let resolved = begin("/lib/systemd/systemd-resolved");
	const answers = async () => (await onHost("resolvectl", "status")).code === 0;
	await until("systemd-resolved", answers, 10_000);
	await onHost("resolvectl", "dns", "dc", "10.99.1.1");
	await onHost("resolvectl", "default-route", "dc", "yes");
	return {
		async restart() {
			resolved.kill("SIGTERM");
			await once(resolved, "exit");
			resolved = begin("/lib/systemd/systemd-resolved");
			await until("systemd-resolved again", answers, 10_000);
		},
		async [Symbol.asyncDispose]() {
			for (const one of [resolved, bus]) one.kill("SIGKILL");
			await onHost("sh", "-c", "rm /etc/resolv.conf; echo nameserver 192.0.2.53 > /etc/resolv.conf");
		},
	};
}

test("with the controller gone root and the host's own users get in at once, and who was known does", async () => {
	const before = await etc();
	expect(await joinHost("--allow-group", "linux users")).toMatchObject({ code: 0, stderr: "" });
	await until(
		"alice known",
		async () => (await ssh("alice@ad.example.com", "Al1ce-Passw0rd")).code === 0,
		30_000,
	);
	expect((await ssh("bob@ad.example.com", "B0bby-Passw0rd")).code).not.toBe(0);
	await controller.kill();
	const first = await onHost("su", "-", "root", "-c", "id");
	report("su root, the moment the controller is gone", first);
	const carol = await ssh("carol", "Car0l-Passw0rd");
	report("carol by ssh", carol);
	expect(first.code).toBe(0);
	expect(first.ms).toBeLessThan(1000);
	expect(carol.code).toBe(0);
	const cached = await ssh("alice@ad.example.com", "Al1ce-Passw0rd");
	report("alice, cached", cached);
	expect(cached.code).toBe(0);
	const left = await leave();
	expect(left.stdout).toContain("the account HOST1 is left in AD.EXAMPLE.COM");
	expect(await etc()).toBe(before);
});
