import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { run } from "../../src/host/command.ts";
import { countersOf } from "../../src/network/counters.ts";
import { setKernel } from "../../src/network/namespace.ts";
import { obstaclesOf } from "../../src/network/outbound/obstacles.ts";
import { ensureOutbound, outboundCountersOf, removeOutbound } from "../../src/network/outbound/outbound.ts";
import { everything, type OutboundRule, passedCounter } from "../../src/network/outbound/plan.ts";
import { outerNameOf } from "../../src/network/outbound/uplink.ts";
import { macOf, type PortPlan, type SegmentPlan } from "../../src/network/plan.ts";
import { enslave } from "../../src/network/port.ts";
import { Sandbox } from "../../src/network/sandbox.ts";
import { talk } from "./talk.ts";

/**
 * A sandbox with two guests, and in the place of the host and of the internet a namespace each: on the machine that
 * runs this no setting, rule or route is changed.
 */
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });
const serveScript = join(import.meta.dirname, "../../src/network/testing/serve.ts");
const tag = `bho${process.pid}`;
const [host, net] = [`${tag}host`, `${tag}net`];
const outside = { namespace: host };
const segment: SegmentPlan = { name: "office", subnet: "10.77.0.0/24", subnet6: "fd00:77::/64" };
const sandbox = new Sandbox(tag, "test");
const other = new Sandbox(`${tag}x`, "other");
const started: ChildProcess[] = [];

interface Guest extends PortPlan {
	namespace: string;
	address6: string;
}
const guestOf = (server: string, index: number): Guest => ({
	...{ server, segment: "office", uid: 310_000 + index, namespace: `${tag}${server}` },
	...{ address: `10.77.0.${10 + index}`, address6: `fd00:77::${10 + index}` },
	...{ mac: macOf("test", server), tap: `tap${index}-1` },
});
const web = guestOf("web", 1);
const db = guestOf("db", 2);

const ip = async (...args: string[]) => (await run("ip", args, { deadlineMs: 10_000 })).stdout;
const inside = async (namespace: string, ...command: string[]) =>
	(await run("nsenter", [`--net=/run/netns/${namespace}`, ...command], { deadlineMs: 20_000 })).stdout;

async function attach(guest: Guest): Promise<void> {
	const { namespace, tap, mac, address, address6 } = guest;
	await ip("netns", "add", namespace);
	const peer = ["type", "veth", "peer", "name", tap, "netns", tag];
	await ip("-n", namespace, "link", "add", "eth0", "address", mac, ...peer);
	await enslave(tag, guest);
	await sandbox.connect(guest);
	await setKernel(namespace, { "net/ipv6/conf/eth0/accept_ra": 0 });
	for (const name of ["lo", "eth0"]) await ip("-n", namespace, "link", "set", name, "up");
	await ip("-n", namespace, "addr", "add", `${address}/24`, "dev", "eth0");
	await ip("-n", namespace, "addr", "add", `${address6}/64`, "dev", "eth0", "nodad");
	await ip("-n", namespace, "route", "add", "default", "via", "10.77.0.1");
	await ip("-n", namespace, "route", "add", "default", "via", "fd00:77::1");
}

/** The host routes between its sandboxes and a network with a server that has addresses of several networks. */
async function makeOutside(): Promise<void> {
	for (const namespace of [host, net]) {
		await ip("netns", "add", namespace);
		await ip("-n", namespace, "link", "set", "lo", "up");
	}
	await setKernel(host, { "net/ipv4/ip_forward": 1, "net/ipv6/conf/all/forwarding": 1 });
	await ip("-n", host, "link", "add", "lan0", "type", "veth", "peer", "name", "eth0", "netns", net);
	const addresses = [
		[host, "lan0", ["198.51.100.1/24", "2001:db8::1/64"]],
		[net, "eth0", ["198.51.100.7/24", "198.51.100.8/24", "192.0.2.9/32", "2001:db8::7/64"]],
	] as const;
	for (const [namespace, dev, own] of addresses) {
		await ip("-n", namespace, "link", "set", dev, "up");
		for (const one of own) {
			const nodad = one.includes(":") ? ["nodad"] : [];
			await ip("-n", namespace, "addr", "add", one, "dev", dev, ...nodad);
		}
	}
	await ip("-n", host, "route", "add", "default", "via", "198.51.100.7");
	await serve(net, 443, 8001, 9000);
	await serve(host, 22);
}

async function serve(namespace: string, ...ports: number[]): Promise<void> {
	const args = [`--net=/run/netns/${namespace}`, process.execPath, serveScript, ...ports.map(String)];
	const child = spawn("nsenter", args, { stdio: ["ignore", "pipe", "inherit"] });
	started.push(child);
	await once(child.stdout, "data");
}

