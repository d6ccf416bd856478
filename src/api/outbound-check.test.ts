import { expect, test } from "vitest";
import { checkSite } from "./site-check.ts";

const network = { segment: "office", address: "10.77.0.10" };
const site = (outbound: unknown, more: object = {}) => ({
	name: "home",
	segments: { office: { subnet: "10.77.0.0/24", subnet6: "fd00:77::/64" } },
	servers: { web: { template: "tiny", network: { ...network, ...more }, outbound } },
});
const problems = (value: unknown) =>
	checkSite(value).problems.map(({ path, message }) => `${path.join(".")}: ${message}`);

test.each<[what: string, outbound: unknown]>([
	["deny", "deny"],
	["allow", "allow"],
	["an address", [{ to: "192.0.2.10" }]],
	["a network with ports", [{ to: "198.51.100.0/24", protocol: "udp", ports: [53, "8000-8010"] }]],
	["a network around a segment", [{ to: "10.0.0.0/8" }]],
	["a name", [{ to: "Updates.example.com", ports: [443] }]],
	["anything by ICMP", [{ to: "any", protocol: "icmp" }]],
])("%s is right", (_, outbound) => {
	expect(problems(site(outbound))).toEqual([]);
});

test("IPv6 for a server that has it", () => {
	expect(problems(site([{ to: "2001:db8::/32" }], { address6: "fd00:77::10" }))).toEqual([]);
});

const at = "servers.web.outbound";
const kinds = "must be deny, allow or a list of rules such as { to: 192.0.2.10, ports: [443] }";
const examples = "write 192.0.2.10, 198.51.100.0/24, 2001:db8::/32, updates.example.com or any";
test.each<[what: string, outbound: unknown, expected: string]>([
	["another word", "some", `${at}: ${kinds}`],
	["a number", 1, `${at}: ${kinds}`],
	["no rule", [], `${at}: has no rule; write \`deny\` for nothing`],
	[
		"a rule without a place",
		[{ ports: [443] }],
		`${at}.0.to: must be an address, a network, a name or any: ${examples.slice(6)}`,
	],
	[
		"no place at all",
		[{ to: "192.0.2" }],
		`${at}.0.to: "192.0.2" is neither an address, a network nor a whole name; ${examples}`,
	],
	[
		"an address that the firewall would read as another",
		[{ to: "192.168.010.020" }],
		`${at}.0.to: "192.168.010.020" is neither an address, a network nor a whole name; write 192.168.10.20, without zeros in front, which some programs take for octal`,
	],
	[
		"host bits",
		[{ to: "192.0.2.1/24" }],
		`${at}.0.to: "192.0.2.1/24" is neither an address, a network nor a whole name; ${examples}`,
	],
	[
		"many names",
		[{ to: "*.example.com" }],
		`${at}.0.to: "*.example.com" stands for any number of names, and nobody can know their addresses beforehand; write each name`,
	],
	...[
		"localhost",
		"a_b.example.com",
		"-a.example.com",
		"a..example.com",
		"example.com.",
		"a.b}; }",
		"192.0.2.0x10",
	].map((to): [string, unknown, string] => [
		`${to}, which is no name,`,
		[{ to }],
		`${at}.0.to: "${to}" is neither an address, a network nor a whole name; ${examples}`,
	]),
	[
		"a name of 254 characters",
		[{ to: `${"a.".repeat(125)}exam` }],
		`${at}.0.to: "${"a.".repeat(20)}" is neither an address, a network nor a whole name; ${examples}`,
	],
	[
		"a name of this site",
		[{ to: "db.home" }],
		`${at}.0.to: db.home is a name of this site, not outside; let servers reach each other by \`allow:\``,
	],
	[
		"an unknown key",
		[{ to: "any", port: 443 }],
		`${at}.0.port: there is no key "port" here; did you mean "ports"?`,
	],
	[
		"another protocol",
		[{ to: "any", protocol: "gre" }],
		`${at}.0.protocol: must be one of tcp, udp, icmp, any`,
	],
	[
		"a range backwards",
		[{ to: "any", ports: ["10-9"] }],
		`${at}.0.ports.0: "10-9" is no port and no range of ports; write 443 or 8000-8010, between 1 and 65535`,
	],
	[
		"port 0",
		[{ to: "any", ports: [0] }],
		`${at}.0.ports.0: 0 is no port and no range of ports; write 443 or 8000-8010, between 1 and 65535`,
	],
	["no port", [{ to: "any", ports: [] }], `${at}.0.ports: names no port; leave it out for all of them`],
	[
		"ports of ICMP",
		[{ to: "any", protocol: "icmp", ports: [1] }],
		`${at}.0.ports: icmp has no ports; leave this out, or say \`protocol: tcp\` or \`udp\``,
	],
	[
		"a server of the site",
		[{ to: "10.77.0.11" }],
		`${at}.0.to: 10.77.0.11 is in segment office, not outside; let servers reach each other by \`allow:\``,
	],
	[
		"a part of a segment",
		[{ to: "fd00:77::/96" }],
		`${at}.0.to: fd00:77::/96 is in segment office, not outside; let servers reach each other by \`allow:\``,
	],
	[
		"IPv6 for a server without",
		[{ to: "2001:db8::1" }],
		`${at}.0.to: 2001:db8::1 is IPv6, and web has no \`address6:\`; give it one, or leave this out`,
	],
])("%s is refused", (_, outbound, expected) => {
	expect(problems(site(outbound))).toEqual([expected]);
});

test("a server without a network reaches nothing", () => {
	const value = { name: "home", servers: { lone: { template: "tiny", outbound: "allow" } } };
	expect(problems(value)).toEqual([
		"servers.lone.outbound: a server without `network:` reaches nothing; give it a segment and an address",
	]);
});
