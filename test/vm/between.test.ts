import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { linkLocalOf } from "../../src/api/addresses6.ts";
import { run } from "../../src/host/command.ts";
import { type Counters, countersOf } from "../../src/network/counters.ts";
import { setKernel } from "../../src/network/namespace.ts";
import { elementsOf, passedBy, segmentText } from "../../src/network/passed.ts";
import {
	type Between,
	bridgeMacOf,
	macOf,
	type Path,
	type PortPlan,
	type SegmentPlan,
} from "../../src/network/plan.ts";
import { enslave } from "../../src/network/port.ts";
import { Sandbox } from "../../src/network/sandbox.ts";
import { forgedFrames } from "../../src/network/testing/forged.ts";
import * as frames from "../../src/network/testing/frames.ts";
import { talk } from "./talk.ts";

/** Real namespaces and real rules; a plain namespace stands in each guest's place, its port a veth instead of a tap. */
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });
const testing = join(import.meta.dirname, "../../src/network/testing");
const tag = `bhb${process.pid}`;
const office: SegmentPlan = { name: "office", subnet: "10.77.0.0/24", subnet6: "fd00:77::/64" };
const lab: SegmentPlan = { name: "lab", subnet: "10.78.0.0/24", subnet6: "fd00:78::/64" };
/** Without IPv6. */
const old: SegmentPlan = { name: "old", subnet: "10.79.0.0/24" };
const segments = [office, lab, old];
const sandbox = new Sandbox(tag, "test");
const started: ChildProcess[] = [];
const served = [5432, 9000];

interface Guest extends PortPlan {
	namespace: string;
}
function guestOf(server: string, segment: string, index: number, network: number, six: boolean): Guest {
	return {
		...{ server, segment, uid: 310_000 + index, namespace: `${tag}${server}` },
		address: `10.${network}.0.${10 + index}`,
		...(six ? { address6: `fd00:${network}::${10 + index}` } : {}),
		...{ mac: macOf("test", server), tap: `tap${index}-1` },
	};
}
const web = guestOf("web", "office", 1, 77, true);
const db = guestOf("db", "office", 2, 77, true);
const far = guestOf("far", "lab", 3, 78, true);
const four = guestOf("four", "old", 4, 79, false);
const guests = [web, db, far, four];

const ip = async (...args: string[]) => await run("ip", args, { deadlineMs: 10_000 });
const inNamespace = async (namespace: string, ...command: string[]) =>
	await run("nsenter", [`--net=/run/netns/${namespace}`, ...command], { deadlineMs: 20_000 });

async function attach(guest: Guest): Promise<void> {
	const { namespace, tap, mac, address, address6, segment } = guest;
	const own = segments.find(({ name }) => name === segment);
	await ip("netns", "add", namespace);
	const peer = ["type", "veth", "peer", "name", tap, "netns", tag];
	await ip("-n", namespace, "link", "add", "eth0", "address", mac, ...peer);
	await enslave(tag, guest);
	await sandbox.connect(guest);
	// As the templates do, so that what is counted is what the tests send.
	await setKernel(namespace, {
		"net/ipv6/conf/eth0/accept_ra": 0,
		"net/ipv6/conf/eth0/disable_ipv6": address6 === undefined ? 1 : 0,
	});
	await ip("-n", namespace, "addr", "add", `${address}/24`, "dev", "eth0");
	for (const name of ["lo", "eth0"]) await ip("-n", namespace, "link", "set", name, "up");
	await ip("-n", namespace, "route", "add", "default", "via", own?.subnet.replace("0/24", "1") ?? "");
	if (address6 === undefined) return;
	// As a real guest does, it asks first whether anybody has it.
	await ip("-n", namespace, "addr", "add", `${address6}/64`, "dev", "eth0");
	await ip("-n", namespace, "route", "add", "default", "via", own?.subnet6?.replace("/64", "1") ?? "");
}

async function serve(guest: Guest): Promise<void> {
	const script = join(testing, "serve.ts");
	const args = [`--net=/run/netns/${guest.namespace}`, process.execPath, script, ...served.map(String)];
	const child = spawn("nsenter", args, { stdio: ["ignore", "pipe", "inherit"] });
	started.push(child);
	await once(child.stdout, "data");
}

