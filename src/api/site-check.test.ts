import { expect, test } from "vitest";
import { checkSite } from "./site-check.ts";

const web = {
	template: "tiny",
	network: { segment: "office", address: "10.77.0.10" },
	publish: [{ service: "http", port: 80, to: "host", listen: 8080 }],
};
const site = { name: "home", segments: { office: { subnet: "10.77.0.0/24" } }, servers: { web } };

/** The site with one more server `b`, or with other things changed. */
const and = (b: object, more: object = {}) => ({ ...site, servers: { web, b }, ...more });
const other = { template: "tiny", network: { segment: "office", address: "10.77.0.11" } };

/** The site with a server `b` that has an address of the LAN. */
const onLan = (...publish: object[]) => ({
	...site,
	segments: { ...site.segments, branch: { subnet: "192.168.1.0/24", lan: "eth0" } },
	servers: {
		web,
		b: { template: "tiny", network: { segment: "branch", address: "192.168.1.20" }, publish },
	},
});

/** Problems as `path: message`. */
function problems(value: unknown): string[] {
	return checkSite(value).problems.map(({ path, message }) => `${path.join(".")}: ${message}`);
}

test("a right site is right", () => {
	expect(checkSite(site).site).toEqual(site);
	expect(problems(and(other))).toEqual([]);
	expect(problems({ name: "empty" })).toEqual([]);
});

test("a service may be at the server's own address with several ports, and at a front door besides", () => {
	const app = { service: "app", port: 9000, to: "lan" };
	expect(problems(onLan(app, { ...app, port: 9001 }, { ...app, service: "tool" }))).toEqual([]);
	expect(problems(onLan(app, { ...app, protocol: "udp" }, { ...app, listen: 9000 }))).toEqual([]);
});