async function reaches(from: Guest, address: string, port: number): Promise<boolean> {
	const attempt = `timeout 1 bash -c 'exec 3<>/dev/tcp/${address}/${port}' 2>/dev/null && echo yes || echo no`;
	return (await inside(from.namespace, "bash", "-c", attempt)) === "yes\n";
}

/** An ICMP echo with its checksum (RFC 792), and a second for the answer; Debian's base system has no ping. */
const ping = `use Socket; socket(S, AF_INET, SOCK_RAW, 1) or die "$!"; connect(S, sockaddr_in(0, inet_aton($ARGV[0]))) or die "$!";
	send(S, pack("CCnnn", 8, 0, 0xffff - 0x0800 - 7 - 1, 7, 1), 0); my $r = ""; vec($r, fileno(S), 1) = 1;
	print select($r, undef, undef, 1) > 0 ? "yes\n" : "no\n";`;

async function pings(from: Guest, address: string): Promise<boolean> {
	return (await inside(from.namespace, "perl", "-e", ping, address)) === "yes\n";
}

/** Lets web out by rules and db not at all, or as said. */
async function letOut(rules: readonly OutboundRule[], ofDb: readonly OutboundRule[] = []): Promise<void> {
	const servers = [
		{ name: "web", address: web.address, address6: web.address6, rules },
		{ name: "db", address: db.address, address6: db.address6, rules: ofDb },
	];
	await ensureOutbound({ namespace: tag, servers }, outside);
}
const to = (where: string, more: Partial<OutboundRule> = {}): OutboundRule => ({
	...{ to: where, protocol: "tcp", ports: [] },
	...more,
});
const packets = async (name: string) => (await outboundCountersOf(tag)).get(name)?.packets ?? 0;
const passed = async (rule: OutboundRule) => await packets(passedCounter("web", rule));
const hostTables = async () => (await inside(host, "nft", "list", "tables")).trim().split("\n").sort();
const hostLinks = async () =>
	(JSON.parse(await ip("-n", host, "-j", "link")) as { ifname: string }[]).map(({ ifname }) => ifname);

/** Packets that the host's own end has dropped, by its counter. */
async function hostDropped(counter: string): Promise<number> {
	const text = await inside(host, "nft", "list", "counters");
	return Number(new RegExp(`counter ${counter} \\{\\s*packets (\\d+)`).exec(text)?.[1] ?? -1);
}

beforeAll(async () => {
	await sandbox.ensure([segment]);
	await sandbox.permit([]);
	await makeOutside();
	for (const guest of [web, db]) await attach(guest);
});

afterAll(async () => {
	for (const child of started) child.kill("SIGKILL");
	for (const namespace of [web.namespace, db.namespace, net, host])
		await ip("netns", "del", namespace).catch(() => {});
	for (const one of [sandbox, other]) await one.destroy();
	expect(await ip("netns", "list")).not.toContain(tag);
});

describe("without a rule", () => {
	test("nothing is made, nothing goes out, and the sandbox counts it", async () => {
		await letOut([]);
		expect(await hostLinks()).toEqual(["lo", "lan0"]);
		expect(await hostTables()).toEqual([""]);
		const before = (await countersOf(tag)).dropped_forward.packets;
		expect(await reaches(web, "198.51.100.7", 443)).toBe(false);
		expect((await countersOf(tag)).dropped_forward.packets).toBeGreaterThan(before);
	});
});

