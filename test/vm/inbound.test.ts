import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import type { Context } from "../../src/daemon/context.ts";
import { HostDoor } from "../../src/daemon/parts/door.ts";
import { run } from "../../src/host/command.ts";
import { inboundClientsOf } from "../../src/network/inbound/clients.ts";
import { connectionsTo } from "../../src/network/inbound/established.ts";
import { askersOf, clientsOf, tellClients } from "../../src/network/inbound/farewell.ts";
import {
	type InboundServer,
	type InboundWay,
	namesOf,
	type Redirect,
	refusedCounter,
} from "../../src/network/inbound/plan.ts";
import { forgetSendersTo } from "../../src/network/inbound/tracked.ts";
import { setYielding } from "../../src/network/inbound/yielding.ts";
import { setKernel } from "../../src/network/namespace.ts";
import { ensureOutbound, outboundCountersOf, removeOutbound } from "../../src/network/outbound/outbound.ts";
import { droppedCounter, everything, type OutboundRule } from "../../src/network/outbound/plan.ts";
import { outerNameOf } from "../../src/network/outbound/uplink.ts";
import { bridgeMacOf, macOf, type PortPlan, type SegmentPlan } from "../../src/network/plan.ts";
import { enslave } from "../../src/network/port.ts";
import { Sandbox } from "../../src/network/sandbox.ts";
import * as frames from "../../src/network/testing/frames.ts";
import type { StoredServer } from "../../src/store/servers.ts";
import { talk } from "./talk.ts";

/**
 * Servers that are reached at addresses of their own: one on a network of the LAN, one on a segment of the sandbox's own.
 * In the place of the host and of a machine of the LAN a namespace each.
 */
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });
const whoScript = join(import.meta.dirname, "../../src/network/testing/who.ts");
const tag = `bhi${process.pid}`;
const [host, pc] = [`${tag}host`, `${tag}pc`];
const outside = { namespace: host };
const sandbox = new Sandbox(tag, "test");
const started: ChildProcess[] = [];

interface Guest extends PortPlan {
	namespace: string;
	address6: string;
}
const guestOf = (server: string, segment: string, index: number, net: string, net6: string): Guest => ({
	...{ server, segment, uid: 310_000 + index, namespace: `${tag}${server}` },
	...{ address: `${net}.${20 + index}`, address6: `${net6}::${20 + index}` },
	...{ mac: macOf("test", server), tap: `tap${index}-1` },
});
const dc = guestOf("dc", "branch", 1, "192.168.7", "2001:db8:7");
const files = guestOf("files", "branch", 2, "192.168.7", "2001:db8:7");
const web = guestOf("web", "office", 3, "10.77.0", "fd00:77");
const segments: SegmentPlan[] = [
	{ name: "office", subnet: "10.77.0.0/24", subnet6: "fd00:77::/64" },
	{
		...{ name: "branch", subnet: "192.168.7.0/24", subnet6: "2001:db8:7::/64" },
		lan: { gateway: "192.168.7.254", servers: [dc, files] },
	},
];

const ip = async (...args: string[]) => (await run("ip", args, { deadlineMs: 10_000 })).stdout;
const inside = async (namespace: string, ...command: string[]) =>
	(await run("nsenter", [`--net=/run/netns/${namespace}`, ...command], { deadlineMs: 20_000 })).stdout;

async function addAddresses(namespace: string, dev: string, ...addresses: string[]): Promise<void> {
	for (const name of ["lo", dev]) await ip("-n", namespace, "link", "set", name, "up");
	for (const one of addresses) {
		const nodad = one.includes(":") ? ["nodad"] : [];
		await ip("-n", namespace, "addr", "add", one, "dev", dev, ...nodad);
	}
}

/** As a guest is set up: on a network of the LAN as any machine of it, by IPv4; by IPv6 with its own address alone. */
async function attach(guest: Guest): Promise<void> {
	const { namespace, tap, mac, address, address6, segment } = guest;
	await ip("netns", "add", namespace);
	const peer = ["type", "veth", "peer", "name", tap, "netns", tag];
	await ip("-n", namespace, "link", "add", "eth0", "address", mac, ...peer);
	await enslave(tag, guest);
	await sandbox.connect(guest);
	await setKernel(namespace, { "net/ipv6/conf/eth0/accept_ra": 0 });
	const onLan = segment === "branch";
	await addAddresses(namespace, "eth0", `${address}/24`, `${address6}/${onLan ? 128 : 64}`);
	await ip("-n", namespace, "route", "add", "default", "via", onLan ? "192.168.7.254" : "10.77.0.1");
	const router = onLan ? "fe80::1" : "fd00:77::1";
	await ip("-n", namespace, "route", "add", "default", "via", router, "dev", "eth0");
	await serve(namespace, 53, 389, 5000);
}

/** A card that was taken down: addresses stay, routes do not. */
async function bring({ namespace, address6 }: Guest): Promise<void> {
	await ip("-n", namespace, "link", "set", "eth0", "up");
	await ip("-n", namespace, "route", "replace", "default", "via", "192.168.7.254");
	await ip("-n", namespace, "addr", "replace", `${address6}/128`, "dev", "eth0", "nodad");
	await ip("-n", namespace, "route", "replace", "default", "via", "fe80::1", "dev", "eth0");
}

async function serve(namespace: string, ...ports: number[]): Promise<ChildProcess> {
	const args = [`--net=/run/netns/${namespace}`, process.execPath, whoScript, ...ports.map(String)];
	const child = spawn("nsenter", args, { stdio: ["ignore", "pipe", "inherit"] });
	started.push(child);
	await once(child.stdout, "data");
	return child;
}

/** @returns the address that a server sees its client come from; null when it does not answer */
async function asks(from: string, protocol: "tcp" | "udp", address: string, port: number) {
	const script = `
		const end = (what) => { console.log(JSON.stringify(what)); process.exit(); };
		setTimeout(() => end(null), 2000);
		if ("${protocol}" === "tcp") {
			const c = require("node:net").connect(${port}, "${address}");
			c.on("data", (data) => end(String(data).trim())); c.on("error", () => end(null));
		} else {
			const s = require("node:dgram").createSocket("${address.includes(":") ? "udp6" : "udp4"}");
			s.on("message", (data) => end(String(data))); s.on("error", () => end(null));
			s.send("who", ${port}, "${address}");
		}`;
	return JSON.parse(await inside(from, process.execPath, "-e", script)) as string | null;
}

