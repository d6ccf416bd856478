import { chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { run } from "../../src/host/command.ts";
import { isAlive } from "../../src/host/process.ts";
import { ensureGiver, giverIn } from "../../src/network/leases/giver.ts";
import type { GiverPlan, Leases } from "../../src/network/leases/plan.ts";
import { setKernel } from "../../src/network/namespace.ts";
import { bridgeMacOf, macOf, type PortPlan, type SegmentPlan } from "../../src/network/plan.ts";
import { enslave } from "../../src/network/port.ts";
import { Sandbox } from "../../src/network/sandbox.ts";
import * as frames from "../../src/network/testing/frames.ts";

/** A sandbox with guests in plain namespaces, which are real DHCP clients: busybox' and ISC's, and Linux' own of IPv6. */
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });
const tag = `bhl${process.pid}`;
const sandbox = new Sandbox(tag, "test");
const segments: SegmentPlan[] = [
	{ name: "office", subnet: "10.77.0.0/24", subnet6: "fd00:77::/64" },
	{ name: "old", subnet: "10.78.0.0/22" },
	{
		...{ name: "lan", subnet: "192.168.7.0/24", subnet6: "fd00:79::/64" },
		lan: {
			gateway: "192.168.7.254",
			servers: [{ address: "192.168.7.20", address6: "fd00:79::20" }],
		},
	},
];
let folder = "";

interface Guest extends PortPlan {
	namespace: string;
}
const guestOf = (
	server: string,
	index: number,
	place: Pick<PortPlan, "segment" | "address" | "address6">,
): Guest => ({
	...{ server, uid: 320_000 + index, namespace: `${tag}${server}`, ...place },
	...{ mac: macOf("test", server), tap: `tap${index}-1` },
});
const web = guestOf("web", 1, { segment: "office", address: "10.77.0.11", address6: "fd00:77::11" });
const db = guestOf("db", 2, { segment: "office", address: "10.77.0.12", address6: "fd00:77::12" });
const plain = guestOf("plain", 3, { segment: "old", address: "10.78.3.13" });
const out = guestOf("out", 4, { segment: "lan", address: "192.168.7.20", address6: "fd00:79::20" });
/** Its port is known, and nobody has a lease for it. */
const odd = guestOf("odd", 5, { segment: "office", address: "10.77.0.15", address6: "fd00:77::15" });
const guests = [web, db, plain, out, odd];

const leases: Leases = {
	segments: [
		{
			...{ name: "office", mac: bridgeMacOf("test", "office"), own: "10.77.0.1", length: 24 },
			...{ router: "10.77.0.1", dns: "10.77.0.1" },
			six: { prefix: { base: "fd00:77::", length: 64 }, dns: "fd00:77::1" },
		},
		{
			...{ name: "old", mac: bridgeMacOf("test", "old"), own: "10.78.0.1", length: 22 },
			...{ router: "10.78.0.1", dns: "10.78.0.1" },
		},
		{
			...{ name: "lan", mac: bridgeMacOf("test", "lan"), own: "169.254.254.1", length: 24 },
			...{ router: "192.168.7.254", dns: "169.254.254.1", six: {} },
		},
	],
	servers: [web, db, plain, out],
};
const plan = (): GiverPlan => ({ namespace: tag, uid: 330_999, groups: [], folder: join(folder, "leases") });

const ip = async (...args: string[]) => (await run("ip", args, { deadlineMs: 10_000 })).stdout;
const inside = async (namespace: string, ...command: string[]) =>
	await run("nsenter", [`--net=/run/netns/${namespace}`, ...command], { deadlineMs: 20_000 });
const shell = async (namespace: string, script: string) =>
	(await inside(namespace, "sh", "-c", script)).stdout;

async function attach(guest: Guest): Promise<void> {
	const { namespace, tap, mac } = guest;
	await ip("netns", "add", namespace);
	const peer = ["type", "veth", "peer", "name", tap, "netns", tag];
	await ip("-n", namespace, "link", "add", "eth0", "address", mac, ...peer);
	await enslave(tag, guest);
	await sandbox.connect(guest);
	await setKernel(namespace, { "net/ipv6/conf/eth0/accept_ra": 1, "net/ipv6/conf/eth0/accept_dad": 0 });
	for (const name of ["lo", "eth0"]) await ip("-n", namespace, "link", "set", name, "up");
}

