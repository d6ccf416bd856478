import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { type Answer, FollowedNames } from "../../src/daemon/followed-names.ts";
import { run } from "../../src/host/command.ts";
import { identify } from "../../src/host/process.ts";
import { answererIn, ensureAnswerer } from "../../src/network/names/answerer.ts";
import type { AnswererPlan, NameEntry } from "../../src/network/names/plan.ts";
import { leadQuestions } from "../../src/network/names/rules.ts";
import { setKernel } from "../../src/network/namespace.ts";
import { ensureOutbound, outboundCountersOf, removeOutbound } from "../../src/network/outbound/outbound.ts";
import { everything, type OutboundRule, passedCounter } from "../../src/network/outbound/plan.ts";
import { macOf, type PortPlan, type SegmentPlan } from "../../src/network/plan.ts";
import { enslave } from "../../src/network/port.ts";
import { Sandbox } from "../../src/network/sandbox.ts";

/** A sandbox with guests in plain namespaces, and real dnsmasqs. */
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });
const serveScript = join(import.meta.dirname, "../../src/network/testing/serve.ts");
const tag = `bhn${process.pid}`;
const segment: SegmentPlan = { name: "office", subnet: "10.77.0.0/24", subnet6: "fd00:77::/64" };
const sandbox = new Sandbox(tag, "test");
let folder = "";

interface Guest extends PortPlan {
	namespace: string;
	address6: string;
}
const guestOf = (server: string, index: number): Guest => ({
	...{ server, segment: "office", uid: 320_000 + index, namespace: `${tag}${server}` },
	...{ address: `10.77.0.${10 + index}`, address6: `fd00:77::${10 + index}` },
	...{ mac: macOf("test", server), tap: `tap${index}-1` },
});
const web = guestOf("web", 1);
const db = guestOf("db", 2);
const mute = guestOf("mute", 3);

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

const planOf = ({ server, address, address6, uid }: Guest, port: number): AnswererPlan => ({
	...{ server, address, address6, port, uid: uid + 1000, namespace: tag, groups: [] },
	...{ upstreams: [], domain: "test", inside: ["10.77.0.0/24"], folder: join(folder, server) },
});
const own = (...guests: Guest[]): NameEntry[] =>
	guests.map(({ server, address, address6 }) => ({
		names: [`${server}.test`, server],
		addresses: [address, address6],
	}));
const plans = () => [planOf(web, 10_001), planOf(db, 10_002)];

/** Asks by UDP. @returns the answers, or the error's code */
const script = `import { Resolver } from "node:dns/promises";
const [server, type, name] = process.argv.slice(1);
const resolver = new Resolver({ timeout: 700, tries: 1 });
resolver.setServers([server]);
const asked = type === "PTR" ? resolver.reverse(name) : resolver.resolve(name, type);
console.log(JSON.stringify(await asked.catch(({ code }) => code)));`;

async function ask(from: Guest, name: string, type = "A", server = "10.77.0.1"): Promise<unknown> {
	const command = [process.execPath, "--input-type=module", "-e", script, server, type, name];
	return JSON.parse(await inside(from.namespace, ...command));
}

/** The same by TCP (RFC 1035, 4.2.2), in Perl. @returns the answer's code and how many records it has */
const tcpScript = `use IO::Socket::INET; my $s = IO::Socket::INET->new(PeerAddr => $ARGV[0], PeerPort => 53, Timeout => 2) or do { print "none"; exit };
my $q = pack("n6", 7, 0x0100, 1, 0, 0, 0) . join("", map { pack("C/a*", $_) } split /\\./, $ARGV[1]) . pack("Cnn", 0, 1, 1);
print $s pack("n/a*", $q); $s->flush; alarm 2; read($s, my $l, 2); read($s, my $a, unpack("n", $l)); my @h = unpack("n6", $a); print(($h[1] & 15) . " $h[3]");`;
const askByTcp = async (from: Guest, name: string) =>
	await inside(from.namespace, "perl", "-e", tcpScript, "10.77.0.1", name);