/** Asks by UDP where nothing listens. @returns `refused`, or `silence` */
async function asksClosed(from: string, address: string): Promise<string> {
	const script = `
		const end = (what) => { console.log(what); process.exit(); };
		setTimeout(() => end("silence"), 2000);
		const s = require("node:dgram").createSocket("${address.includes(":") ? "udp6" : "udp4"}");
		s.on("error", () => end("refused"));
		s.connect(7, "${address}", () => s.send("who"));`;
	return (await inside(from, process.execPath, "-e", script)).trim();
}

/** One that asks five times a second from a port of its own. @returns whether an answer comes within three seconds */
async function sender(from: string, port: number, address: string, to: number) {
	const script = `
		const s = require("node:dgram").createSocket("udp4");
		s.on("message", () => console.log("answer")); s.on("error", () => {});
		s.bind(${port}, () => { console.log("ready"); setInterval(() => s.send("who", ${to}, "${address}", () => {}), 200); });`;
	const child = spawn("nsenter", [`--net=/run/netns/${from}`, process.execPath, "-e", script], {
		stdio: ["ignore", "pipe", "inherit"],
	});
	started.push(child);
	let heard = "";
	child.stdout.setEncoding("utf8").on("data", (text: string) => {
		heard += text;
	});
	await vi.waitFor(() => expect(heard).toContain("ready"), 10_000);
	// Time for some of it to be sent.
	await delay(500);
	return {
		isAnswered: async () => {
			// What is on its way comes before.
			await delay(300);
			heard = "";
			for (let i = 0; i < 30 && heard === ""; i++) await delay(100);
			return heard !== "";
		},
		[Symbol.asyncDispose]: async () => {
			child.kill("SIGKILL");
			await once(child, "close");
		},
	};
}

/** What stands between the server `dc` and its users, with what it says. */
function doorOfDc(): { door: HostDoor; said: string[] } {
	const server = {
		...{ name: "dc", subnet: "192.168.7.0/24", lan: { interface: "lan0" }, installed: { services: {} } },
		definition: {
			network: { segment: "branch", address: dc.address, address6: dc.address6 },
			publish: [{ service: "ldap", to: "lan" }],
		},
	} as unknown as StoredServer;
	const said: string[] = [];
	const history = { append: ({ text }: { text: string }) => said.push(text) };
	const paths = { door: () => `/run/netns/${tag}-no-door` };
	const context = { history, paths, log: { warn() {} } } as unknown as Context;
	return { door: new HostDoor(server, context, sandbox), said };
}

interface Given {
	yields?: boolean;
	ways?: readonly InboundWay[];
	redirects?: readonly Redirect[];
	rules?: readonly OutboundRule[];
	lan?: string;
}

/** What is let in to each server and out of it. */
async function letIn(given: { dc?: Given; web?: Given }): Promise<void> {
	const all = [
		{ guest: dc, ...given.dc },
		{ guest: web, ...given.web },
		{ guest: files, ...({} as Given) },
	];
	const servers = all.map(({ guest, rules = [], lan = "lan0" }) => ({
		...{ name: guest.server, address: guest.address, address6: guest.address6, rules },
		...(guest.segment === "branch" ? { lan } : {}),
	}));
	const inbound = all.map(
		({ guest, ways = [], redirects = [], yields = false }): InboundServer => ({
			...{ name: guest.server, address: guest.address, address6: guest.address6, ways, redirects, yields },
		}),
	);
	await ensureOutbound({ namespace: tag, servers, inbound }, outside);
}
const range = (protocol: "tcp" | "udp", first: number, last = first) => ({ protocol, first, last });
const ldap = (to: "host" | "lan"): InboundWay => ({
	...{ service: "ldap", to, ports: [range("tcp", 389), range("udp", 389)] },
});
/** Asks thirty times by UDP, as a resolver does, and says how many times it was refused. */
const refusals = `
	my $refused = 0;
	for (1 .. 30) {
		my $socket = IO::Socket::IP->new(Proto => "udp", PeerHost => $ARGV[0], PeerPort => 389) or die $@;
		$socket->send("anybody");
		vec(my $set = "", fileno $socket, 1) = 1;
		$refused++ if select($set, undef, undef, 0.5) && !defined $socket->recv(my $answer, 100);
	}
	print $refused;
`;
const packets = async (name: string) => (await outboundCountersOf(tag)).get(name)?.packets ?? 0;
const hostNet = async () => ({
	links: (JSON.parse(await ip("-n", host, "-j", "link")) as { ifname: string }[]).map(({ ifname }) => ifname),
	tables: await inside(host, "nft", "list", "tables"),
	routes: (await ip("-n", host, "route")) + (await ip("-n", host, "-6", "route")),
	proxies: await ip("-n", host, "neigh", "show", "proxy"),
});

beforeAll(async () => {
	for (const namespace of [host, pc]) await ip("netns", "add", namespace);
	await setKernel(host, { "net/ipv4/ip_forward": 1, "net/ipv6/conf/all/forwarding": 1 });
	await ip("-n", host, "link", "add", "lan0", "type", "veth", "peer", "name", "eth0", "netns", pc);
	await setKernel(host, { "net/ipv6/conf/lan0/proxy_ndp": 1 });
	await addAddresses(host, "lan0", "192.168.7.1/24", "2001:db8:7::1/64");
	await addAddresses(pc, "eth0", "192.168.7.50/24", "2001:db8:7::50/64");
	await serve(pc, 389);
	await sandbox.ensure(segments);
	await sandbox.permit([]);
	for (const guest of [dc, files, web]) await attach(guest);
});

afterAll(async () => {
	for (const child of started) child.kill("SIGKILL");
	for (const { namespace } of [dc, files, web]) await ip("netns", "del", namespace).catch(() => {});
	await removeOutbound(tag, outside);
	await sandbox.destroy();
	for (const namespace of [host, pc]) await ip("netns", "del", namespace).catch(() => {});
	expect(await ip("netns", "list")).not.toContain(tag);
});