const badInput: [what: string, value: unknown, expected: string][] = [
	[
		"an unknown key",
		and({ ...other, memry: "1GiB" }),
		'servers.b.memry: there is no key "memry" here; did you mean "memory"?',
	],
	[
		"an unknown key on top",
		{ ...site, server: {} },
		'server: there is no key "server" here; did you mean "servers"?',
	],
	[
		"a server that would sleep for ever",
		and({ ...other, recovery: { mode: "warm" }, sleep: { after: "30m" } }),
		"servers.b.sleep: nobody could wake it: it publishes nothing; add `publish:`, or leave `sleep` out",
	],
	[
		"a bad size",
		and({ ...other, memory: "512" }),
		'servers.b.memory: "512" is not a size; write a number and a unit: 512MiB, 4GiB, 1.5TiB',
	],
	[
		"a size that is too small",
		and({ ...other, memory: "1MiB" }),
		"servers.b.memory: 1MiB is out of range; choose a size between 32MiB and 64TiB",
	],
	[
		"a number for a size",
		and({ ...other, memory: 512 }),
		"servers.b.memory: must be a size; write a number and a unit: 512MiB, 4GiB, 1.5TiB",
	],
	[
		"a time zone of a template's guest",
		and({ ...other, timeZone: "Europe/Berlin" }),
		"servers.b.timeZone: is decided by the template; leave it out, or use `image:` or `install:`",
	],
	[
		"a time zone of a guest whose clock shows UTC",
		and({ image: "/srv/b.qcow2", guest: "linux", timeZone: "Europe/Berlin" }),
		"servers.b.timeZone: is for Windows, whose clock shows local time; say `guest: windows-server-2022`, or whichever it is, or leave it out",
	],
	[
		"a time zone that there is not",
		and({ image: "/srv/b.qcow2", guest: "windows-10", timeZone: "Europe/Berlinn" }),
		'servers.b.timeZone: "Europe/Berlinn" is no time zone that Windows knows; did you mean "Europe/Berlin"?',
	],
	["too many processors", and({ ...other, cpus: 65 }), "servers.b.cpus: 65 is too large; the most is 64"],
	[
		"half a processor",
		and({ ...other, cpus: 0.5 }),
		"servers.b.cpus: must be a whole number between 1 and 64",
	],
	[
		"an address outside its segment",
		and({ ...other, network: { segment: "office", address: "10.78.0.10" } }),
		"servers.b.network.address: 10.78.0.10 is outside segment office (10.77.0.0/24); choose an address inside it",
	],
	[
		"the sandbox's own address",
		and({ ...other, network: { segment: "office", address: "10.77.0.1" } }),
		"servers.b.network.address: 10.77.0.1 is the network, the broadcast or the sandbox's own address of 10.77.0.0/24; choose another",
	],
	[
		"the broadcast address",
		and({ ...other, network: { segment: "office", address: "10.77.0.255" } }),
		"servers.b.network.address: 10.77.0.255 is the network, the broadcast or the sandbox's own address of 10.77.0.0/24; choose another",
	],
	[
		"no address at all",
		and({ ...other, network: { segment: "office", address: "ten" } }),
		'servers.b.network.address: "ten" is not an IPv4 address; write it as 10.77.0.10',
	],
	[
		"an address that some programs read as another",
		and({ ...other, network: { segment: "office", address: "10.77.0.011" } }),
		'servers.b.network.address: "10.77.0.011" is not an IPv4 address; write it as 10.77.0.11, without zeros in front, which some programs take for octal',
	],
	[
		"the address of another",
		and({ ...other, network: web.network }),
		"servers.b.network.address: 10.77.0.10 is already the address of web; give each server its own",
	],
	[
		"a segment that is not there",
		and({ ...other, network: { segment: "ofice", address: "10.77.0.11" } }),
		'servers.b.network.segment: there is no segment ofice; did you mean "office"?',
	],
	[
		"segments that overlap",
		{ ...site, segments: { ...site.segments, lab: { subnet: "10.77.0.128/25" } } },
		"segments.lab.subnet: 10.77.0.128/25 overlaps 10.77.0.0/24 of segment office; give each segment a network of its own",
	],
	[
		"host bits in a network",
		{ ...site, segments: { office: { subnet: "10.77.0.1/24" } } },
		'segments.office.subnet: "10.77.0.1/24" is not an IPv4 network of /8 to /29; write its first address and its length, as in 10.77.0.0/24',
	],
	[
		"a network that some programs read as another",
		{ ...site, segments: { office: { subnet: "10.077.0.0/24" } } },
		'segments.office.subnet: "10.077.0.0/24" is not an IPv4 network of /8 to /29; write its first address and its length, as in 10.77.0.0/24, without zeros in front, which some programs take for octal',
	],
	[
		"a network that is too small",
		{ ...site, segments: { office: { subnet: "10.77.0.0/30" } } },
		'segments.office.subnet: "10.77.0.0/30" is not an IPv4 network of /8 to /29; write its first address and its length, as in 10.77.0.0/24',
	],
	[
		"a port that another publishes",
		and({ ...other, publish: [{ service: "http", port: 80, to: "lan", listen: 8080 }] }),
		"servers.b.publish.0.listen: port 8080 of the host is already published by web; choose another `listen:`",
	],
	[
		"a port that is published twice by one",
		and({
			...other,
			publish: [
				{ service: "a", port: 9, to: "lan" },
				{ service: "c", port: 2, to: "lan", listen: 9 },
			],
		}),
		"servers.b.publish.1.listen: port 9 of the host is already published by b; choose another `listen:`",
	],
	[
		"a service that is at the server's own address twice",
		onLan({ service: "ssh", to: "host" }, { service: "ssh", to: "lan" }),
		"servers.b.publish.1.to: ssh is already published at b's own address by publish.0; `to: lan` includes this host; leave one of them out",
	],
	[
		"a port that is at the server's own address twice",
		onLan(
			{ service: "app", port: 9000, protocol: "tcp", to: "lan" },
			{ service: "app", port: 9000, protocol: "http", to: "lan" },
		),
		"servers.b.publish.1.service: app on TCP port 9000 is already published at b's own address by publish.0; leave one of them out",
	],
	[
		"a port that is none",
		and({ ...other, publish: [{ service: "http", port: 70_000, to: "lan" }] }),
		"servers.b.publish.0.port: 70000 is too large; the most is 65535",
	],
	[
		"published to nobody known",
		and({ ...other, publish: [{ service: "http", port: 80, to: "world" }] }),
		"servers.b.publish.0.to: must be one of host, lan",
	],
	[
		"published without a network",
		and({ template: "tiny", publish: [{ service: "http", port: 80, to: "lan" }] }),
		"servers.b.publish: a server without `network:` cannot publish anything; give it a segment and an address",
	],
	[
		"a bad server name",
		{ ...site, servers: { Web_1: web } },
		'servers.Web_1: "Web_1" is no server name; use lower-case letters, digits and hyphens, beginning with a letter, at most 24 characters',
	],
	[
		"a server name that ends with a hyphen",
		{ ...site, servers: { "web-": web } },
		'servers.web-: "web-" is no server name; use lower-case letters, digits and hyphens, beginning with a letter, at most 24 characters',
	],
	[
		"a bad site name",
		{ ...site, name: "../etc" },
		'name: "../etc" is no site name; use lower-case letters, digits and hyphens, beginning with a letter, at most 12 characters',
	],
	[
		"no site name",
		{ servers: {} },
		"name: must be a site name: lower-case letters, digits and hyphens, beginning with a letter, at most 12 characters",
	],
	[
		"two data disks of one name",
		and({
			...other,
			data: [
				{ name: "d", size: "1GiB" },
				{ name: "d", size: "1GiB" },
			],
		}),
		"servers.b.data.1.name: there are two data disks d; give each its own name",
	],
	[
		"a data disk named system",
		and({ ...other, data: [{ name: "system", size: "1GiB" }] }),
		'servers.b.data.0.name: "system" is the system disk; choose another name',
	],
	[
		"neither template nor image",
		and({}),
		"servers.b: has neither template, image nor install; say one of `template:`, `image:` and `install:`",
	],
	[
		"both template and image",
		and({ ...other, image: "/x.qcow2" }),
		"servers.b: has template and image; say one of `template:`, `image:` and `install:`",
	],
	[
		"an image that is no absolute path",
		and({ image: "x.qcow2" }),
		"servers.b.image: must be the absolute path of a disk image",
	],
	[
		"a bad duration",
		and({ ...other, recovery: { bootDeadline: "5 minutes" } }),
		'servers.b.recovery.bootDeadline: "5 minutes" is not a duration; write a number and a unit: 500ms, 30s, 10m, 2h, 14d',
	],
	[
		"a segment that no site has, and every object of JavaScript's",
		and({ ...other, network: { segment: "constructor", address: "10.77.0.11", address6: "fd00::1" } }),
		"servers.b.network.segment: there is no segment constructor; add it under `segments:`",
	],
	[
		"nothing for a list",
		and({ ...other, publish: null }),
		"servers.b.publish: must be a list of services such as [{ service: http, to: host }]; leave it out for none",
	],
	[
		"a block for a list",
		and({ ...other, publish: { service: "http", to: "host" } }),
		"servers.b.publish: must be a list of services such as [{ service: http, to: host }]; leave it out for none",
	],
	[
		"a list that is too long",
		and({ ...other, publish: Array(65).fill({ service: "http", to: "host" }) }),
		"servers.b.publish: has 65 entries, and the most are 64; leave some out",
	],
	[
		"a word for a list, however long",
		and({ ...other, allow: "web".repeat(100) }),
		"servers.b.allow: must be a list of servers and what they may use such as [{ from: web, service: postgresql }]; leave it out for none",
	],
	[
		"a block for data disks",
		and({ ...other, data: {} }),
		"servers.b.data: must be a list of data disks such as [{ name: files, size: 20GiB }]; leave it out for none",
	],
	["a number for an image", and({ image: 5 }), "servers.b.image: must be the absolute path of a disk image"],
	[
		"a list for a block",
		{ ...site, servers: [] },
		"servers: must be a list of servers: a name and what it is",
	],
];