async function answer(entriesOfWeb: readonly NameEntry[] = own(web, db)): Promise<void> {
	const [first, second] = plans();
	await sandbox.permit([], { paths: [], open: [] }, plans());
	await leadQuestions(tag, plans());
	if (first) await ensureAnswerer(first, entriesOfWeb);
	if (second) await ensureAnswerer(second, own(db));
	await vi.waitFor(async () => expect(await ask(db, "db")).toEqual([db.address]), { timeout: 5000 });
	await vi.waitFor(async () => expect(await ask(web, "web")).toEqual([web.address]), { timeout: 5000 });
}

beforeAll(async () => {
	folder = await mkdtemp(join(tmpdir(), "bulkhead-names-"));
	await sandbox.ensure([segment]);
	for (const guest of [web, db, mute]) await attach(guest);
	await answer();
});

afterAll(async () => {
	for (const { folder } of plans()) await answererIn(folder).end();
	for (const { namespace } of [web, db, mute]) await ip("netns", "del", namespace).catch(() => {});
	await sandbox.destroy();
	await rm(folder, { recursive: true, force: true });
	expect(await ip("netns", "list")).not.toContain(tag);
});

describe("names of the site's servers", () => {
	test("a server is told those that it may reach, short and whole, by address too", async () => {
		expect(await ask(web, "db")).toEqual([db.address]);
		expect(await ask(web, "db.test")).toEqual([db.address]);
		expect(await ask(web, "db.test", "AAAA")).toEqual([db.address6]);
		expect(await ask(web, db.address, "PTR")).toEqual(["db.test"]);
		expect(await ask(web, db.address6, "PTR")).toEqual(["db.test"]);
	});

	test("by TCP too, and at the gateway's IPv6 address", async () => {
		expect(await askByTcp(web, "db.test")).toBe("0 1");
		expect(await askByTcp(web, "mute.test")).toBe("3 0");
		expect(await ask(web, "db", "A", "[fd00:77::1]")).toEqual([db.address]);
	});

	test("others do not exist, and that is said at once", async () => {
		expect(await ask(db, "web")).toBe("ENOTFOUND");
		expect(await ask(db, "web.test")).toBe("ENOTFOUND");
		expect(await ask(db, web.address, "PTR")).toBe("ENOTFOUND");
		expect(await ask(web, "www.example.com")).toBe("ENOTFOUND");
		expect(await ask(web, "www.example.com", "TXT")).toBe("ENOTFOUND");
	});

	test("whom nobody answers meets silence; so do other ports, and the answerers' own", async () => {
		expect(await ask(mute, "db")).toBe("ETIMEOUT");
		expect(await ask(db, "db", "A", "10.77.0.1:10001")).toBe("ETIMEOUT");
		expect(await ask(db, "db", "A", "10.77.0.1:10002")).toBe("ETIMEOUT");
	});

	test("what lives in the sandbox itself may not ask in a server's name", async () => {
		const command = [process.execPath, "--input-type=module", "-e", script, "127.0.0.1:10001", "A", "db"];
		expect(JSON.parse(await inside(tag, ...command))).toBe("ETIMEOUT");
	});

	test("a change of the list is known at once, by the process that runs", async () => {
		const [plan] = plans();
		if (!plan) throw new Error("no plan");
		const before = await answererIn(plan.folder).process();
		expect(await ensureAnswerer(plan, own(web, mute))).toBe(false);
		await vi.waitFor(async () => expect(await ask(web, "mute")).toEqual([mute.address]));
		expect(await ask(web, "db")).toBe("ENOTFOUND");
		expect(await answererIn(plan.folder).process()).toEqual(before);
		await answer();
	});
});