describe("a server with an address of the LAN", () => {
	test("is reached by it, over TCP and UDP, IPv4 and IPv6, and sees who its clients are; nothing else is reached", async () => {
		await letIn({ dc: { ways: [ldap("lan")] } });
		for (const protocol of ["tcp", "udp"] as const) {
			expect(await asks(pc, protocol, dc.address, 389)).toBe("192.168.7.50");
			expect(await asks(pc, protocol, dc.address6, 389)).toBe("2001:db8:7::50");
		}
		const before = await packets(refusedCounter("dc"));
		expect(await asks(pc, "tcp", dc.address, 5000)).toBeNull();
		expect(await asks(host, "tcp", dc.address, 5000)).toBeNull();
		expect(await asks(pc, "tcp", files.address, 389)).toBeNull();
		expect(await asks(pc, "tcp", dc.address6, 5000)).toBeNull();
		expect(await packets(refusedCounter("dc"))).toBeGreaterThan(before);
		const { in: counter, clients, clients6 } = namesOf("dc", ldap("lan"));
		expect(await packets(counter)).toBeGreaterThan(0);
		// One connection over TCP, and one packet over UDP.
		const seen = await inboundClientsOf(tag);
		expect(seen.get(clients)).toEqual([{ client: "192.168.7.50", connections: 2 }]);
		expect(seen.get(clients6)).toEqual([{ client: "2001:db8:7::50", connections: 2 }]);
	});

	test("however many clients came, what is let in is changed, and who came is read", async () => {
		const ways = Array.from({ length: 9 }, (_, i): InboundWay => {
			return { service: `one-${i}`, to: "lan", ports: [range("tcp", 6000 + i)] };
		});
		await letIn({ dc: { ways } });
		const [four, six] = [[], []] as [string[], string[]];
		for (let i = 0; i < 10_000; i++) {
			four.push(`10.${100 + (i % 10)}.${i >> 8}.${i & 255}`);
			six.push(`2001:db8:7:${(0x1000 + i).toString(16)}:abcd:bcde:cdef:${(0x1000 + i).toString(16)}`);
		}
		const lines = ways.flatMap((way) => {
			const { clients, clients6 } = namesOf("dc", way);
			const full = (set: string, all: string[]) => `add element inet outbound ${set} { ${all.join(", ")} }`;
			return [full(clients, four), full(clients6, six)];
		});
		const fill = ["nsenter", `--net=/run/netns/${tag}`, "nft", "-f", "-"] as const;
		await run(fill[0], fill.slice(1), { deadlineMs: 40_000, input: `${lines.join("\n")}\n` });

		await setYielding(tag, [dc.address]);
		const seen = await inboundClientsOf(tag);
		await setYielding(tag, []);
		for (const way of ways) {
			const { clients, clients6 } = namesOf("dc", way);
			expect([seen.get(clients)?.length, seen.get(clients6)?.length]).toEqual([10_000, 10_000]);
		}
		await sandbox.permit([]);
		await letIn({ dc: { ways: [...ways, ldap("lan")] } });
		expect(await asks(pc, "tcp", dc.address, 389)).toBe("192.168.7.50");
		await removeOutbound(tag, outside);
	});

	test("reaches the LAN only by its rules, under its own address", async () => {
		await letIn({ dc: {} });
		expect(await asks(dc.namespace, "tcp", "192.168.7.50", 389)).toBeNull();
		await letIn({ dc: { rules: [{ to: "192.168.7.0/24", protocol: "tcp", ports: [[389, 389]] }] } });
		expect(await asks(dc.namespace, "tcp", "192.168.7.50", 389)).toBe(dc.address);
		await letIn({ dc: { rules: [everything] } });
		expect(await asks(dc.namespace, "tcp", "2001:db8:7::50", 389)).toBe(dc.address6);
		expect(await asks(files.namespace, "tcp", "192.168.7.50", 389)).toBeNull();
		expect(await asks(dc.namespace, "tcp", files.address, 389), "another server of the segment").toBeNull();
	});

	test("may say that it has nothing at a port; of its connections nobody else says anything", async () => {
		const ways: InboundWay[] = [{ service: "everything", to: "lan", ports: "everything" }];
		// Whatever it may answer and send: of that it says nothing either.
		await letIn({ dc: { ways }, web: { ways, rules: [everything] } });
		expect(await asksClosed(pc, dc.address)).toBe("refused");
		expect(await asksClosed(pc, dc.address6)).toBe("refused");
		await using open = await talk(pc, dc.address, 389);
		const listed = await inside(tag, "conntrack", "-L", "-s", "192.168.7.50", "-d", dc.address);
		const port = Number(/ESTABLISHED .*? sport=(\d+) dport=389/.exec(listed)?.[1]);
		const packet = frames.ip4("192.168.7.50", dc.address, 6, frames.tcp(port, 389));
		const says = async ({ namespace, segment, mac, address }: Guest) => {
			const card = (await ip("-n", namespace, "-o", "link", "show", "dev", "eth0")).split(":")[0] ?? "";
			const said = frames.undelivered4(address, "192.168.7.50", packet);
			const frame = frames.ethernet(mac, bridgeMacOf("test", segment), "ip", said);
			const dropped = async () => await packets(droppedCounter(namespace.slice(tag.length)));
			const before = await dropped();
			await inside(namespace, "perl", "-e", frames.sender, card, frame.toString("hex"));
			return (await dropped()) - before;
		};
		expect(await says(dc)).toBe(0);
		for (const one of [web, files]) expect(await says(one), one.server).toBe(1);
		expect(await open.say("still")).toBe(true);
	});

	test("is reached by the sandbox itself, which has no address of the LAN", async () => {
		await letIn({});
		await sandbox.permit([{ uid: 0, address: dc.address, port: 389 }]);
		expect(await asks(tag, "tcp", dc.address, 389)).toBe("169.254.254.1");
		await sandbox.permit([]);
	});
});