/** Tries a TCP connection from a guest. A program of the system's, that starts fast. */
async function reaches(from: Guest, address: string | undefined, port: number): Promise<boolean> {
	const attempt = `timeout 1 bash -c 'exec 3<>/dev/tcp/${address}/${port}' 2>/dev/null && echo yes || echo no`;
	return (await inNamespace(from.namespace, "bash", "-c", attempt)).stdout === "yes\n";
}

const counted = async () => await countersOf(tag);
/** @returns which counters grew, and by how many packets */
async function counting(work: () => Promise<unknown>): Promise<Partial<Record<keyof Counters, number>>> {
	const before = await counted();
	await work();
	const after = await counted();
	const names = Object.keys(after) as (keyof Counters)[];
	const grown = names.map((name) => [name, after[name].packets - before[name].packets] as const);
	return Object.fromEntries(grown.filter(([, packets]) => packets !== 0));
}

/** The number of a guest's network card. */
async function cardOf({ namespace }: Guest): Promise<string> {
	return (await ip("-n", namespace, "-o", "link", "show", "dev", "eth0")).stdout.split(":")[0] ?? "";
}

/** Sends frames from a guest as they are. */
async function send(from: Guest, ...raw: Buffer[]): Promise<void> {
	const hex = raw.map((frame) => frame.toString("hex"));
	await inNamespace(from.namespace, "perl", "-e", frames.sender, await cardOf(from), ...hex);
	await delay(50);
}

/** The paths between two servers for one port, IPv4 and IPv6, as an `allow:` has them. */
function pathsOf(from: Guest, to: Guest, port: number, protocol: Path["protocol"] = "tcp"): Path[] {
	const six = from.address6 && to.address6 ? [{ from: from.address6, to: to.address6, protocol, port }] : [];
	return [{ from: from.address, to: to.address, protocol, port }, ...six];
}
const allow = async (between: Partial<Between>) =>
	await sandbox.permit([], { paths: [], open: [], ...between });

beforeAll(async () => {
	await sandbox.ensure(segments);
	for (const guest of guests) await attach(guest);
	for (const guest of guests) await serve(guest);
	// Time for duplicate address detection, a second.
	await delay(2500);
});

afterAll(async () => {
	for (const child of started) child.kill("SIGKILL");
	for (const { namespace } of guests) await ip("netns", "del", namespace).catch(() => {});
	await sandbox.destroy();
	expect((await ip("netns", "list")).stdout).not.toContain(tag);
});

describe("a segment with IPv6", () => {
	test("has both networks' first addresses and a link-local one that stays, and guests find theirs free", async () => {
		const { stdout } = await ip("-n", tag, "-o", "-6", "addr", "show", "dev", "br-office");
		expect(stdout.match(/inet6 \S+/g)?.sort()).toEqual(["inet6 fd00:77::1/64", "inet6 fe80::1/64"]);
		for (const { namespace, address6 } of [web, db, far]) {
			const own = (await ip("-n", namespace, "-o", "-6", "addr", "show", "dev", "eth0")).stdout;
			expect(own).toContain(`${address6}/64`);
			expect(own).not.toMatch(/tentative|dadfailed/);
			// Nothing but what it was given and its link-local address: no network announces itself.
			expect(own.trim().split("\n")).toHaveLength(2);
		}
	});

	test("keeps addresses and neighbours when it is brought to the plan again; one without has none", async () => {
		const before = (await ip("-n", tag, "-6", "neigh", "show", "dev", "br-office")).stdout;
		await new Sandbox(tag, "test").ensure(segments);
		expect((await ip("-n", tag, "-6", "neigh", "show", "dev", "br-office")).stdout).toBe(before);
		for (const own of [web.address6, db.address6, linkLocalOf(web.mac)])
			expect(before).toMatch(new RegExp(`^${own} lladdr [0-9a-f:]+ PERMANENT`, "m"));
		expect((await ip("-n", tag, "-o", "-6", "addr", "show", "dev", "br-office")).stdout).toContain(
			"fd00:77::1",
		);
		expect((await ip("-n", tag, "-o", "-6", "addr", "show", "dev", "br-old")).stdout).toBe("");
	});
});

