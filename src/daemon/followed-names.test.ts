import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type Answer, FollowedNames } from "./followed-names.ts";

const name = "updates.example.com";
let folder = "";
let now = 1_000_000;
/** By how much the host's clock was set. */
let set = 0;
let told: string[] = [];
let world: Record<string, string[] | Error> = {};
/** What becomes of questions by IPv6, when it is something else. */
let six: Error | undefined;
let asked = 0;

const failure = (code: string) => Object.assign(new Error(code), { code });
const ask = async (what: string, family: 4 | 6): Promise<Answer[]> => {
	asked++;
	const found = (family === 6 ? six : undefined) ?? world[what] ?? failure("ENOTFOUND");
	if (found instanceof Error) throw found;
	const own = found.filter((address) => address.includes(":") === (family === 6));
	if (own.length === 0) throw failure("ENODATA");
	return own.map((address) => ({ address, ttl: 60 }));
};
const follower = () =>
	new FollowedNames({
		...{ file: join(folder, "followed.json"), ask, now: () => now + set, monotonic: () => now },
		tell: (text) => told.push(text),
	});
const segments = ["10.77.0.0/24", "fd00:77::/64"];

beforeEach(async () => {
	folder = await mkdtemp(join(tmpdir(), "bulkhead-followed-"));
	[now, set, told, world, six, asked] = [1_000_000, 0, [], {}, undefined, 0];
});
afterEach(async () => await rm(folder, { recursive: true, force: true }));

test("a name lets out exactly what it stands for, and is asked for again when its time is over", async () => {
	const names = follower();
	world = { [name]: ["192.0.2.7", "2001:db8::7"], "other.example.com": ["192.0.2.99"] };
	await names.follow([name], segments);
	expect(names.letOut(name)).toEqual([]);
	expect(await names.look()).toBe(true);
	expect(names.letOut(name)).toEqual(["192.0.2.7", "2001:db8::7"]);
	expect(names.letOut("other.example.com")).toEqual([]);
	expect(await names.look()).toBe(false);
	expect(asked).toBe(2);
	now += 61_000;
	expect(await names.look()).toBe(false);
	expect(asked).toBe(4);
});

test("a change is told at once; what it stood for is let out for five minutes more", async () => {
	const names = follower();
	world = { [name]: ["192.0.2.7"] };
	await names.follow([name], segments);
	await names.look();
	world = { [name]: ["192.0.2.8"] };
	now += 61_000;
	expect(await names.look()).toBe(true);
	expect(names.current(name)).toEqual(["192.0.2.8"]);
	expect(names.letOut(name)).toEqual(["192.0.2.7", "192.0.2.8"]);
	now += 301_000;
	expect(await names.look()).toBe(true);
	expect(names.letOut(name)).toEqual(["192.0.2.8"]);
});

test("a name server that does not answer changes nothing; a name that is gone does, and both are told once", async () => {
	const names = follower();
	world = { [name]: ["192.0.2.7"] };
	await names.follow([name], segments);
	await names.look();
	for (let i = 0; i < 100; i++) {
		world = { [name]: failure("ETIMEOUT") };
		now += 61_000;
		await names.look();
	}
	expect(names.letOut(name)).toEqual(["192.0.2.7"]);
	expect(told).toHaveLength(1);
	world = {};
	now += 61_000;
	await names.look();
	expect(names.current(name)).toEqual([]);
	now += 301_000;
	await names.look();
	expect(names.letOut(name)).toEqual([]);
	expect(told).toHaveLength(2);
	expect(told[1]).toContain("stands for no address");
});

test.each(["ESERVFAIL", "ENOTIMP", "EREFUSED", "ETIMEOUT"])(
	"where name servers do not answer for IPv6 (%s), what a name stands for by IPv4 is let out, and is followed",
	async (code) => {
		const names = follower();
		[world, six] = [{ [name]: ["192.0.2.7"] }, failure(code)];
		await names.follow([name], segments);
		await names.look();
		expect(names.letOut(name)).toEqual(["192.0.2.7"]);
		world = { [name]: ["192.0.2.8"] };
		now += 16_000;
		await names.look();
		expect(names.current(name)).toEqual(["192.0.2.8"]);
		expect(told).toEqual([expect.stringContaining(`its IPv6 addresses cannot be looked up: ${code}`)]);
	},
);