describe("by routing to the host only", () => {
	test("the host reaches it, and nobody else; it sees the host's end of the cable", async () => {
		await letIn({ web: { ways: [ldap("host")] } });
		for (const protocol of ["tcp", "udp"] as const)
			expect(await asks(host, protocol, web.address, 389)).toMatch(/^169\.254\.255\./);
		expect(await asks(host, "tcp", web.address6, 389)).toMatch(/^fd62:/);
		expect(await asks(host, "tcp", web.address, 5000)).toBeNull();
		await ip("-n", pc, "route", "add", "10.77.0.0/24", "via", "192.168.7.1");
		expect(await asks(pc, "tcp", web.address, 389)).toBeNull();
		await ip("-n", pc, "route", "del", "10.77.0.0/24");
	});

	test("nobody else is taken for the host, whatever address he sends from", async () => {
		const forHost: InboundWay = { service: "own", to: "host", ports: [range("udp", 5000)] };
		await letIn({ dc: { ways: [ldap("lan"), forHost] } });
		const hostEnd = (await ip("-n", host, "-6", "addr", "show", outerNameOf(tag))).match(
			/inet6 (fd62\S+)\/127/,
		)?.[1];
		// Then he knows where to send it.
		expect(await asks(pc, "tcp", dc.address6, 389)).toBe("2001:db8:7::50");
		const before = await packets(namesOf("dc", forHost).in);
		await ip("-n", pc, "addr", "add", `${hostEnd}/128`, "dev", "eth0", "nodad");
		const script = `const s = require("node:dgram").createSocket("udp6");
			s.bind(0, "${hostEnd}", () => s.send("forged", 5000, "${dc.address6}", () => s.close()));`;
		await inside(pc, process.execPath, "-e", script);
		await ip("-n", pc, "addr", "del", `${hostEnd}/128`, "dev", "eth0");
		expect(await packets(namesOf("dc", forHost).in)).toBe(before);
		expect(await asks(host, "udp", dc.address6, 5000)).toBe(hostEnd);
		expect(await packets(namesOf("dc", forHost).in)).toBe(before + 1);
	});

	describe("a container that the host masquerades", () => {
		const box = { namespace: `${tag}box`, address: "172.17.0.2", address6: "fd17::2" };
		/** As Docker has it: whatever leaves by another interface than its bridge gets the address of that one. */
		const masquerades = [
			"table ip nat { chain POSTROUTING { type nat hook postrouting priority srcnat; ip saddr 172.17.0.0/16 oifname != docker0 masquerade; }; }",
			"table ip6 nat { chain POSTROUTING { type nat hook postrouting priority srcnat; ip6 saddr fd17::/64 oifname != docker0 masquerade; }; }",
		].join("\n");

		beforeAll(async () => {
			await ip("netns", "add", box.namespace);
			const peer = ["type", "veth", "peer", "name", "eth0", "netns", box.namespace];
			await ip("-n", host, "link", "add", "docker0", ...peer);
			await addAddresses(host, "docker0", "172.17.0.1/16", "fd17::1/64");
			await addAddresses(box.namespace, "eth0", `${box.address}/16`, `${box.address6}/64`);
			for (const router of ["172.17.0.1", "fd17::1"])
				await ip("-n", box.namespace, "route", "add", "default", "via", router);
			await inside(host, "nft", masquerades);
		});

		afterAll(async () => {
			await ip("netns", "del", box.namespace);
			for (const family of ["ip", "ip6"]) await inside(host, "nft", "delete", "table", family, "nat");
		});

		const forHost: InboundWay = {
			...{ service: "own", to: "host", ports: [range("tcp", 5000), range("udp", 5000)] },
		};
		const all = [dc.address, dc.address6].flatMap((address) =>
			(["tcp", "udp"] as const).map((protocol) => ({ address, protocol })),
		);

		test("is not the host: it reaches what the LAN does, under its own address, and nothing else", async () => {
			await letIn({ dc: { ways: [ldap("lan"), forHost] } });
			for (const { address, protocol } of all) {
				const [own, hostEnd] = address.includes(":")
					? [box.address6, /^fd62:/]
					: [box.address, /^169\.254\./];
				expect(await asks(box.namespace, protocol, address, 5000), `${protocol} ${address}`).toBeNull();
				expect(await asks(box.namespace, protocol, address, 389)).toBe(own);
				expect(await asks(host, protocol, address, 5000)).toMatch(hostEnd);
			}
			expect(await asks(pc, "tcp", dc.address, 389)).toBe("192.168.7.50");
		});

		test("nor when it came while the host's ruleset was flushed", async () => {
			await letIn({ dc: { ways: [ldap("lan"), forHost] } });
			await inside(host, "nft", "flush", "ruleset");
			await inside(host, "nft", masquerades);
			await using open = await talk(box.namespace, dc.address, 5000);
			expect(await open.say("the danger")).toBe(true);
			await using asker = await sender(box.namespace, 40_004, dc.address, 389);
			await letIn({ dc: { ways: [ldap("lan"), forHost] } });
			expect(await open.say("anybody")).toBe(false);
			expect(await asks(box.namespace, "tcp", dc.address, 5000)).toBeNull();
			// What it may is not lost: it is seen under its own address from now on.
			expect(await asker.isAnswered()).toBe(true);
			expect(await inside(host, "conntrack", "-L", "-p", "udp", "--sport", "40004")).toContain(
				`dst=${box.address}`,
			);
		});
	});

	test("also when the host's ruleset was flushed", async () => {
		await letIn({ dc: { ways: [ldap("host")] } });
		await inside(host, "nft", "flush", "ruleset");
		await ip("-n", host, "neigh", "add", "proxy", dc.address, "dev", "lan0");
		expect(await asks(pc, "tcp", dc.address, 389)).toBeNull();
		await ip("-n", host, "neigh", "del", "proxy", dc.address, "dev", "lan0");
		await letIn({ dc: { ways: [ldap("host")] } });
		expect(await asks(host, "tcp", dc.address, 389)).not.toBeNull();
	});
});