/** What busybox' client is told; every question twice at most. @returns "nothing" when nobody answers */
async function ask4(guest: Guest, ...options: string[]): Promise<string> {
	const client = `busybox udhcpc -f -q -n -t 2 -T 1 -i eth0 -s ${folder}/told4 ${options.join(" ")}`;
	const said = await shell(guest.namespace, `${client} 2>&1 || echo nothing`);
	return said.split("\n").find((line) => /^(bound|nothing)/.test(line)) ?? said;
}

/** Prints each frame sent to everybody that comes within three seconds, a line each. */
const listening = `timeout 3 perl -e '$| = 1; socket(my $s, 17, 3, 0x0300) or die; while (defined recv($s, my $f, 2000, 0)) { print unpack("H*", $f), "\\n" if substr($f, 0, 6) eq "\\xff" x 6 }' ||:`;

/** Sends three hundred packets of DHCPv6 that begin rightly and are nonsense then. */
const nonsense6 = `use Socket qw(:DEFAULT inet_pton pack_sockaddr_in6); socket(my $s, AF_INET6, SOCK_DGRAM, 17) or die; setsockopt($s, SOL_SOCKET, 25, "eth0\\0"); bind($s, pack_sockaddr_in6(546, inet_pton(AF_INET6, "::"))) or die; srand 1;
for my $i (1 .. 300) { my $junk = join "", map { chr rand 256 } 1 .. rand 200; send($s, pack("C a3 nn/a* nn/a*", $i % 14, "abc", 1, "me", 3, $junk) . substr($junk, 0, $i % 7), 0, pack_sockaddr_in6(547, inet_pton(AF_INET6, "ff02::1:2"))) or die $!; select undef, undef, undef, 0.01 if $i % 10 == 0 }`;

/** Runs ISC's client until its script has said something, or four seconds are over. */
async function dhclient(guest: Guest, options: string): Promise<void> {
	const client = `dhclient ${options} -1 -d -q eth0 > /dev/null 2>&1 & `;
	const wait = `for i in $(seq 38); do sleep 0.1; [ -e ${folder}/said6 ] && break; done; kill -9 $!; wait`;
	// It has been killed, which is no failure.
	await shell(guest.namespace, `${client}${wait}; true`);
}

/** What ISC's client is told by DHCPv6; "nothing" after four seconds. @param id another one each time is a new installation */
async function ask6(guest: Guest, id = ""): Promise<string> {
	await writeFile(`${folder}/dhclient.conf`, id === "" ? "" : `send dhcp6.client-id ${id};\n`);
	const files = `-cf ${folder}/dhclient.conf -lf ${folder}/leases6 -pf ${folder}/pid6 -sf ${folder}/told6`;
	await rm(`${folder}/leases6`, { force: true });
	await rm(`${folder}/said6`, { force: true });
	await dhclient(guest, `-6 -D LL ${files}`);
	return (await readFile(`${folder}/said6`, "utf8").catch(() => "nothing")).trim();
}

beforeAll(async () => {
	folder = await mkdtemp(join(tmpdir(), "bulkhead-leases-"));
	await chmod(folder, 0o755);
	await writeFile(
		`${folder}/told4`,
		'#!/bin/sh\necho "$1 $ip $subnet router $router dns $dns from $serverid for $lease"\n',
		{ mode: 0o755 },
	);
	await writeFile(
		`${folder}/told6`,
		`#!/bin/sh\ncase $reason in BOUND) echo "$new_ip_address" > ${folder}/said6;; BOUND6) echo "$new_ip6_address dns $new_dhcp6_name_servers for $new_max_life" > ${folder}/part && mv ${folder}/part ${folder}/said6;; esac\n`,
		{ mode: 0o755 },
	);
	await sandbox.ensure(segments);
	for (const guest of guests) await attach(guest);
	await ensureGiver(plan(), leases);
	await vi.waitFor(async () => expect(await ask4(web)).toMatch(/^bound/), { timeout: 10_000 });
});

afterAll(async () => {
	await giverIn(plan().folder).end();
	for (const { namespace } of guests) await ip("netns", "del", namespace).catch(() => {});
	await sandbox.destroy();
	await rm(folder, { recursive: true, force: true });
	expect(await ip("netns", "list")).not.toContain(tag);
	// Nobody is found: pgrep(1).
	await expect(run("pgrep", ["-f", `^dhclient.*${folder}`], { deadlineMs: 5000 })).rejects.toMatchObject({
		code: 1,
	});
});

const webs = "bound 10.77.0.11 255.255.255.0 router 10.77.0.1 dns 10.77.0.1 from 10.77.0.1 for 4294967295";