describe("by default", () => {
	test("what a guest serves works, so that what follows is the sandbox's doing", async () => {
		for (const guest of guests) expect(await reaches(guest, guest.address, 5432)).toBe(true);
		for (const guest of [web, db, far]) expect(await reaches(guest, guest.address6, 5432)).toBe(true);
	});

	test.each([
		["another guest of its segment", db.address, "dropped_forward"],
		["another guest of its segment, IPv6", db.address6, "dropped_forward"],
		["a guest of another segment", far.address, "dropped_forward"],
		["a guest of another segment, IPv6", far.address6, "dropped_forward"],
		["a segment without IPv6", four.address, "dropped_forward"],
		["an address of its segment that nobody has", "10.77.0.200", "dropped_forward"],
		["the sandbox", "10.77.0.1", "dropped_in"],
		["the sandbox, IPv6", "fd00:77::1", "dropped_in"],
		["the sandbox's end of another segment", "10.78.0.1", "dropped_in"],
		["the sandbox's end of another segment, IPv6", "fd00:78::1", "dropped_in"],
		["a LAN", "192.168.1.1", "dropped_forward"],
		["the internet", "198.51.100.7", "dropped_forward"],
		["the internet, IPv6", "2001:db8::7", "dropped_forward"],
		["link-local IPv4, as clouds' metadata", "169.254.169.254", "dropped_forward"],
		["the sandbox, link-local IPv6", "fe80::1%eth0", "dropped_in"],
	] as [string, string | undefined, keyof Counters][])(
		"a guest does not reach %s, and that is counted",
		async (_, to, counter) => {
			const grown = await counting(async () => expect(await reaches(web, to, 5432)).toBe(false));
			expect(Object.keys(grown)).toEqual([counter]);
		},
	);

	test("a guest does not reach an address of this host", async () => {
		const own = (await ip("-o", "-4", "addr", "show", "scope", "global")).stdout;
		const [, address] = /inet ([\d.]+)\//.exec(own) ?? [];
		if (!address) return;
		const grown = await counting(async () => expect(await reaches(web, address, 22)).toBe(false));
		expect(Object.keys(grown)).toEqual(["dropped_forward"]);
	});

	test.each([
		["broadcast", "10.77.0.255", "ff:ff:ff:ff:ff:ff"],
		["everybody", "255.255.255.255", "ff:ff:ff:ff:ff:ff"],
		["multicast", "224.0.0.251", "01:00:5e:00:00:fb"],
	])("%s reaches nobody, and is counted", async (_, to, mac) => {
		const packet = frames.ip4(web.address, to, 17, frames.udp(5353, 5353));
		const grown = await counting(async () => await send(web, frames.ethernet(web.mac, mac, "ip", packet)));
		expect(grown).toEqual({ dropped_in: 1 });
	});

	test("multicast of IPv6 reaches nobody, and is counted", async () => {
		const packet = frames.ip6(web.address6 ?? "", "ff02::fb", 17, frames.udp(5353, 5353));
		const frame = frames.ethernet(web.mac, "33:33:00:00:00:fb", "ip6", packet);
		expect(await counting(async () => await send(web, frame))).toEqual({ dropped_in: 1 });
	});
});