test("a whole server: all that it serves, and what answers a ping", async () => {
	const whole: InboundWay = { service: "everything", to: "lan", ports: "everything" };
	await letIn({ dc: { ways: [whole] } });
	for (const port of [53, 389, 5000]) {
		expect(await asks(pc, "tcp", dc.address, port)).toBe("192.168.7.50");
		expect(await asks(pc, "udp", dc.address6, port)).toBe("2001:db8:7::50");
	}
	expect(await asks(pc, "tcp", files.address, 389)).toBeNull();
});

/** Connects, or asks by UDP, says one thing, by UDP once more after a while where that is wanted, and waits for whatever becomes of it. */
function waits(from: string, protocol: "tcp" | "udp", address: string, port: number, againAfterMs?: number) {
	const script = `
		const end = (what) => { console.log(what); process.exit(); };
		setTimeout(() => end("silence"), 10_000);
		if ("${protocol}" === "tcp") {
			const c = require("node:net").connect(${port}, "${address}");
			c.once("data", () => console.log("ready")); c.on("error", ({ code }) => end(code)); c.on("end", () => end("end"));
		} else {
			const s = require("node:dgram").createSocket("${address.includes(":") ? "udp6" : "udp4"}");
			s.on("message", () => end("answer")); s.on("error", ({ code }) => end(code));
			s.connect(${port}, "${address}", () => s.send("who", () => console.log("ready")));
			if (${againAfterMs !== undefined}) setTimeout(() => s.send("who"), ${againAfterMs ?? 0});
		}`;
	const args = [`--net=/run/netns/${from}`, process.execPath, "-e", script];
	const child = spawn("nsenter", args, { stdio: ["ignore", "pipe", "inherit"] });
	started.push(child);
	const said: string[] = [];
	child.stdout.setEncoding("utf8").on("data", (text: string) => said.push(...text.trim().split("\n")));
	const ended = once(child, "close").then(() => said.at(-1));
	return {
		ready: async () =>
			await vi.waitFor(() => expect(said, `${from} ${protocol} ${address}`).toContain("ready"), 10_000),
		ended,
	};
}

describe("a server that has gone", () => {
	// Also when a test fails.
	afterEach(async () => await bring(dc));

	test("its clients are told at once, on the host, on the LAN and among servers; who is about to connect waits", async () => {
		await letIn({ dc: { ways: [ldap("lan")] } });
		const paths = [{ from: files.address, to: dc.address, protocol: "tcp", port: 389 }] as const;
		await sandbox.permit([], { paths, open: [] });
		const all = [
			...[dc.address, dc.address6].flatMap((address) => [
				waits(pc, "tcp", address, 389),
				waits(host, "tcp", address, 389),
			]),
			waits(files.namespace, "tcp", dc.address, 389),
		];
		await Promise.all(all.map(async ({ ready }) => await ready()));
		await ip("-n", dc.namespace, "link", "set", "eth0", "down");
		const late = waits(pc, "tcp", dc.address, 389);
		await delay(300);
		await tellClients(tag, (await clientsOf(tag, [dc.address, dc.address6], [])).connected);
		const ends = await Promise.all(all.map(async ({ ended }) => await ended));
		expect(ends).toEqual(all.map(() => "ECONNRESET"));
		await bring(dc);
		await late.ready();
		await sandbox.permit([]);
	});

	test("who had asked by UDP is refused as soon as it serves again; not who has asked again by then", async () => {
		await letIn({ dc: { ways: [ldap("lan")] } });
		const { door, said } = doorOfDc();
		await ip("-n", dc.namespace, "link", "set", "eth0", "down");
		const asked = [dc.address, dc.address6].map((address) => waits(pc, "udp", address, 389));
		const patient = waits(pc, "udp", dc.address, 389, 2000);
		await Promise.all([...asked, patient].map(async ({ ready }) => await ready()));
		let refused = 0;
		for (const { ended } of asked) void ended.then(() => refused++);
		const cut = performance.now();
		await door.cut();
		await delay(2500);
		expect(refused).toBe(0);
		await bring(dc);
		expect(performance.now() - cut, "who had asked is told within 5 s").toBeLessThan(4500);
		expect(await asks(pc, "tcp", dc.address, 389)).toBe("192.168.7.50");
		for (const { ended } of asked) expect(await ended).toBe("ECONNREFUSED");
		expect(await patient.ended).toBe("silence");
		await door.close();
		expect(said).toEqual([]);
	});

	test("nobody waits for those who had asked: not the next failure, nor who closes its front door", async () => {
		await letIn({ dc: { ways: [ldap("lan")] } });
		const { door, said } = doorOfDc();
		await ip("-n", dc.namespace, "link", "set", "eth0", "down");
		const asked = waits(pc, "udp", dc.address, 389);
		await asked.ready();
		const telling = async () =>
			[...(await inside(tag, "ss", "-H0p")).matchAll(/"perl",pid=(\d+)/g)].map(([, pid]) => pid);
		await door.cut();
		await vi.waitFor(async () => expect(await telling()).toHaveLength(1), 2000);
		const [first] = await telling();
		await door.cut();
		await vi.waitFor(async () => {
			const now = await telling();
			expect(now).toHaveLength(1);
			expect(now).not.toContain(first);
		}, 2000);
		const closing = performance.now();
		await door.close();
		expect(performance.now() - closing, "it would wait for 5 s").toBeLessThan(2500);
		expect(await telling()).toEqual([]);
		expect(said).toEqual([]);
		await bring(dc);
		expect(await asked.ended).toBe("silence");
	});

	test("a client that does not hear of it counts for nothing soon, and one that comes for the next session does", async () => {
		await letIn({ dc: { ways: [ldap("lan")] } });
		const { door, said } = doorOfDc();
		const isFree = async (withinMs: number) => await door.drain(withinMs, new AbortController().signal);
		const all = await Promise.all([dc.address, dc.address6].map(async (one) => await talk(pc, one, 389)));
		expect(await isFree(0)).toBe(false);
		await inside(
			pc,
			"nft",
			`table inet t { chain o { type filter hook output priority 0; ip daddr ${dc.address} drop; ip6 daddr ${dc.address6} drop; }; }`,
		);
		await ip("-n", dc.namespace, "link", "set", "eth0", "down");
		await door.cut();
		await bring(dc);
		const next = await talk(host, dc.address, 389);
		const open = async () =>
			await Promise.all([dc.address, dc.address6].map(async (one) => await connectionsTo(tag, one, [])));
		await vi.waitFor(async () => expect(await open()).toEqual([1, 0]), { timeout: 20_000, interval: 200 });
		expect(await next.say("anybody")).toBe(true);
		expect(await isFree(0)).toBe(false);
		await next[Symbol.asyncDispose]();
		expect(await isFree(20_000)).toBe(true);
		expect(said).toEqual([]);
		await inside(pc, "nft", "delete table inet t");
		for (const one of all) await one[Symbol.asyncDispose]();
	});

	test("who comes for it while it sleeps is noticed, over IPv4 and IPv6; who comes for something else is not", async () => {
		await letIn({ dc: { ways: [ldap("lan")] } });
		await ip("-n", dc.namespace, "link", "set", "eth0", "down");
		for (const address of [dc.address, dc.address6]) {
			// Who came to the other address got no answer, and would be noticed as one who still waits.
			await inside(tag, "conntrack", "-F");
			const noticed = doorOfDc()
				.door.knock(AbortSignal.timeout(30_000))
				.then(() => "noticed");
			expect(await Promise.race([noticed, asks(pc, "tcp", address, 5000)])).toBeNull();
			const asking = asks(pc, "tcp", address, 389);
			expect(await noticed).toBe("noticed");
			await asking;
		}
		await bring(dc);
	});

	test("its clients are told also while another guest answers in their names", async () => {
		await letIn({ dc: { ways: [ldap("lan")] } });
		const all = Array.from({ length: 8 }, () => waits(pc, "tcp", dc.address, 389));
		await Promise.all(all.map(async ({ ready }) => await ready()));
		await ip("-n", dc.namespace, "link", "set", "eth0", "down");
		const clients = (await clientsOf(tag, [dc.address], [])).connected;
		const ports = clients
			.filter((line) => line.startsWith("tcp 192.168.7.50 "))
			.map((line) => line.split(" ")[2]);
		expect(ports.length).toBeGreaterThanOrEqual(8);
		// Acknowledgements of numbers that no client expects.
		const liar = `
			use Socket qw(:DEFAULT inet_aton IPPROTO_RAW);
			socket(my $raw, AF_INET, SOCK_RAW, IPPROTO_RAW) or die;
			my ($from, $to) = map { inet_aton($_) } "192.168.7.50", "${dc.address}";
			my @packets = map { pack('C C n n n C C n a4 a4', 0x45, 0, 40, 0, 0x4000, 64, 6, 0, $from, $to)
				. pack 'n n N N C C n n n', $_, 389, 1, 1, 0x50, 0x10, 0, 0, 0 } ${ports.join(", ")};
			syswrite STDOUT, "ready";
			while (1) { send $raw, $_, 0, pack_sockaddr_in(0, $to) for @packets; select undef, undef, undef, 0.0002 }`;
		const args = [`--net=/run/netns/${files.namespace}`, "perl", "-e", liar];
		const child = spawn("nsenter", args, { stdio: ["ignore", "pipe", "inherit"] });
		started.push(child);
		await once(child.stdout, "data");
		// It asks for the server's hardware address first.
		await delay(300);
		await tellClients(tag, clients);
		const ends = await Promise.all(all.map(async ({ ended }) => await ended));
		child.kill("SIGKILL");
		await bring(dc);
		expect(ends).toEqual(all.map(() => "ECONNRESET"));
	});
});

