import { readdir, readFile, readlink, stat } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { detectGroupSupport } from "../../src/host/cgroup.ts";
import { freePort, instanceForTests, text, tiny, until } from "./harness.ts";

/** What a running QEMU may see, use and reach: its own, and nothing else. */
const bulkhead = instanceForTests();
const names = ["red", "blue"] as const;
type Name = (typeof names)[number];
const addresses = { red: "10.93.0.10", blue: "10.93.0.11" };
const gateway = "10.93.0.1";
const ports = { red: 0, blue: 0 };
const pids = { red: 0, blue: 0 };
const memory = 96 * 2 ** 20;

/** A field of /proc/PID/status. */
async function status(name: Name, field: string): Promise<string> {
	const lines = await readFile(`/proc/${pids[name]}/status`, "utf8");
	return new RegExp(`^${field}:[\\t ]*(.*)$`, "m").exec(lines)?.[1] ?? "";
}

/** A path as the server's QEMU sees it. */
const seen = (name: Name, path: string) => join(`/proc/${pids[name]}/root`, path);
const exists = async (path: string) =>
	await stat(path).then(
		() => true,
		() => false,
	);
const inode = async (path: string) => (await stat(path)).ino;

/** A limit of the server's control group, read from whichever hierarchy has it. */
async function limit(name: Name, files: { v1: string; v2: string }): Promise<number[]> {
	const controller = files.v1.split(".")[0] as "memory" | "cpu" | "pids";
	const hierarchy = detectGroupSupport()[controller];
	if (!hierarchy) throw new Error(`this host cannot limit ${controller}`);
	const session = `session.${name}-${(await bulkhead.session(name)).number}`;
	const folder = join(hierarchy.root, `bulkhead-${bulkhead.tag}`, session);
	const processes = await readFile(join(folder, "cgroup.procs"), "utf8");
	expect(processes.split("\n")).toContain(String(pids[name]));
	const value = await readFile(join(folder, hierarchy.version === 1 ? files.v1 : files.v2), "utf8");
	return value.trim().split(" ").map(Number);
}

beforeAll(async () => {
	for (const name of names) ports[name] = await freePort();
	const servers = names.map((name) => {
		const more = { memory: "96MiB", data: [{ name: "files", size: "8MiB" }] };
		return [name, tiny(addresses[name], ports[name], more)] as const;
	});
	await bulkhead.apply({
		name: "box",
		segments: { lab: { subnet: "10.93.0.0/24" } },
		servers: Object.fromEntries(servers),
	});
	for (const name of names) pids[name] = (await bulkhead.until(name, "running")).session?.pid ?? 0;
});

describe("a session's process", () => {
	test.each(names)("%s runs as a user of its own, without any privilege", async (name) => {
		const uids = (await status(name, "Uid")).split("\t");
		expect(new Set(uids).size).toBe(1);
		expect(Number(uids[0])).toBeGreaterThan(65_535);
		expect(await status(name, "Gid")).toBe(uids.join("\t"));
		expect((await status(name, "Groups")).trim()).toBe("");
		expect(await status(name, "NoNewPrivs")).toBe("1");
		expect(await status(name, "Seccomp")).toBe("2");
		for (const set of ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"]) {
			expect(await status(name, set), set).toMatch(/^0+$/);
		}
	});

	test("shares no user with another server, nor with a front door", async () => {
		const users = new Map<string, string[]>();
		for (const pid of await bulkhead.processes()) {
			const lines = await readFile(`/proc/${pid}/status`, "utf8");
			const command = /^Name:\s+(.*)$/m.exec(lines)?.[1] ?? "";
			const user = /^Uid:\s+(\d+)/m.exec(lines)?.[1] ?? "";
			if (command !== "bwrap") users.set(user, [...(users.get(user) ?? []), command].sort());
		}
		// QEMU calls itself by its session. HAProxy has the one that takes uploads in beside it, and what begins that again.
		const sessions = names.map((name) => [`bulkhead-${name}-1`]);
		const door = ["bash", "haproxy", "haproxy"];
		const answerers = [["dnsmasq"], ["dnsmasq"], ["perl"]];
		expect([...users.values()].sort()).toEqual([door, door, ...answerers, ...sessions].sort());
	});

	test.each(names)("%s sees nothing of the host but programs and its own folders", async (name) => {
		const root = (await readdir(seen(name, "/"))).sort();
		expect(root).toEqual(
			["bin", "boot", "dev", "disks", "frames", "lib", "lib64", "sbin", "session", "sockets", "usr"].sort(),
		);
		for (const path of ["/etc", "/root", "/home", "/proc", "/sys", "/run", "/var", "/tmp", bulkhead.state]) {
			expect(await exists(seen(name, path)), path).toBe(false);
		}
		expect(await exists(seen(name, "/dev/kvm")), "/dev/kvm").toBe(false);
	});

	test.each(names)("%s has its own disks and no other's", async (name) => {
		const own = bulkhead.paths.server(name);
		expect((await readdir(seen(name, "/disks"))).sort()).toEqual(["files.qcow2", "system.qcow2"]);
		for (const disk of ["files", "system"]) {
			expect(await inode(seen(name, `/disks/${disk}.qcow2`))).toBe(await inode(own.disk(disk)));
		}
		const open = await readdir(`/proc/${pids[name]}/fd`);
		const targets = await Promise.all(
			open.map((fd) => readlink(`/proc/${pids[name]}/fd/${fd}`).catch(() => "")),
		);
		const files = targets.filter((target) => target.startsWith("/") && !target.startsWith("/dev/"));
		const expected = [
			...["/disks/files.qcow2", "/disks/system.qcow2", "/session/system.qcow2", "/session/console.log"],
			own.session(1).output,
		];
		expect(expected).toEqual(expect.arrayContaining(files));
		expect(await exists(own.folder)).toBe(true);
		const { uid, mode } = await stat(own.disk("files"));
		expect(String(uid)).toBe((await status(name, "Uid")).split("\t")[0]);
		expect(mode & 0o777).toBe(0o600);
	});

	test.each(names)("%s is in the site's network namespace, not in the host's", async (name) => {
		const lives = await readlink(`/proc/${pids[name]}/ns/net`);
		expect(lives).toBe(`net:[${await inode(`/run/netns/${bulkhead.namespaceOf("box")}`)}]`);
		expect(lives).not.toBe(await readlink("/proc/self/ns/net"));
		for (const kind of ["mnt", "ipc", "uts"]) {
			const own = await readlink(`/proc/${pids[name]}/ns/${kind}`);
			expect(own, kind).not.toBe(await readlink(`/proc/self/ns/${kind}`));
		}
	});

	test.each(names)("%s is held by limits of memory, processors and tasks", async (name) => {
		const [bytes = 0] = await limit(name, { v1: "memory.limit_in_bytes", v2: "memory.max" });
		expect(bytes).toBeGreaterThan(memory);
		expect(bytes).toBeLessThanOrEqual(memory + 512 * 2 ** 20);
		const [quota = 0] = await limit(name, { v1: "cpu.cfs_quota_us", v2: "cpu.max" });
		expect(quota).toBeGreaterThan(0);
		expect(quota).toBeLessThanOrEqual(150_000);
		const [tasks = 0] = await limit(name, { v1: "pids.max", v2: "pids.max" });
		expect(tasks).toBeGreaterThan(0);
		expect(tasks).toBeLessThan(1000);
	});
});