describe("with rules", () => {
	test.each([
		[
			"an address and a port",
			[to("198.51.100.7", { ports: [[443, 443]] })],
			[true, false, false, false, false],
		],
		[
			"a range of ports",
			[
				to("198.51.100.7", {
					ports: [
						[443, 443],
						[8000, 8010],
					],
				}),
			],
			[true, true, false, false, false],
		],
		["a network", [to("198.51.100.0/24")], [true, true, true, false, false]],
		["an IPv6 address", [to("2001:db8::7", { ports: [[443, 443]] })], [false, false, false, false, true]],
		["two", [to("192.0.2.0/24"), to("2001:db8::/64")], [false, false, false, true, true]],
		["another protocol", [to("198.51.100.7", { protocol: "udp" })], [false, false, false, false, false]],
		["everything", [everything], [true, true, true, true, true]],
	] as [string, OutboundRule[], boolean[]][])(
		"%s: that is let out, and nothing else",
		async (_, rules, expected) => {
			await letOut(rules);
			const asked = [
				["198.51.100.7", 443],
				["198.51.100.7", 8001],
				["198.51.100.8", 9000],
				["192.0.2.9", 443],
				["2001:db8::7", 443],
			] as const;
			const before = await packets("dropped.web");
			const [ofDb, ...seen] = await Promise.all([
				reaches(db, "198.51.100.7", 443),
				...asked.map(async ([address, port]) => await reaches(web, address, port)),
			]);
			expect(seen).toEqual(expected);
			expect(ofDb, "another server").toBe(false);
			const dropped = (await packets("dropped.web")) - before;
			expect(dropped > 0).toBe(expected.includes(false));
			expect((await passed(rules[0] ?? everything)) > 0).toBe(seen.some(Boolean));
			expect(await packets("dropped.db")).toBeGreaterThan(0);
		},
	);

	test("ICMP is a protocol of its own", async () => {
		await letOut([to("any")]);
		expect(await pings(web, "198.51.100.7")).toBe(false);
		await letOut([to("198.51.100.0/24", { protocol: "icmp" })]);
		expect(await pings(web, "198.51.100.7")).toBe(true);
		expect(await reaches(web, "198.51.100.7", 443)).toBe(false);
	});

	test("the outside sees the host's address, and not the sandbox's", async () => {
		await letOut([everything]);
		expect(await pings(web, "198.51.100.7")).toBe(true);
		const tracked = await inside(host, "conntrack", "-L", "-p", "icmp");
		expect(tracked).toMatch(/dst=198\.51\.100\.7 .*src=198\.51\.100\.7 dst=198\.51\.100\.1 /);
		expect(tracked).not.toContain("10.77.0.");
	});

	test.each([
		["ip", web.address, "198.51.100.7"],
		["ip6", web.address6, "2001:db8::7"],
	])(
		"nor by the end of a connection that the sandbox has forgotten (%s), which stays inside and is counted",
		async (family, own, address) => {
			await letOut([everything]);
			const coming = "type filter hook prerouting priority raw;";
			const seen = `table inet seen { chain coming { ${coming} ${family} saddr ${own} counter; }; }`;
			await inside(net, "nft", seen);
			const open = await talk(web.namespace, address, 443);
			await inside(tag, "conntrack", "-D", "-s", own, "-d", address);
			const before = await packets("dropped.web");
			await open[Symbol.asyncDispose]();
			const left = async () => {
				const text = await inside(net, "nft", "list", "table", "inet", "seen");
				return Number(/packets (\d+)/.exec(text)?.[1]);
			};
			const sent = async () => (await packets("dropped.web")) - before + (await left());
			await vi.waitFor(async () => expect(await sent()).toBeGreaterThan(0), 5000);
			expect(await left()).toBe(0);
			await inside(net, "nft", "delete", "table", "inet", "seen");
		},
	);

	test("everything is neither the host, nor link-local, loopback or multicast; each is counted", async () => {
		await letOut([everything]);
		const before = await hostDropped("to_host");
		for (const address of ["198.51.100.1", "2001:db8::1"])
			expect(await reaches(web, address, 22)).toBe(false);
		expect(await hostDropped("to_host")).toBeGreaterThan(before);
		const never = await packets("dropped.web");
		for (const address of ["169.254.169.254", "240.0.0.1"])
			expect(await reaches(web, address, 443)).toBe(false);
		expect(await packets("dropped.web")).toBeGreaterThan(never);
		expect(await reaches(web, db.address, 443), "another guest").toBe(false);
		// The end of the way out that is in the sandbox.
		expect(await reaches(web, "169.254.255.1", 22)).toBe(false);
	});

	test("nobody outside reaches a guest by its way out", async () => {
		await letOut([everything]);
		const outer = outerNameOf(tag);
		await serve(web.namespace, 8080);
		await ip("-n", net, "route", "add", "10.77.0.0/24", "via", "198.51.100.1");
		await ip("-n", host, "route", "add", "10.77.0.0/24", "dev", outer);
		const before = await hostDropped("unasked");
		const attempt = "timeout 1 bash -c 'exec 3<>/dev/tcp/10.77.0.11/8080' 2>/dev/null && echo yes || echo no";
		expect(await inside(net, "bash", "-c", attempt)).toBe("no\n");
		expect(await hostDropped("unasked")).toBeGreaterThan(before);
		await ip("-n", net, "route", "del", "10.77.0.0/24");
		await ip("-n", host, "route", "del", "10.77.0.0/24");
	});

	test("a change sets no counter back and breaks no connection that is still allowed; what is taken away ends", async () => {
		const stays = to("198.51.100.7", { ports: [[443, 443]] });
		const taken = to("198.51.100.7", { ports: [[9000, 9000]] });
		await letOut([stays, taken]);
		await using goesOn = await talk(web.namespace, "198.51.100.7", 443);
		await using ends = await talk(web.namespace, "198.51.100.7", 9000);
		expect(await ends.say("both")).toBe(true);
		const before = await passed(stays);
		for (let i = 0; i < 10; i++) {
			await letOut([stays], i % 2 === 0 ? [everything] : []);
			expect(await goesOn.say(`still ${i}`)).toBe(true);
		}
		expect(await ends.say("anybody")).toBe(false);
		expect(await passed(stays)).toBeGreaterThan(before + 10);
		expect((await outboundCountersOf(tag)).has(passedCounter("web", taken))).toBe(false);
	});

	/** However slow this machine is: a connection that nobody answers is forgotten after 30 s. */
	const remembered = async () => {
		for (const namespace of [tag, host])
			await inside(namespace, "sysctl", "-qw", "net.netfilter.nf_conntrack_udp_timeout=600");
	};
	/** One UDP packet from each of 12,000 ports. */
	const flood = `use Socket; my ($to, $port, $first) = @ARGV;
		for (0 .. 11_999) { socket(my $s, AF_INET, SOCK_DGRAM, 0) or die; bind($s, pack_sockaddr_in($first + $_, INADDR_ANY)) or die;
			send($s, "x", 0, pack_sockaddr_in($port, inet_aton($to))) }`;
	const tracked = async (namespace: string) => Number(await inside(namespace, "conntrack", "-C"));

	test("a server has at most 10,000 connections open, also after changes of the rules", async () => {
		await remembered();
		await letOut([everything]);
		for (const namespace of [tag, host]) await inside(namespace, "conntrack", "-F");
		await using open = await talk(web.namespace, "198.51.100.7", 443);
		await inside(web.namespace, "perl", "-e", flood, "192.0.2.77", "9", "20000");
		const before = await tracked(host);
		expect(before).toBeGreaterThan(9_000);
		expect(before).toBeLessThan(10_200);
		for (const ofDb of [[], [everything]]) await letOut([everything], ofDb);
		const dropped = await packets("dropped.web");
		await inside(web.namespace, "perl", "-e", flood, "192.0.2.77", "10", "40000");
		expect(await packets("dropped.web")).toBeGreaterThan(dropped + 11_000);
		expect(await tracked(host)).toBeLessThan(10_200);
		expect(await open.say("still")).toBe(true);
		expect(await reaches(web, "2001:db8::7", 443), "IPv6 counts too").toBe(false);
		expect(await reaches(db, "198.51.100.7", 443)).toBe(true);
		for (const namespace of [tag, host]) await inside(namespace, "conntrack", "-F");
		expect(await reaches(web, "2001:db8::7", 443)).toBe(true);
	});

	test("all servers together have at most 30,000, whatever the sandbox takes for ended", async () => {
		await remembered();
		await letOut([everything]);
		await inside(host, "conntrack", "-F");
		for (const port of ["11", "12", "13", "14"]) {
			await inside(tag, "conntrack", "-F");
			await inside(web.namespace, "perl", "-e", flood, "192.0.2.77", port, "20000");
		}
		expect(await tracked(host)).toBeGreaterThan(29_000);
		expect(await tracked(host)).toBeLessThan(30_200);
		expect(await hostDropped("too_many_connections")).toBeGreaterThan(5_000);
		for (const namespace of [tag, host]) await inside(namespace, "conntrack", "-F");
		expect(await reaches(web, "198.51.100.7", 443)).toBe(true);
	});

	test("a server that tries all addresses of the host's network has the host look for few of them", async () => {
		await letOut([everything]);
		const scan = `use Socket qw(:DEFAULT inet_pton AF_INET6 pack_sockaddr_in6); socket(my $six, AF_INET6, SOCK_DGRAM, 0) or die;
			for (1 .. 500) { send($six, "x", 0, pack_sockaddr_in6(9, inet_pton(AF_INET6, "2001:db8::1:$_"))) }`;
		await inside(web.namespace, "perl", "-e", scan);
		const looked = (await ip("-n", host, "-6", "neigh", "show", "dev", "lan0")).split("\n");
		expect(looked.filter((line) => line.startsWith("2001:db8::1:")).length).toBeGreaterThan(200);
		expect(looked.length).toBeLessThan(270);
		expect(await hostDropped("too_many_neighbours")).toBeGreaterThan(200);
		// Whoever lies behind a router that is known is reached.
		const beyond = `use Socket; socket(my $four, AF_INET, SOCK_DGRAM, 0) or die;
			for (1 .. 500) { send($four, "x", 0, pack_sockaddr_in(9, inet_aton("203.0." . ($_ >> 8) . "." . ($_ & 255)))) }`;
		const dropped = await hostDropped("too_many_neighbours");
		await inside(web.namespace, "perl", "-e", beyond);
		expect(await hostDropped("too_many_neighbours")).toBe(dropped);
		await vi.waitFor(async () => expect(await reaches(web, "2001:db8::7", 443)).toBe(true), 15_000);
	});

	test("one whose rules the host's own programs have flushed is guarded again", async () => {
		await letOut([everything]);
		await inside(host, "nft", "flush", "ruleset");
		expect(await reaches(web, "198.51.100.1", 22), "the danger").toBe(true);
		await letOut([everything]);
		expect(await reaches(web, "198.51.100.1", 22)).toBe(false);
		expect(await reaches(web, "198.51.100.7", 443)).toBe(true);
	});

	test("what the host redirects to its containers is the host's too", async () => {
		await letOut([everything]);
		const redirect =
			"table ip redirects { chain pre { type nat hook prerouting priority dstnat; ip daddr 198.51.100.1 tcp dport 8888 dnat to 198.51.100.8:443; }; }";
		await inside(host, "nft", redirect);
		expect(await reaches(web, "198.51.100.1", 8888)).toBe(false);
		await inside(host, "nft", "delete", "table", "ip", "redirects");
	});

	test("a way out that is half there is made whole; one that is whole is left as it is", async () => {
		await letOut([everything]);
		const index = async () => (await ip("-n", host, "-o", "link", "show", outerNameOf(tag))).split(":")[0];
		const before = await index();
		await letOut([everything]);
		expect(await index()).toBe(before);
		await ip("-n", tag, "route", "del", "default");
		expect(await reaches(web, "198.51.100.7", 443)).toBe(false);
		await letOut([everything]);
		expect(await reaches(web, "198.51.100.7", 443)).toBe(true);
	});
});