describe("a server that is away while another does its work", () => {
	afterEach(async () => {
		await setYielding(tag, []);
		await bring(dc);
	});

	/** How an attempt ends, and how soon: `refused 3 ms`. */
	const attempt = async (
		from: string,
		protocol: "tcp" | "udp",
		address: string,
		port: number,
		patienceMs = 2000,
	) => {
		const script = `
			const from = performance.now();
			const end = (what) => { console.log(JSON.stringify({ what, ms: performance.now() - from })); process.exit(); };
			setTimeout(() => end("silence"), ${patienceMs});
			if ("${protocol}" === "tcp") {
				const c = require("node:net").connect(${port}, "${address}");
				c.on("data", () => end("answer")); c.on("error", ({ code }) => end(code));
			} else {
				const s = require("node:dgram").createSocket("${address.includes(":") ? "udp6" : "udp4"}");
				s.on("message", () => end("answer")); s.on("error", ({ code }) => end(code));
				s.connect(${port}, "${address}", () => s.send("who"));
			}`;
		return JSON.parse(await inside(from, process.execPath, "-e", script)) as { what: string; ms: number };
	};
	const all = [dc.address, dc.address6].flatMap((address) =>
		(["tcp", "udp"] as const).map((protocol) => ({ address, protocol })),
	);

	test("refuses whoever may come, at once, and who is connected; nobody else hears of it", async () => {
		await letIn({ dc: { ways: [ldap("lan")], yields: true } });
		await using open = await talk(pc, dc.address, 389);
		await setYielding(tag, [dc.address, dc.address6]);
		for (const { address, protocol } of all)
			expect((await attempt(pc, protocol, address, 389)).what).toBe("ECONNREFUSED");
		expect(await open.say("anybody")).toBe(false);
		expect((await attempt(pc, "tcp", dc.address, 5000)).what).toBe("silence");
		// A change of the rules has nothing to do with it.
		await letIn({ dc: { ways: [ldap("lan")], yields: true }, web: { rules: [everything] } });
		expect((await attempt(pc, "tcp", dc.address, 389)).what).toBe("ECONNREFUSED");
		await setYielding(tag, []);
		for (const { address, protocol } of all)
			expect((await attempt(pc, protocol, address, 389)).what).toBe("answer");
	});

	test("refuses also what it had just been asked", async () => {
		await letIn({ dc: { ways: [{ service: "quiet", to: "lan", ports: [range("udp", 7)] }], yields: true } });
		await ip("-n", dc.namespace, "link", "set", "eth0", "down");
		const asked = [dc.address, dc.address6].map((address) => waits(pc, "udp", address, 7));
		await Promise.all(asked.map(async ({ ready }) => await ready()));
		await setYielding(tag, [dc.address, dc.address6]);
		await tellClients(tag, await askersOf(tag, [dc.address, dc.address6]));
		for (const { ended } of asked) expect(await ended).toBe("ECONNREFUSED");
		await setYielding(tag, []);
		await bring(dc);
	});

	test("refuses also who is about to connect, who would try again a second later", async () => {
		await letIn({ dc: { ways: [ldap("lan")], yields: true } });
		// It knows the way.
		for (const address of [dc.address, dc.address6]) await attempt(pc, "tcp", address, 389);
		await ip("-n", dc.namespace, "link", "set", "eth0", "down");
		const connecting = [dc.address, dc.address6].map(
			async (address) => await attempt(pc, "tcp", address, 389, 15_000),
		);
		const begun = async () => (await inside(pc, "ss", "-Htn", "state", "syn-sent")).trim().split("\n");
		await vi.waitFor(async () => expect(await begun()).toHaveLength(2), 5000);
		// Nothing refuses them yet when they try again: it is what they were told.
		await tellClients(tag, await askersOf(tag, [dc.address, dc.address6]));
		for (const attempted of connecting) expect((await attempted).what).toBe("ECONNRESET");
		await bring(dc);
	});

	test("refuses each question, however many one client asks", async () => {
		await letIn({ dc: { ways: [ldap("lan")], yields: true } });
		await setYielding(tag, [dc.address, dc.address6]);
		for (const address of [dc.address, dc.address6])
			expect(await inside(pc, "perl", "-MIO::Socket::IP", "-e", refusals, address)).toBe("30");
		await setYielding(tag, []);
	});

	test("refuses other servers that may reach it, and the host alone where only that may come", async () => {
		const paths = [
			{ from: files.address, to: dc.address, protocol: "tcp", port: 389 },
			{ from: files.address6, to: dc.address6, protocol: "udp", port: 389 },
		] as const;
		await letIn({ dc: { ways: [ldap("host")], yields: true } });
		await sandbox.permit([], { paths, open: [] });
		expect((await attempt(files.namespace, "tcp", dc.address, 389)).what).toBe("answer");
		await setYielding(tag, [dc.address, dc.address6]);
		expect((await attempt(files.namespace, "tcp", dc.address, 389)).what).toBe("ECONNREFUSED");
		expect((await attempt(files.namespace, "udp", dc.address6, 389)).what).toBe("ECONNREFUSED");
		expect((await attempt(host, "tcp", dc.address, 389)).what).toBe("ECONNREFUSED");
		expect((await attempt(pc, "tcp", dc.address, 389)).what).toBe("silence");
		await setYielding(tag, []);
		await sandbox.permit([]);
	});
});