/** The host's place and the outside's: a namespace each, with name servers and other servers in the second. */
describe("names of the outside", () => {
	const [host, net] = [`${tag}host`, `${tag}net`];
	const outside = { namespace: host };
	const started: ChildProcess[] = [];
	const name = "updates.example.com";
	let followed: FollowedNames;
	let clock = 0;
	const told: string[] = [];

	const serve = async (namespace: string, ...command: string[]) => {
		const child = spawn("nsenter", [`--net=/run/netns/${namespace}`, ...command], {
			stdio: ["ignore", "pipe", "inherit"],
		});
		started.push(child);
		return child;
	};
	/** What the outside's name server says from now on. */
	const world = async (hosts: string) => {
		await writeFile(join(folder, "world"), hosts);
		started[0]?.kill("SIGHUP");
		await delay(200);
	};
	/** From within the place of the host. */
	const askThere = async (what: string, family: 4 | 6): Promise<Answer[]> => {
		const command = [process.execPath, "--input-type=module", "-e", script];
		const type = family === 4 ? "A" : "AAAA";
		const found = JSON.parse(await inside(host, ...command, "198.51.100.7", type, what)) as string[] | string;
		if (typeof found === "string") throw Object.assign(new Error(found), { code: found });
		return found.map((address) => ({ address, ttl: 30 }));
	};
	const rule = (): OutboundRule => ({
		...{ to: name, addresses: followed.letOut(name), protocol: "tcp", ports: [[443, 443]] },
	});
	/** As the daemon does it: asks, lets out, tells. */
	const follow = async () => {
		clock += 60_000;
		await followed.follow([name], ["10.77.0.0/24", "fd00:77::/64"]);
		await followed.look();
		const servers = [
			{ name: "web", address: web.address, address6: web.address6, rules: [rule()] },
			{ name: "db", address: db.address, address6: db.address6, rules: [] },
			{ name: "mute", address: mute.address, address6: mute.address6, rules: [everything] },
		];
		await ensureOutbound({ namespace: tag, servers }, outside);
		const [plan] = plans();
		if (plan)
			await ensureAnswerer(plan, [...own(web, db), { names: [name], addresses: followed.current(name) }]);
		await delay(100);
	};
	const reaches = async (from: Guest, address: string) => {
		const attempt = `timeout 1 bash -c 'exec 3<>/dev/tcp/${address}/443' 2>/dev/null && echo yes || echo no`;
		return (await inside(from.namespace, "bash", "-c", attempt)) === "yes\n";
	};
	const passed = async () => (await outboundCountersOf(tag)).get(passedCounter("web", rule()))?.packets ?? 0;

	beforeAll(async () => {
		followed = new FollowedNames({
			...{ file: join(folder, "followed.json"), ask: askThere, keptMs: 50_000 },
			...{ now: () => clock, monotonic: () => clock },
			tell: (text) => told.push(text),
		});
		for (const namespace of [host, net]) {
			await ip("netns", "add", namespace);
			await ip("-n", namespace, "link", "set", "lo", "up");
		}
		await setKernel(host, { "net/ipv4/ip_forward": 1 });
		await ip("-n", host, "link", "add", "lan0", "type", "veth", "peer", "name", "eth0", "netns", net);
		await ip("-n", host, "addr", "add", "198.51.100.1/24", "dev", "lan0");
		for (const last of [7, 8, 9]) await ip("-n", net, "addr", "add", `198.51.100.${last}/24`, "dev", "eth0");
		await ip("-n", host, "link", "set", "lan0", "up");
		await ip("-n", net, "link", "set", "eth0", "up");
		await ip("-n", host, "route", "add", "default", "via", "198.51.100.7");
		await writeFile(join(folder, "world"), "");
		const options = ["-k", "-C", "/dev/null", "--no-resolv", "--no-hosts", "--pid-file", "--address=/#/"];
		await serve(net, "dnsmasq", ...options, "--user=root", `--addn-hosts=${join(folder, "world")}`);
		const web443 = await serve(net, process.execPath, serveScript, "443");
		await once(web443.stdout ?? web443, "data");
	});

	afterAll(async () => {
		for (const child of started) child.kill("SIGKILL");
		await removeOutbound(tag, outside);
		await answererIn(join(folder, "mute")).end();
		for (const namespace of [net, host]) await ip("netns", "del", namespace);
	});

	test("a rule lets out exactly what its name stands for, and the server is told exactly that", async () => {
		await world(`198.51.100.8 ${name}\n198.51.100.9 other.example.com\n`);
		await follow();
		expect(await ask(web, name)).toEqual(["198.51.100.8"]);
		expect(await ask(web, "other.example.com")).toBe("ENOTFOUND");
		expect(await ask(db, name)).toBe("ENOTFOUND");
		expect(await reaches(web, "198.51.100.8")).toBe(true);
		for (const other of ["198.51.100.7", "198.51.100.9"]) expect(await reaches(web, other)).toBe(false);
		expect(await reaches(db, "198.51.100.8")).toBe(false);
	});

	test("and follows it to another address; what was counted goes on", async () => {
		const before = await passed();
		expect(before).toBeGreaterThan(0);
		await world(`198.51.100.9 ${name}\n`);
		await follow();
		expect(await ask(web, name)).toEqual(["198.51.100.9"]);
		expect(await reaches(web, "198.51.100.9")).toBe(true);
		expect(await passed()).toBeGreaterThan(before);
		await follow();
		expect(await reaches(web, "198.51.100.8")).toBe(false);
		expect(await reaches(web, "198.51.100.9")).toBe(true);
	});

	test("a name that leads inside is let lead nowhere", async () => {
		await world(`${db.address} ${name}\n127.0.0.1 ${name}\n198.51.100.8 ${name}\n`);
		await follow();
		expect(await ask(web, name)).toEqual(["198.51.100.8"]);
		expect(followed.letOut(name)).not.toContain(db.address);
		expect(told.join()).toContain(`${db.address}`);
	});

	test("who reaches everything may ask for everything, and only that one's questions are passed on", async () => {
		const inClothes = ["::ffff:127.0.0.1", `::ffff:${db.address}`, `::${db.address}`];
		const clothed = inClothes.map((address, i) => `${address} clothed${i}.example.net\n`).join("");
		await world(
			`198.51.100.9 www.example.net\n2001:db8::9 www.example.net\n${db.address} rebound.example.net\n${clothed}`,
		);
		const plan = { ...planOf(mute, 10_003), upstreams: ["198.51.100.7"] };
		await sandbox.permit([], { paths: [], open: [] }, [...plans(), plan]);
		await leadQuestions(tag, [...plans(), plan]);
		await ensureAnswerer(plan, own(mute));
		await vi.waitFor(async () => expect(await ask(mute, "mute")).toEqual([mute.address]), { timeout: 5000 });
		expect(await ask(mute, "www.example.net")).toEqual(["198.51.100.9"]);
		expect(await ask(mute, "www.example.net", "AAAA")).toEqual(["2001:db8::9"]);
		expect(await ask(mute, "rebound.example.net")).toBe("ENOTFOUND");
		for (const i of inClothes.keys())
			expect(await ask(mute, `clothed${i}.example.net`, "AAAA"), inClothes[i]).toBe("ENOTFOUND");
		expect(await ask(mute, "db.test")).toBe("ENOTFOUND");
		expect(await ask(web, "www.example.net")).toBe("ENOTFOUND");
		expect(await ask(db, "www.example.net")).toBe("ENOTFOUND");
		// Not let out by the firewall: the upstream is asked by that user, and by no other.
		await sandbox.permit([], { paths: [], open: [] }, [...plans(), { ...plan, upstreams: [] }]);
		expect(await ask(mute, "new.example.net")).toBe("EREFUSED");
		await answer();
	});
});