describe("what is allowed", () => {
	test("works over IPv4 and IPv6, and nothing else does", async () => {
		await allow({ paths: pathsOf(web, db, 5432) });
		expect(await reaches(web, db.address, 5432)).toBe(true);
		expect(await reaches(web, db.address6, 5432)).toBe(true);
		for (const six of [false, true]) {
			const [to, back] = six ? [db.address6, web.address6] : [db.address, web.address];
			expect(await reaches(web, to, 9000), "another port").toBe(false);
			expect(await reaches(db, back, 5432), "the way back").toBe(false);
			expect(await reaches(far, to, 5432), "another server").toBe(false);
		}
	});

	test("works from another segment", async () => {
		await allow({ paths: [...pathsOf(far, db, 5432), ...pathsOf(four, db, 5432)] });
		expect(await reaches(far, db.address, 5432)).toBe(true);
		expect(await reaches(far, db.address6, 5432)).toBe(true);
		expect(await reaches(four, db.address, 5432)).toBe(true);
		expect(await reaches(web, db.address, 5432)).toBe(false);
	});

	test("may overlap, also with what is allowed already; each counts its own", async () => {
		const all = pathsOf(web, db, 5000).map((path) => ({ ...path, last: 9999 }));
		await allow({ paths: all });
		expect(await reaches(web, db.address, 9000)).toBe(true);
		await allow({ paths: [...all, ...pathsOf(web, db, 5432)] });
		expect(await reaches(web, db.address, 5432)).toBe(true);
		const own = async () => passedBy(await elementsOf(tag), pathsOf(web, db, 5432)).packets;
		await delay(200);
		const before = await own();
		expect(before).toBeGreaterThanOrEqual(3);
		expect(await reaches(web, db.address6, 9000)).toBe(true);
		await delay(200);
		expect(await own()).toBe(before);
		expect(passedBy(await elementsOf(tag), all).packets).toBeGreaterThanOrEqual(before + 3);
		await allow({ paths: pathsOf(web, db, 5432) });
		expect(await reaches(web, db.address, 9000)).toBe(false);
	});

	test("has at most 10,000 connections of one server open, also after a change, and others have theirs", async () => {
		/** One packet from each of some ports. */
		const flood = `use Socket; my ($to, $port, $first) = @ARGV;
			for (0 .. 11_999) { socket(my $s, AF_INET, SOCK_DGRAM, 0) or die; bind($s, pack_sockaddr_in($first + $_, INADDR_ANY)) or die;
				send($s, "x", 0, pack_sockaddr_in($port, inet_aton($to))) }`;
		const tracked = async () => Number((await inNamespace(tag, "conntrack", "-C")).stdout);
		const paths = [...pathsOf(web, db, 9000, "udp"), ...pathsOf(web, db, 9000), ...pathsOf(far, db, 9000)];
		await allow({ paths });
		await using open = await talk(web.namespace, db.address, 9000);
		await inNamespace(web.namespace, "perl", "-e", flood, db.address, "9000", "20000");
		const before = await tracked();
		expect(before).toBeGreaterThan(9_000);
		expect(before).toBeLessThan(10_200);
		await allow({ paths: [...paths, ...pathsOf(web, db, 9001, "udp")] });
		const grown = await counting(
			async () => await inNamespace(web.namespace, "perl", "-e", flood, db.address, "9001", "40000"),
		);
		expect(grown.dropped_forward).toBeGreaterThan(11_000);
		expect(await tracked()).toBeLessThan(10_200);
		expect(await open.say("still")).toBe(true);
		expect(await reaches(web, db.address6, 9000)).toBe(false);
		expect(await reaches(far, db.address, 9000)).toBe(true);
		await inNamespace(tag, "conntrack", "-F");
		expect(await reaches(web, db.address6, 9000)).toBe(true);
	});

	test("may be a whole segment, and the sandbox looks for nobody there", async () => {
		await allow({ open: ["office"] });
		const scan = `use Socket qw(:DEFAULT inet_pton AF_INET6 pack_sockaddr_in6);
			socket(my $four, AF_INET, SOCK_DGRAM, 0) or die; socket(my $six, AF_INET6, SOCK_DGRAM, 0) or die;
			for (100 .. 250) { send($four, "x", 0, pack_sockaddr_in(9, inet_aton("10.77.0.$_")));
				send($six, "x", 0, pack_sockaddr_in6(9, inet_pton(AF_INET6, "fd00:77::1:$_"))) }`;
		const grown = await counting(async () => await inNamespace(web.namespace, "perl", "-e", scan));
		expect(grown.dropped_forward).toBeUndefined();
		// Those that have failed the kernel forgets when it needs the room.
		expect((await ip("-n", tag, "neigh", "show")).stdout).not.toContain("INCOMPLETE");
	});

	test("may be a whole segment, and that is no other", async () => {
		await allow({ open: ["office"] });
		for (const port of served) expect(await reaches(web, db.address, port)).toBe(true);
		expect(await reaches(db, web.address6, 9000)).toBe(true);
		expect(await reaches(web, far.address, 5432)).toBe(false);
		expect(await reaches(far, web.address6, 5432)).toBe(false);
	});

	test("what is taken away is closed for answers too, which need no question", async () => {
		await allow({ paths: pathsOf(web, db, 9000, "udp") });
		const ask = `use IO::Socket::INET; my $s = IO::Socket::INET->new(Proto => "udp", PeerAddr => "$ARGV[0]", PeerPort => 9000) or die;
			$s->send("hello"); my $n = 0; my $end = time + 4;
			while (time < $end) { my $r = ""; vec($r, fileno($s), 1) = 1; $n++ if select($r, undef, undef, 0.2) > 0 && defined $s->recv(my $b, 9) } print $n;`;
		const answer = `use IO::Socket::INET; my $s = IO::Socket::INET->new(Proto => "udp", LocalPort => 9000) or die; $| = 1; print "ready\n";
			$s->recv(my $b, 9); for (1 .. 30) { $s->send("again"); select(undef, undef, undef, 0.1) }`;
		const server = spawn("nsenter", [`--net=/run/netns/${db.namespace}`, "perl", "-e", answer]);
		started.push(server);
		await once(server.stdout, "data");
		const heard = inNamespace(web.namespace, "perl", "-e", ask, db.address);
		await delay(1000);
		await allow({ paths: [] });
		const count = Number((await heard).stdout);
		// Thirty would come in three seconds: they came as long as it was allowed.
		expect(count).toBeGreaterThan(3);
		expect(count).toBeLessThan(20);
	});

	test("carries what is said of its own connections, and of nobody else's", async () => {
		await allow({ paths: [...pathsOf(web, db, 5432), ...pathsOf(far, web, 9000)] });
		for (const six of [false, true]) {
			const [of, undelivered] = six
				? (["address6", frames.undelivered6] as const)
				: (["address", frames.undelivered4] as const);
			const at = (guest: Guest) => guest[of] ?? "";
			await using open = await talk(web.namespace, at(db), 5432);
			const tracked = (await inNamespace(tag, "conntrack", "-L", "-f", six ? "ipv6" : "ipv4", "-d", at(db)))
				.stdout;
			const port = Number(/ESTABLISHED .*? sport=(\d+) dport=5432/.exec(tracked)?.[1]);
			const segment = frames.tcp(port, 5432);
			const packet = six ? frames.ip6(at(web), at(db), 6, segment) : frames.ip4(at(web), at(db), 6, segment);
			const says = async (who: Guest, mac: string) => {
				const frame = frames.ethernet(
					who.mac,
					mac,
					six ? "ip6" : "ip",
					undelivered(at(who), at(web), packet),
				);
				return await counting(async () => await send(who, frame));
			};
			expect(await says(db, bridgeMacOf("test", "office"))).toEqual({});
			await allow({ paths: pathsOf(web, db, 5432) });
			expect(await says(far, bridgeMacOf("test", "lab"))).toEqual({ dropped_forward: 1 });
			expect(await open.say("still")).toBe(true);
		}
	});

	test("tells who asks by UDP that nobody is there", async () => {
		await allow({ paths: pathsOf(web, db, 9001, "udp") });
		const ask = `use IO::Socket::IP; my $s = IO::Socket::IP->new(Proto => "udp", PeerHost => "$ARGV[0]", PeerPort => 9001) or die;
			$s->send("hello"); my $r = ""; vec($r, fileno($s), 1) = 1;
			print select($r, undef, undef, 2) > 0 && !defined $s->recv(my $b, 9) ? "refused" : "silence";`;
		for (const address of [db.address, db.address6 ?? ""])
			expect((await inNamespace(web.namespace, "perl", "-e", ask, address)).stdout, address).toBe("refused");
	});

	test("a change breaks no other connection and sets no counter back; what is taken away ends", async () => {
		const kept = pathsOf(web, db, 5432);
		await allow({ paths: [...kept, ...pathsOf(web, db, 9000)] });
		await counting(async () => await reaches(web, far.address, 5432));
		const before = (await counted()).dropped_forward.packets;
		expect(before).toBeGreaterThan(0);
		await using goesOn = await talk(web.namespace, db.address, 5432);
		await using ends = await talk(web.namespace, db.address, 9000);
		for (let i = 0; i < 20; i++) {
			await allow({ paths: [...kept, ...(i % 2 === 0 ? [] : pathsOf(far, db, 9000))] });
			expect(await goesOn.say(`still ${i}`)).toBe(true);
		}
		expect(await ends.say("anybody")).toBe(false);
		expect((await counted()).dropped_forward.packets).toBeGreaterThanOrEqual(before);
	});
});