describe("by DHCP", () => {
	test("each server is told its own address, router and name server", async () => {
		expect(await ask4(web)).toBe(webs);
		expect(await ask4(db)).toBe(webs.replace("0.11", "0.12"));
		expect(await ask4(plain)).toBe(
			"bound 10.78.3.13 255.255.252.0 router 10.78.0.1 dns 10.78.0.1 from 10.78.0.1 for 4294967295",
		);
	});

	test("one on a network of the LAN is told the LAN's router", async () => {
		expect(await ask4(out)).toBe(
			"bound 192.168.7.20 255.255.255.0 router 192.168.7.254 dns 169.254.254.1 from 169.254.254.1 for 4294967295",
		);
	});

	test("one that can only hear what is sent to everybody too, and nobody else hears it", async () => {
		const heard = shell(db.namespace, listening);
		await delay(500);
		expect(await ask4(web, "-B")).toBe(webs);
		expect(await heard).toBe("");
	});

	test("whoever names itself anew, or wants another address, gets its own", async () => {
		expect(await ask4(web, "-x 0x3d:0102030405")).toBe(webs);
		expect(await ask4(web, "-r 10.77.0.12")).toBe(webs);
	});

	test("whoever goes on using another address is told at once that it is not its own, and gets its own", async () => {
		const never = ["renew", "rebind", "expire"].map((what) => `${what} never;`).join(" ");
		const old = `lease { interface "eth0"; fixed-address 10.77.0.12; option subnet-mask 255.255.255.0; ${never} }\n`;
		await writeFile(`${folder}/leases4`, old);
		await rm(`${folder}/said6`, { force: true });
		const files = `-cf /dev/null -lf ${folder}/leases4 -pf ${folder}/pid6 -sf ${folder}/told6`;
		const began = performance.now();
		await dhclient(web, `-4 ${files}`);
		expect(await readFile(`${folder}/said6`, "utf8")).toBe("10.77.0.11\n");
		expect(performance.now() - began).toBeLessThan(3500);
	});

	test("floods of releases, refusals and nonsense change nothing for anybody", async () => {
		const before = await giverIn(plan().folder).process();
		const frame = (type: number, at: number) => {
			const head = Buffer.alloc(240);
			Buffer.from([1, 1, 6, 0]).copy(head);
			Buffer.from(web.mac.replaceAll(":", ""), "hex").copy(head, 28);
			Buffer.from("63825363", "hex").copy(head, 236);
			const options = Buffer.from([53, 1, type, 50, 4, 10, 77, 0, 11, 61, 200, at, 255, 54, 250, 1]);
			const packet = frames.udp(68, 67, Buffer.concat([head, options.subarray(0, at % 9 === 0 ? 16 : 9)]));
			const from4 = frames.ip4("0.0.0.0", "255.255.255.255", 17, packet);
			return frames.ethernet(web.mac, frames.broadcast, "ip", from4).toString("hex");
		};
		const flood = [4, 7, 3, 200].flatMap((type) => Array.from({ length: 60 }, (_, at) => frame(type, at)));
		const [{ ifindex }] = JSON.parse(await ip("-n", web.namespace, "-j", "link", "show", "eth0"));
		await inside(web.namespace, "perl", "-e", frames.sender, `${ifindex}`, ...flood);
		expect(await ask4(db)).toBe(webs.replace("0.11", "0.12"));
		await inside(web.namespace, "perl", "-e", nonsense6);
		expect(await ask6(db)).toBe("fd00:77::12 dns fd00:77::1 for 4294967295");
		expect(await ask4(web)).toBe(webs);
		expect(await ask6(web)).toBe("fd00:77::11 dns fd00:77::1 for 4294967295");
		expect(await giverIn(plan().folder).process()).toEqual(before);
	});

	test("a change of the list is told at once, by the process that runs", async () => {
		const before = await giverIn(plan().folder).process();
		await ensureGiver(plan(), { ...leases, servers: [{ ...web, address: "10.77.0.11" }, plain, odd] });
		expect(await ask4(odd)).toBe(webs.replace("0.11", "0.15"));
		expect(await ask4(db)).toBe("nothing");
		await ensureGiver(plan(), leases);
		expect(await ask4(db)).toBe(webs.replace("0.11", "0.12"));
		expect(await giverIn(plan().folder).process()).toEqual(before);
	});

	test("nobody else is answered", async () => {
		expect(await ask4(odd)).toBe("nothing");
	});
});