describe("UDP at a port of the host", () => {
	const redirect = (to: "host" | "lan"): Redirect => ({ service: "dns", to, listen: 5353, port: 53 });

	test("for the LAN: the server sees its clients; the host reaches it too, by any of its addresses", async () => {
		await letIn({ web: { redirects: [redirect("lan")] } });
		expect(await asks(pc, "udp", "192.168.7.1", 5353)).toBe("192.168.7.50");
		for (const address of ["127.0.0.1", "192.168.7.1"])
			expect(await asks(host, "udp", address, 5353)).toMatch(/^169\.254\.255\./);
		expect(await asks(pc, "udp", "192.168.7.1", 53)).toBeNull();
	});

	test("for the host: nobody else", async () => {
		await letIn({ web: { redirects: [redirect("host")] } });
		expect(await asks(host, "udp", "127.0.0.1", 5353)).toMatch(/^169\.254\.255\./);
		expect(await asks(pc, "udp", "192.168.7.1", 5353)).toBeNull();
		// Where another program of the host may listen, such as systemd-resolved.
		expect(await asks(host, "udp", "127.0.0.53", 5353)).toBeNull();
	});
});

describe("who sends by UDP from the same port all the time", () => {
	const led = (redirects: readonly Redirect[]): Given => ({ redirects });
	const redirect: Redirect = { service: "logs", to: "lan", listen: 5514, port: 5000 };

	const senders = async () => ({
		remote: await sender(pc, 40_000, "192.168.7.1", 5514),
		own: await sender(host, 40_000, "127.0.0.1", 5514),
	});

	test("is heard when the port is published, given to another server, taken back and published again", async () => {
		await letIn({ web: { ways: [ldap("lan")] } });
		const { remote, own } = await senders();
		await using _remote = remote;
		await using _own = own;
		const answered = async () => [await remote.isAnswered(), await own.isAnswered()];
		expect(await answered()).toEqual([false, false]);
		await letIn({ web: { ways: [ldap("lan")], ...led([redirect]) } });
		expect(await answered(), "published").toEqual([true, true]);
		await letIn({ web: { ways: [ldap("lan")] }, dc: led([redirect]) });
		expect(await answered(), "at another server").toEqual([true, true]);
		await letIn({ web: { ways: [ldap("lan")] }, dc: led([{ ...redirect, to: "host" }]) });
		expect(await answered(), "for the host").toEqual([false, true]);
		await letIn({ web: { ways: [ldap("lan")] } });
		const program = await serve(host, 5514);
		expect(await answered(), "a program of the host").toEqual([true, true]);
		program.kill("SIGKILL");
	});

	test("is forgotten also while the kernel forgets others by itself", async () => {
		await letIn({ dc: { ways: [ldap("lan")] } });
		const seconds = "net.netfilter.nf_conntrack_udp_timeout";
		await inside(host, "sysctl", "-qw", `${seconds}=1`);
		const flood = `use Socket; for (0 .. 11_999) { socket(my $s, AF_INET, SOCK_DGRAM, 0) or die;
			bind($s, pack_sockaddr_in(20_000 + $_, INADDR_ANY)) or die; send($s, "x", 0, pack_sockaddr_in(389, inet_aton("${dc.address}"))) }`;
		for (let i = 0; i < 5; i++) {
			const flooded = inside(pc, "perl", "-e", flood);
			// Then the first ones go.
			await delay(1000 + 50 * i);
			await forgetSendersTo(
				[{ name: "dc", address: dc.address, ways: [ldap("lan")], redirects: [] }],
				outside,
			);
			await flooded;
		}
		await inside(host, "sysctl", "-qw", `${seconds}=30`);
	});

	test("is heard after the host's rules were flushed, and when it is the first thing that is let in", async () => {
		// Connections are tracked and translated as long as some program wants it.
		const others = "table ip others { chain a { type nat hook postrouting priority srcnat; masquerade; }; }";
		await removeOutbound(tag, outside);
		await inside(host, "nft", others);
		await using remote = await sender(pc, 40_001, "192.168.7.1", 5514);
		await letIn({ web: led([redirect]) });
		expect(await remote.isAnswered(), "let in").toBe(true);
		await inside(host, "nft", `flush ruleset; ${others}`);
		await using late = await sender(pc, 40_002, "192.168.7.1", 5514);
		await letIn({ web: led([redirect]) });
		expect(await remote.isAnswered(), "after the flush").toBe(true);
		expect(await late.isAnswered(), "begun after the flush").toBe(true);
		await inside(host, "nft", "delete", "table", "ip", "others");
	});

	test("keeps its entry as long as nothing changes for it", async () => {
		const other: Redirect = { service: "names", to: "lan", listen: 5353, port: 53 };
		await letIn({ web: led([redirect]) });
		await using _remote = await sender(pc, 40_003, "192.168.7.1", 5514);
		const entry = async () =>
			/ id=(\d+)/.exec(
				await inside(host, "conntrack", "-L", "-o", "id", "-p", "udp", "--sport", "40003"),
			)?.[1];
		const before = await entry();
		expect(before).toBeDefined();
		await letIn({ web: led([redirect]) });
		await letIn({ web: led([redirect, other]) });
		await letIn({ web: led([redirect]), dc: led([other]) });
		expect(await entry()).toBe(before);
	});
});