describe("a guest sends as itself or not at all", () => {
	const sent = forgedFrames({
		own: { mac: web.mac, address: web.address, address6: web.address6 ?? "" },
		other: { mac: db.mac, address: db.address, address6: db.address6 ?? "" },
		sandbox: { mac: bridgeMacOf("test", "office"), address: "10.77.0.1", address6: "fd00:77::1" },
	});

	test.each(sent)("%s", async (_, frame, counter) => {
		expect(await counting(async () => await send(web, frame))).toEqual({ [counter]: 1 });
	});

	test("IPv6 of a guest that has none", async () => {
		const packet = frames.ip6(linkLocalOf(four.mac), "fe80::1", 17, frames.udp(1, 1));
		const frame = frames.ethernet(four.mac, bridgeMacOf("test", "old"), "ip6", packet);
		expect(await counting(async () => await send(four, frame))).toEqual({ other_protocol: 1 });
	});

	test("and none of it comes to another guest, whatever hardware address it is sent to", async () => {
		const args = [`--net=/run/netns/${db.namespace}`, "perl", "-e", frames.receiver, await cardOf(db)];
		const child = spawn("nsenter", args, { stdio: ["ignore", "pipe", "inherit"] });
		started.push(child);
		let heard = "";
		child.stdout.on("data", (chunk: Buffer) => {
			heard += String(chunk);
		});
		await once(child.stdout, "data");
		const direct = sent.map(([, frame]) =>
			Buffer.concat([Buffer.from(db.mac.replaceAll(":", ""), "hex"), frame.subarray(6)]),
		);
		await send(web, ...sent.map(([, frame]) => frame), ...direct);
		await delay(300);
		const quiet = heard;
		// It would have heard: what is allowed comes.
		await allow({ paths: pathsOf(web, db, 5432) });
		expect(await reaches(web, db.address, 5432)).toBe(true);
		// What it has heard comes from a process of its own.
		await vi.waitFor(() => expect(heard.length).toBeGreaterThan(quiet.length), 10_000);
		child.kill("SIGKILL");
		expect(quiet).toBe("ready\n");
	});

	test("and nobody's address is forgotten or moved by it", async () => {
		const shown = (await ip("-n", tag, "neigh", "show")).stdout;
		for (const { address, mac } of guests)
			expect(shown).toMatch(new RegExp(`^${address} .*lladdr ${mac} PERMANENT`, "m"));
		for (const { address6, mac } of [web, db, far])
			expect(shown).toMatch(new RegExp(`^${address6} .*lladdr ${mac} PERMANENT`, "m"));
		expect(shown).not.toMatch(/STALE|REACHABLE|DELAY/);
	});
});

