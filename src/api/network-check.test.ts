import { expect, test } from "vitest";
import { checkSite } from "./site-check.ts";

const web = {
	template: "tiny",
	network: { segment: "office", address: "10.77.0.10", address6: "fd00:77::10" },
};
const lone = { template: "tiny" };
const office = { subnet: "10.77.0.0/24", subnet6: "fd00:77::/64" };
const lab = { subnet: "10.78.0.0/24" };
const site = { name: "home", segments: { office, lab }, servers: { web, lone } };
const db = (more: object = {}, network: object = {}) => ({
	...site,
	servers: {
		...site.servers,
		db: { template: "tiny", network: { segment: "office", address: "10.77.0.11", ...network }, ...more },
	},
});
const segments = (more: object) => ({ ...site, segments: { ...site.segments, ...more } });
const problems = (value: unknown) =>
	checkSite(value).problems.map(({ path, message }) => `${path.join(".")}: ${message}`);

test("IPv6 and allowed paths that are right", () => {
	expect(problems(site)).toEqual([]);
	const allow = [
		{ from: "web", service: "postgresql" },
		{ from: "web", port: 5432, protocol: "udp" },
	];
	expect(problems(db({ allow }, { address6: "fd00:77::11" }))).toEqual([]);
	expect(problems(segments({ office: { ...office, allow: "all" } }))).toEqual([]);
});

const writeIt =
	"is not a unique-local or global IPv6 network of /64 to /120; write its first address and its length, as in fd00:77::/64";

test.each<[what: string, value: unknown, expected: string]>([
	["a text", segments({ lab: { ...lab, subnet6: "x" } }), `segments.lab.subnet6: "x" ${writeIt}`],
	[
		"host bits",
		segments({ lab: { ...lab, subnet6: "fd00::1/64" } }),
		`segments.lab.subnet6: "fd00::1/64" ${writeIt}`,
	],
	[
		"link-local",
		segments({ lab: { ...lab, subnet6: "fe80::/64" } }),
		`segments.lab.subnet6: "fe80::/64" ${writeIt}`,
	],
	[
		"too large",
		segments({ lab: { ...lab, subnet6: "fd00::/63" } }),
		`segments.lab.subnet6: "fd00::/63" ${writeIt}`,
	],
	[
		"too small",
		segments({ lab: { ...lab, subnet6: "fd00::/121" } }),
		`segments.lab.subnet6: "fd00::/121" ${writeIt}`,
	],
	[
		"an overlap",
		segments({ lab: { ...lab, subnet6: "FD00:77::/120" } }),
		"segments.lab.subnet6: FD00:77::/120 overlaps fd00:77::/64 of segment office; give each segment a network of its own",
	],
	[
		"an address that is none",
		db({}, { address6: "fd00:77::11%eth0" }),
		'servers.db.network.address6: "fd00:77::11%eth0" is not an IPv6 address; write it as fd00:77::10',
	],
	[
		"an address outside",
		db({}, { address6: "fd00:78::11" }),
		"servers.db.network.address6: fd00:78::11 is outside segment office (fd00:77::/64); choose an address inside it",
	],
	[
		"the sandbox's own",
		db({}, { address6: "fd00:77:0::1" }),
		"servers.db.network.address6: fd00:77:0::1 is the network's or the sandbox's own address of fd00:77::/64; choose another",
	],
	[
		"another's, written otherwise",
		db({}, { address6: "FD00:77:0:0::0010" }),
		"servers.db.network.address6: fd00:77::10 is already the address of web; give each server its own",
	],
	[
		"an address of a segment without IPv6",
		db({}, { segment: "lab", address: "10.78.0.11", address6: "fd00:77::11" }),
		"servers.db.network.address6: segment lab has no IPv6; give it a `subnet6:`, or leave this out",
	],
	[
		"a server that is not there",
		db({ allow: [{ from: "wep", port: 1 }] }),
		'servers.db.allow.0.from: there is no server wep; did you mean "web"?',
	],
	[
		"a name that every object has",
		db({ allow: [{ from: "constructor", port: 1 }] }),
		"servers.db.allow.0.from: there is no server constructor; name a server of this site",
	],
	[
		"itself",
		db({ allow: [{ from: "db", port: 1 }] }),
		"servers.db.allow.0.from: a server reaches itself without being allowed to; leave this out",
	],
	[
		"one without a network",
		db({ allow: [{ from: "lone", port: 1 }] }),
		"servers.db.allow.0.from: lone has no `network:`, so it can reach nothing; give it a segment and an address",
	],
	[
		"nothing to reach",
		db({ allow: [{ from: "web" }] }),
		"servers.db.allow.0: says not what for; name a `service:` or a `port:`",
	],
	[
		"to a server without a network",
		{ ...site, servers: { web, lone: { ...lone, allow: [{ from: "web", port: 1 }] } } },
		"servers.lone.allow: nobody can reach a server without `network:`; give it a segment and an address",
	],
	[
		"another protocol",
		db({ allow: [{ from: "web", port: 1, protocol: "icmp" }] }),
		"servers.db.allow.0.protocol: must be one of tcp, udp",
	],
	[
		"part of a segment",
		segments({ office: { ...office, allow: "some" } }),
		"segments.office.allow: must be one of all",
	],
])("%s is refused", (_, value, expected) => {
	expect(problems(value)).toEqual([expected]);
});