test("what a name stood for by IPv6 goes on while that cannot be looked up, also when its IPv4 address is another", async () => {
	const names = follower();
	world = { [name]: ["192.0.2.7", "2001:db8::7"] };
	await names.follow([name], segments);
	await names.look();
	[world, six] = [{ [name]: ["192.0.2.8"] }, failure("ESERVFAIL")];
	for (let i = 0; i < 30; i++) {
		now += 61_000;
		await names.look();
	}
	expect(names.current(name)).toEqual(["192.0.2.8", "2001:db8::7"]);
	six = undefined;
	now += 61_000;
	await names.look();
	expect(names.current(name)).toEqual(["192.0.2.8"]);
});

test("a name that only servers without IPv6 have is not asked for by it, until one has that is with it", async () => {
	const names = follower();
	[world, six] = [{ [name]: ["192.0.2.7", "2001:db8::7"] }, failure("ESERVFAIL")];
	await names.follow([name], segments, []);
	await names.look();
	expect([names.current(name), told, asked]).toEqual([["192.0.2.7"], [], 1]);
	six = undefined;
	await names.follow([name], segments, [name]);
	await names.look();
	expect(names.current(name)).toEqual(["192.0.2.7", "2001:db8::7"]);
	await names.follow([name], segments, []);
	now += 61_000;
	await names.look();
	expect(names.current(name)).toEqual(["192.0.2.7"]);
});

test.each([
	"127.0.0.1",
	"10.77.0.20",
	"169.254.169.254",
	"0.0.0.0",
	"224.0.0.1",
	"255.255.255.255",
	"::1",
	"fe80::1",
	"fd00:77::20",
	"::ffff:127.0.0.1",
	"::ffff:10.77.0.20",
	"64:ff9b::a4d:14",
	"fd62:756c:6b68::1",
])("an answer that leads to %s is not let out, and that is told", async (address) => {
	const names = follower();
	world = { [name]: [address, "192.0.2.7"] };
	await names.follow([name], segments);
	await names.look();
	expect(names.letOut(name)).toEqual(["192.0.2.7"]);
	expect(names.current(name)).toEqual(["192.0.2.7"]);
	expect(told).toEqual([expect.stringContaining("which is not outside")]);
});

test("a segment that comes to be takes away what a name let out of it", async () => {
	const names = follower();
	world = { [name]: ["10.78.0.7"] };
	await names.follow([name], segments);
	await names.look();
	expect(names.letOut(name)).toEqual(["10.78.0.7"]);
	await names.follow([name], [...segments, "10.78.0.0/24"]);
	expect(names.letOut(name)).toEqual([]);
	expect(names.current(name)).toEqual([]);
});

test("the next daemon goes on with what was let out, and asks at once", async () => {
	world = { [name]: ["192.0.2.7"] };
	const first = follower();
	await first.follow([name], segments);
	await first.look();
	const next = follower();
	await next.follow([name], segments);
	expect(next.letOut(name)).toEqual(["192.0.2.7"]);
	expect(next.current(name)).toEqual(["192.0.2.7"]);
	const before = asked;
	await next.look();
	expect(asked).toBe(before + 2);
	await next.follow([], segments);
	expect(next.letOut(name)).toEqual([]);
});

test("a name of a thousand addresses lets out the first ones", async () => {
	const names = follower();
	world = { [name]: Array.from({ length: 1000 }, (_, i) => `192.0.${2 + (i >> 8)}.${i & 255}`) };
	await names.follow([name], segments);
	await names.look();
	expect(names.letOut(name)).toHaveLength(64);
});

test("a name is asked for again when its time is over, also when the host's clock was set back meanwhile", async () => {
	const names = follower();
	world = { [name]: ["192.0.2.7"] };
	await names.follow([name], segments);
	await names.look();
	[set, now] = [-7_200_000, now + 61_000];
	world = { [name]: ["192.0.2.8"] };
	expect(await names.look()).toBe(true);
	expect(names.current(name)).toEqual(["192.0.2.8"]);
	now += 301_000;
	await names.look();
	expect(names.letOut(name)).toEqual(["192.0.2.8"]);
});