describe("the rules", () => {
	test("of another version are made anew, and ports that are in use go on", async () => {
		const elements = async () => {
			const { stdout } = await inNamespace(tag, "nft", "list", "sets", "table", "bridge", "bulkhead");
			return stdout.match(/"tap\d-1"/g)?.length;
		};
		const before = await elements();
		const comment = async (family: string) => {
			const { stdout } = await inNamespace(tag, "nft", "-s", "list", "table", family, "bulkhead");
			const text = stdout.replace(/comment "rules [0-9a-f]+"/, 'comment "rules of before"');
			expect(text).toContain("rules of before");
			const replaced = `delete table ${family} bulkhead\n${text}`;
			await run("nsenter", [`--net=/run/netns/${tag}`, "nft", "-f", "-"], {
				deadlineMs: 5000,
				input: replaced,
			});
		};
		await comment("bridge");
		await comment("inet");
		const next = new Sandbox(tag, "test");
		await next.ensure(segments);
		await next.permit([], { paths: pathsOf(web, db, 5432), open: [] });
		for (const family of ["bridge", "inet"]) {
			const { stdout } = await inNamespace(tag, "nft", "list", "table", family, "bulkhead");
			expect(stdout).toMatch(/comment "rules [0-9a-f]{16}"/);
		}
		expect(await elements()).toBe(before);
		expect(await reaches(web, db.address, 5432)).toBe(true);
		expect(await reaches(web, db.address6, 5432)).toBe(true);
		expect(await reaches(far, db.address6, 5432)).toBe(false);
	});

	test("for a port take milliseconds, and go with it", async () => {
		const port: PortPlan = {
			...web,
			tap: "tap9-1",
			address: "10.77.0.90",
			address6: "fd00:77::90",
			mac: macOf("test", "x"),
		};
		const took: number[] = [];
		for (let i = 0; i < 15; i++) {
			await sandbox.addPort(port);
			const from = performance.now();
			await sandbox.openPort(port);
			took.push(performance.now() - from);
			await sandbox.removePort(port);
		}
		const { stdout } = await inNamespace(tag, "nft", "list", "table", "bridge", "bulkhead");
		expect(stdout).not.toContain("tap9-1");
		const median = took.sort((a, b) => a - b)[7] ?? 0;
		console.log(JSON.stringify({ what: "opening a port with IPv6", medianMs: Math.round(median * 10) / 10 }));
		expect(median).toBeLessThan(1000);
	});
});

