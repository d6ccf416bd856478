import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { anew } from "../table.ts";
import { configOf, listOf } from "./config.ts";
import type { Answerer } from "./plan.ts";
import { leadLines, namesTable } from "./rules.ts";
import { nameServersIn, upstreamsOfHost } from "./upstreams.ts";

const answerer: Answerer = {
	...{ server: "web", address: "10.77.0.10", address6: "fd00:77::10", uid: 320_000, port: 10_001 },
	...{ domain: "home", inside: ["10.77.0.0/24", "fd00:77::/64"], upstreams: [] },
};

test("a server that reaches nothing outside has nothing passed on", () => {
	expect(configOf(answerer)).toContain("\naddress=/#/\n");
	expect(configOf(answerer)).not.toContain("server=");
});

test("one that reaches everything asks the host's name servers, but not for the site's own names", () => {
	const config = configOf({ ...answerer, upstreams: ["192.0.2.53"] });
	expect(config).toContain("\nserver=192.0.2.53\nlocal=/home/\n");
	expect(config).toContain("\nbogus-nxdomain=127.0.0.0/8\n");
	expect(config).toContain("\nbogus-nxdomain=::ffff:0:0/96\n");
	expect(config).toContain("\nbogus-nxdomain=10.77.0.0/24\n");
	expect(config).not.toContain("address=");
});

test.each<[string, Partial<Answerer>]>([
	["an upstream", { upstreams: ["192.0.2.53\nconf-script=/bin/sh"] }],
	["an upstream's name", { upstreams: ["dns.example.com"] }],
	["a network", { upstreams: ["192.0.2.53"], inside: ["10.77.0.0/24,evil"] }],
	["a domain", { upstreams: ["192.0.2.53"], domain: "home/1.2.3.4" }],
	["a port", { port: 53 }],
])("refuses %s that is none", (_, wrong) => {
	expect(() => configOf({ ...answerer, ...wrong })).toThrow(RangeError);
});

test("the list, as in /etc/hosts", () => {
	const entries = [{ names: ["db.home", "db"], addresses: ["10.77.0.11", "fd00:77::11"] }];
	expect(listOf(entries)).toBe("10.77.0.11 db.home db\nfd00:77::11 db.home db\n");
	for (const wrong of ["a b", "a\n10.0.0.1", "", "-a", "192.0.2.1"])
		expect(() => listOf([{ names: [wrong], addresses: ["10.0.0.1"] }]), wrong).toThrow(RangeError);
	expect(() => listOf([{ names: ["a"], addresses: ["10.0.0.1 b"] }])).toThrow(RangeError);
});

test("the table that leads questions", async () => {
	const lines = [...anew(namesTable), ...leadLines([answerer])];
	await expect(`${lines.join("\n")}\n`).toMatchFileSnapshot("../goldens/names.nft");
	expect(() => leadLines([{ ...answerer, address: "10.77.0.10 : 1, 10.0.0.1" }])).toThrow(RangeError);
	expect(() => leadLines([{ ...answerer, port: 0 }])).toThrow(RangeError);
});

test("an address leads to one answerer, also while two servers have it: that of the later one", () => {
	const old = { ...answerer, address6: "fd00:77::10", port: 10_001 };
	const other = { ...answerer, address: "10.77.0.11", address6: undefined, port: 10_003 };
	const renamed = { ...answerer, server: "renamed", address6: "fd00:77:0::10", port: 10_002 };
	expect(leadLines([old, other, renamed]).filter((line) => line.startsWith("add"))).toEqual([
		"add element inet bulkhead_names ports { 10.77.0.10 : 10002, 10.77.0.11 : 10003 }",
		"add element inet bulkhead_names ports6 { fd00:77::10 : 10002 }",
		"add element inet bulkhead_names listening { 10001, 10002, 10003 }",
	]);
});

test("name servers of a resolv.conf", () => {
	const text = "# nameserver 1.1.1.1\nnameserver 127.0.0.53\n  nameserver\t192.0.2.53 \nsearch example.com\n";
	expect(nameServersIn(text)).toEqual(["127.0.0.53", "192.0.2.53"]);
});

test("questions are passed on to none of the site's own servers, and to others that the host asks", async () => {
	const folder = await mkdtemp(join(tmpdir(), "bulkhead-upstreams-"));
	onTestFinished(async () => await rm(folder, { recursive: true }));
	const [first, second] = [join(folder, "first"), join(folder, "second")];
	await writeFile(first, "nameserver 127.0.0.53\nnameserver 192.168.1.20\n");
	await writeFile(second, "nameserver 192.168.1.20\nnameserver 192.0.2.53\nnameserver 2001:db8::20\n");
	const site = ["192.168.1.20", "2001:db8::20", "10.77.0.10"];
	const inside = ["192.168.1.20", "2001:db8::20"];
	expect(await upstreamsOfHost(site, [first, second])).toEqual({ usable: ["192.0.2.53"], inside });
	expect(await upstreamsOfHost(site, [first])).toEqual({ usable: [], inside: ["192.168.1.20"] });
	expect(await upstreamsOfHost([], [first])).toEqual({ usable: ["192.168.1.20"], inside: [] });
});