describe("nothing is left", () => {
	test("after the last rule has gone", async () => {
		await letOut([everything]);
		expect(await hostLinks()).toContain(outerNameOf(tag));
		await letOut([]);
		expect(await hostLinks()).toEqual(["lo", "lan0"]);
		expect(await hostTables()).toEqual([""]);
		expect(await inside(tag, "nft", "list", "tables")).not.toContain("outbound");
		expect(await reaches(web, "198.51.100.7", 443)).toBe(false);
	});

	test("after one that could not be made", async () => {
		await ip("-n", tag, "link", "add", "uplink", "type", "bridge");
		await expect(letOut([everything])).rejects.toThrow();
		expect(await hostLinks()).toEqual(["lo", "lan0"]);
		expect(await hostTables()).toEqual([""]);
		await ip("-n", tag, "link", "del", "uplink");
	});

	test("when the sandbox went first", async () => {
		await other.ensure([segment]);
		const servers = [{ name: "web", address: web.address, rules: [everything] }];
		await ensureOutbound({ namespace: `${tag}x`, servers }, outside);
		expect(await hostLinks()).toContain(outerNameOf(`${tag}x`));
		await other.destroy();
		await removeOutbound(`${tag}x`, outside);
		expect(await hostTables()).toEqual([""]);
		expect(await hostLinks()).toEqual(["lo", "lan0"]);
	});
});