describe("changes", () => {
	test("what is taken away ends, also for who is connected; what stays goes on and goes on counting", async () => {
		const other: InboundWay = { service: "other", to: "lan", ports: [range("tcp", 5000)] };
		await letIn({ dc: { ways: [ldap("lan"), other] } });
		await using stays = await talk(pc, dc.address, 389);
		await using ends = await talk(pc, dc.address, 5000);
		expect(await ends.say("both")).toBe(true);
		const { in: counter } = namesOf("dc", ldap("lan"));
		const before = await packets(counter);
		for (let i = 0; i < 5; i++) {
			await letIn({ dc: { ways: [ldap("lan")] }, web: i % 2 === 0 ? { rules: [everything] } : {} });
			expect(await stays.say(`still ${i}`)).toBe(true);
		}
		expect(await ends.say("anybody")).toBe(false);
		expect(await packets(counter)).toBeGreaterThan(before + 4);
	});

	test("nothing is left on the host when all is taken back, nor after it could not be made", async () => {
		const before = await hostNet();
		await removeOutbound(tag, outside);
		const empty = await hostNet();
		expect(empty.links).toEqual(["lo", "lan0"]);
		expect([empty.tables, empty.proxies]).toEqual(["", ""]);
		expect(empty.routes).not.toContain("10.77.0.");
		expect(before.links).toContain(outerNameOf(tag));
		await ip("-n", host, "route", "add", `${dc.address}/32`, "dev", "lan0");
		const withRoute = await hostNet();
		await expect(letIn({ dc: { ways: [ldap("lan")] } })).rejects.toThrow(
			`this host already has a route to ${dc.address}, by lan0`,
		);
		await removeOutbound(tag, outside);
		expect(await hostNet()).toEqual(withRoute);
		await ip("-n", host, "route", "del", `${dc.address}/32`);
	});

	test("an interface that is gone takes nothing away but itself, and its servers are found when it is back", async () => {
		await letIn({ dc: { ways: [ldap("lan")], lan: "gone0" }, web: { rules: [everything] } });
		expect((await hostNet()).proxies).toBe("");
		expect(await asks(host, "tcp", dc.address, 389)).toMatch(/^169\.254\.255\./);
		expect(await asks(web.namespace, "tcp", "192.168.7.50", 389)).toBe("192.168.7.1");
		await letIn({ dc: { ways: [ldap("lan")] } });
		expect(await asks(pc, "tcp", dc.address, 389)).toBe("192.168.7.50");
	});

	test("what a cable left that was lost is cleared away", async () => {
		await letIn({ dc: { ways: [ldap("lan")] } });
		await ip("-n", host, "link", "del", outerNameOf(tag));
		expect((await hostNet()).proxies).toContain(dc.address);
		await letIn({ web: { ways: [ldap("host")] } });
		expect((await hostNet()).proxies).not.toContain("dev lan0 proxy\n192");
		await letIn({ dc: { ways: [ldap("lan")] } });
		expect(await asks(pc, "tcp", dc.address, 389)).toBe("192.168.7.50");
	});

	test("an address that the host has another way to keeps no other from being reached, and nothing of one that has gone", async () => {
		const ways = { dc: { ways: [ldap("lan")] }, web: { ways: [ldap("host")] } };
		await letIn(ways);
		await ip("-n", host, "link", "del", outerNameOf(tag));
		await ip("-n", host, "route", "add", `${web.address}/32`, "dev", "lan0");
		const refused = `this host already has a route to ${web.address}, by lan0`;
		await expect(letIn(ways)).rejects.toThrow(refused);
		expect(await asks(pc, "tcp", dc.address, 389)).toBe("192.168.7.50");
		expect(await asks(host, "tcp", web.address6, 389)).toMatch(/^fd62:/);
		await ip("-n", host, "link", "del", outerNameOf(tag));
		await expect(letIn({ web: ways.web })).rejects.toThrow(refused);
		expect((await hostNet()).proxies).toBe("");
		await ip("-n", host, "route", "del", `${web.address}/32`);
		await letIn(ways);
		expect(await asks(host, "tcp", web.address, 389)).toMatch(/^169\.254\.255\./);
	});
});