test.each(badInput)("%s is one problem, with its place and the mend", (_, value, expected) => {
	expect(problems(value)).toEqual([expected]);
});

test.each([null, undefined, "text", 7, []])("%j is no site", (value) => {
	expect(problems(value)).toHaveLength(1);
});

test("all problems are told at once", () => {
	expect(problems(and({ ...other, memory: "x", cpus: 0 }))).toHaveLength(2);
});

test("more servers or segments than any host has are refused before each is compared with each", () => {
	const many = <T>(count: number, one: (i: number) => T) =>
		Object.fromEntries(Array.from({ length: count }, (_, i) => [`s${i}`, one(i)]));
	const server = (i: number) => ({ template: "tiny", after: i === 0 ? [] : [`s${i - 1}`] });
	const segment = () => ({ subnet: "10.0.0.0/24" });
	expect(checkSite({ name: "home", servers: many(1000, server) }).problems).toEqual([]);
	expect(checkSite({ name: "home", servers: many(1001, server) }).problems).toEqual([
		{ path: ["servers"], message: "names 1001 servers; the most are 1000: make several sites of them" },
	]);
	expect(checkSite({ name: "home", segments: many(257, segment) }).problems).toEqual([
		{ path: ["segments"], message: "names 257 segments; the most are 256: make several sites of them" },
	]);
});