describe("the process", () => {
	test("is adopted by whoever comes later, and made again when it was killed", async () => {
		const [plan] = plans();
		if (!plan) throw new Error("no plan");
		expect(await ensureAnswerer(plan, own(web, db))).toBe(false);
		const before = await answererIn(plan.folder).process();
		process.kill(before?.pid ?? 0, "SIGKILL");
		await vi.waitFor(async () => expect(await answererIn(plan.folder).process()).toBeUndefined());
		expect(await ensureAnswerer(plan, own(web, db))).toBe(true);
		await vi.waitFor(async () => expect(await ask(web, "db")).toEqual([db.address]), { timeout: 5000 });
	});

	test("has no privilege, and can write nothing", async () => {
		const [plan] = plans();
		const found = await answererIn(plan?.folder ?? "").process();
		const status = (await run("cat", [`/proc/${found?.pid}/status`], { deadlineMs: 5000 })).stdout;
		expect(status).toMatch(/CapEff:\s0+\n/);
		expect(status).toMatch(/CapBnd:\s0+\n/);
		expect(status).toMatch(/NoNewPrivs:\s1/);
		expect(status).toContain(`Uid:\t${plan?.uid}`);
		const resident = Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]);
		expect(resident).toBeLessThan(6000);
	});

	test("ends, and leaves nobody", async () => {
		const [, plan] = plans();
		const found = await answererIn(plan?.folder ?? "").process();
		await answererIn(plan?.folder ?? "").end();
		await delay(20);
		expect(identify(found?.pid ?? 0)).toBeUndefined();
		await answer();
	});
});