describe("what goes by an allowed path is counted", () => {
	const by = async (from: Guest, to: Guest, port: number) =>
		passedBy(await elementsOf(tag), pathsOf(from, to, port)).packets;

	test("by path, IPv4 and IPv6, both ways; and goes on when others are opened and closed", async () => {
		await allow({});
		await allow({ paths: pathsOf(web, db, 5432) });
		expect(await by(web, db, 5432)).toBe(0);
		expect(await reaches(web, db.address, 5432)).toBe(true);
		const four = await by(web, db, 5432);
		// At least what opens a connection: two from the one, one from the other.
		expect(four).toBeGreaterThanOrEqual(3);
		expect(await reaches(web, db.address6, 5432)).toBe(true);
		await delay(200);
		const both = await by(web, db, 5432);
		expect(both).toBeGreaterThanOrEqual(four + 3);
		await allow({ paths: [...pathsOf(web, db, 9000), ...pathsOf(web, db, 5432)] });
		expect(await by(web, db, 5432)).toBe(both);
		expect(await reaches(web, db.address, 9000)).toBe(true);
		await allow({ paths: pathsOf(web, db, 5432), open: ["old"] });
		expect(await by(web, db, 5432)).toBe(both);
		expect(await by(web, db, 9000)).toBe(0);
		await allow({});
		expect(await by(web, db, 5432)).toBe(0);
		expect(await reaches(web, db.address, 5432)).toBe(false);
	});

	test("of a segment that is open, all together", async () => {
		await allow({ open: ["office"] });
		expect(await reaches(web, db.address, 9000)).toBe(true);
		await delay(200);
		const { open } = await elementsOf(tag);
		expect(open.get(segmentText("office"))?.packets).toBeGreaterThanOrEqual(3);
		await allow({});
	});
});

test("a server that is gone is forgotten, and the others are not", async () => {
	const told = async () => {
		const permanent = await ip("-n", tag, "neigh", "show", "nud", "permanent");
		const proxy = await ip("-n", tag, "-6", "neigh", "show", "proxy");
		return `${permanent.stdout}${proxy.stdout}`.split("\n").filter(Boolean);
	};
	// What earlier tests were told of others goes first.
	await sandbox.knowOnly([web, db, far, four].map(({ server, ...own }) => ({ name: server, ...own })));
	const before = await told();
	const isFar = (line: string) => line.includes(far.mac) || line.startsWith(far.address6 ?? "");
	const known = (some: readonly Guest[]) =>
		some.map(({ server, address, address6 }) => ({ name: server, address, address6 }));
	await sandbox.knowOnly(known(guests));
	expect(await told()).toEqual(before);
	await sandbox.knowOnly(known(guests.filter((guest) => guest !== far)));
	expect(before.filter(isFar)).toHaveLength(4);
	expect(await told()).toEqual(before.filter((line) => !isFar(line)));
});