describe("what of the host's stops it is told", () => {
	test("routing that is off, and a firewall that drops what is routed", async () => {
		expect(await obstaclesOf({ six: true }, outside)).toEqual([]);
		await setKernel(host, { "net/ipv4/ip_forward": 0 });
		const closed =
			"table ip filter { chain FORWARD { type filter hook forward priority filter; policy drop; }; }";
		await run("nsenter", [`--net=/run/netns/${host}`, "nft", closed], { deadlineMs: 5000 });
		const found = await obstaclesOf({ six: true }, outside);
		expect(found.map(({ found }) => found)).toEqual([
			"this host does not route IPv4 (net.ipv4.ip_forward is 0)",
			"the host's firewall chain `ip filter FORWARD` drops what is routed",
		]);
		await letOut([everything]);
		expect(await reaches(web, "198.51.100.7", 443)).toBe(false);
		// The mend of the second, as it is told, and of the first.
		for (const [, command = ""] of (found[1]?.mend ?? "").matchAll(/nft '([^']+)'/g))
			await inside(host, "nft", command);
		await setKernel(host, { "net/ipv4/ip_forward": 1 });
		expect(await reaches(web, "198.51.100.7", 443)).toBe(true);
		expect(await obstaclesOf({ six: true }, outside)).toEqual([]);
	});
});