describe("a guest", () => {
	test("reaches itself, and neither the sandbox nor another guest", async () => {
		expect(await text(ports.blue)).toContain("server=blue");
		const other = addresses.blue;
		const attempt = async (command: string) => {
			const said = await bulkhead.type("red", `${command} > /dev/null 2>&1`);
			return /DONE-(\d+)/.exec(said ?? "")?.[1];
		};
		// busybox's own wget, linked statically, needs libraries that this guest does not have.
		const ask = (address: string) =>
			`printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc -w 3 ${address} 80 | grep server=`;
		// That its tools work shows what follows to be the sandbox's doing.
		expect(await attempt(ask(addresses.red))).toBe("0");
		expect(await attempt(`ping -c 1 -W 2 ${addresses.red}`)).toBe("0");
		for (const address of [gateway, other]) {
			expect(await attempt(`ping -c 2 -W 1 ${address}`), `ping ${address}`).not.toBe("0");
			expect(await attempt(ask(address)), `HTTP of ${address}`).not.toBe("0");
		}
		expect(await attempt("ping -c 2 -W 1 8.8.8.8"), "the world").not.toBe("0");
		const { counted } = await bulkhead.client.call("sandbox", { server: "red" }, null);
		expect(counted?.droppedIn.packets).toBeGreaterThan(0);
		// And nobody is the worse for it.
		expect(await text(ports.blue)).toContain("server=blue");
	});

	const spoofs = {
		spoofedIp: [
			"ip addr add 10.93.0.99/32 dev eth0",
			`ping -c 2 -W 1 -I 10.93.0.99 ${gateway}`,
			"ip addr del 10.93.0.99/32 dev eth0",
		],
		spoofedArp: [
			`ip addr add ${addresses.blue}/32 dev eth0`,
			`arping -U -c 2 -w 2 -I eth0 ${addresses.blue}`,
			`ip addr del ${addresses.blue}/32 dev eth0`,
		],
		otherProtocol: [
			// It greets routers when it begins.
			"echo 1 > /proc/sys/net/ipv6/conf/eth0/disable_ipv6",
			"echo 0 > /proc/sys/net/ipv6/conf/eth0/disable_ipv6",
			"sleep 2",
		],
		spoofedMac: [
			"MAC=$(cat /sys/class/net/eth0/address)",
			"ip link set eth0 down",
			"ip link set eth0 address 02:00:00:00:00:99",
			"ip link set eth0 up",
			`ping -c 2 -W 1 ${gateway}`,
			"ip link set eth0 down",
			"ip link set eth0 address $MAC",
			"ip link set eth0 up",
		],
	} as const;

	test.each(Object.keys(spoofs) as (keyof typeof spoofs)[])(
		"sends as itself or not at all: %s is dropped and counted",
		async (kind) => {
			const count = async () =>
				(await bulkhead.client.call("sandbox", { server: "red" }, null)).counted?.[kind].packets ?? 0;
			const before = await count();
			await bulkhead.type("red", `{ ${spoofs[kind].join("; ")}; } > /dev/null 2>&1`);
			expect(await count()).toBeGreaterThan(before);
			await until(
				"the guest answering again",
				async () => (await text(ports.red)).includes("server=red"),
				20_000,
			);
			expect(await text(ports.blue)).toContain("server=blue");
		},
	);

	test("has a picture of who reaches it and what it reaches, that says why", async () => {
		const { stdout } = await bulkhead.command("sandbox", "red");
		expect(stdout).toMatch(new RegExp(`host {2}──▶ :${ports.red} ──▶ {2}│ http`));
		expect(stdout).toContain("servers.red.publish[0]");
		expect(stdout).toMatch(/blue +nothing of red/);
		expect(stdout).toMatch(/red +nothing outside/);
	});
});