describe("by DHCPv6 and router advertisements", () => {
	test("each server is told its own address, and the bridge as its router", async () => {
		expect(await ask6(web)).toBe("fd00:77::11 dns fd00:77::1 for 4294967295");
		expect(await ask6(db)).toBe("fd00:77::12 dns fd00:77::1 for 4294967295");
		const routes = await ip("-n", web.namespace, "-6", "route");
		expect(routes).toMatch(/^default via fe80::1 dev eth0 proto ra /m);
		expect(routes).toMatch(/^fd00:77::\/64 dev eth0 proto kernel /m);
		// None by itself.
		expect(await ip("-n", web.namespace, "-6", "addr", "show", "scope", "global")).toBe("");
	});
	test("each question is counted once, and too many are not heard", async () => {
		const solicit = `use Socket qw(:DEFAULT inet_pton pack_sockaddr_in6); socket(my $s, AF_INET6, SOCK_RAW, 58) or die; setsockopt($s, SOL_SOCKET, 25, "eth0\\0"); send($s, pack("C x7", 133), 0, pack_sockaddr_in6(0, inet_pton(AF_INET6, "ff02::2"))) or die $! for 1 .. $ARGV[0]`;
		const counter = ["nft", "list", "counter", "inet", "bulkhead", "dropped_in"];
		const dropped = async () => Number(/packets (\d+)/.exec((await inside(tag, ...counter)).stdout)?.[1]);
		// Until it may ask forty times at once again.
		await delay(2500);
		const before = await dropped();
		await inside(web.namespace, "perl", "-e", solicit, "30");
		expect(await dropped()).toBe(before);
		await inside(web.namespace, "perl", "-e", solicit, "200");
		expect(await dropped()).toBeGreaterThan(before + 100);
		await delay(2500);
		expect(await ask6(web)).toBe("fd00:77::11 dns fd00:77::1 for 4294967295");
	});
	test("a new installation is told the same", async () => {
		for (const id of ["00:03:00:01:01:02:03:04:05:06", "00:04:01:02"])
			expect(await ask6(web, id)).toBe("fd00:77::11 dns fd00:77::1 for 4294967295");
	});
	test("on a network of the LAN all others are reached through the bridge", async () => {
		expect(await ask6(out)).toBe("fd00:79::20 dns  for 4294967295");
		const routes = await ip("-n", out.namespace, "-6", "route");
		expect(routes).toMatch(/^default via fe80::1 dev eth0 proto ra /m);
		expect(routes).not.toContain("fd00:79::/64");
	});
	test("nobody else is answered, nor where there is no IPv6", async () => {
		expect(await ask6(odd)).toBe("nothing");
		expect(await ask6(plain)).toBe("nothing");
		expect(await ip("-n", odd.namespace, "-6", "route")).not.toContain("default");
		expect(await ip("-n", plain.namespace, "-6", "route")).not.toContain("default");
	});
});

test("it has no privilege, and nothing of the host", async () => {
	const pid = (await giverIn(plan().folder).process())?.pid;
	const status = await readFile(`/proc/${pid}/status`, "utf8");
	expect(status).toMatch(/^CapEff:\s0+$/m);
	expect(status).toMatch(/^CapBnd:\s0+$/m);
	expect(status).toMatch(/^Uid:\s330999\s/m);
});

test("a record that is damaged is told of once, and replaced; what it told of is ended", async () => {
	const { folder } = plan();
	const told: string[] = [];
	const again = async () => await ensureGiver(plan(), leases, (what) => told.push(what));
	const processes = [await giverIn(folder).process()];
	for (const text of ["", "{ broken", "null", '{ "process": { "pid": -1 } }']) {
		await writeFile(`${folder}/leases.json`, text);
		expect(await again()).toBe(true);
		expect(await again()).toBe(false);
		const last = processes.at(-1);
		expect(last && isAlive(last)).toBe(false);
		processes.push(await giverIn(folder).process());
	}
	expect(told).toEqual(Array(4).fill(expect.stringContaining("leases.json is damaged")));
	await vi.waitFor(async () => expect(await ask4(web)).toBe(webs), { timeout: 5000 });
	await writeFile(`${folder}/leases.json`, "{ broken");
	await giverIn(folder).end((what) => told.push(what));
	const last = processes.at(-1);
	expect(last && isAlive(last)).toBe(false);
	expect(told).toHaveLength(5);
	expect(await again()).toBe(true);
});
