import { expect, test } from "vitest";
import type { StoredServer } from "./servers.ts";
import { readKeptSite, siteOf } from "./site.ts";

const server = (name: string, segment: string, address: string): StoredServer => ({
	name,
	site: "office",
	subnet: "10.77.0.0/24",
	subnet6: null,
	lan: null,
	ejected: [],
	filled: [],
	domain: null,
	definition: { template: "tiny", network: { segment, address } },
	installed: {
		index: 1,
		uid: 1_900_000_002,
		uuid: "00000000-0000-4000-8000-000000000001",
		source: "template tiny 0123abcd",
		boot: { kind: "disk" },
		agent: true,
		memoryBytes: 2 ** 27,
		cpus: 1,
		systemDisk: "disposable",
		systemBytes: 2 ** 26,
		guest: "linux",
		domainDisk: null,
		services: {},
	},
});

test("a site half-way through a change is read, though no person may ask for it", () => {
	const segments = { office: { subnet: "10.77.0.0/24" }, lan: { subnet: "10.77.0.0/24" } };
	const a = server("a", "office", "10.77.0.20");
	const kept = readKeptSite(JSON.stringify({ name: "office", segments, servers: { gone: 1 } }), "site.yaml");
	expect(siteOf(kept, [a])).toEqual({ name: "office", segments, servers: { a: a.definition } });
});

test("a segment's IPv6 and who reaches whom on it are kept; from servers alone, its IPv6", () => {
	const segments = {
		office: { subnet: "10.77.0.0/24", subnet6: "fd00:77::/64", allow: "all" as const },
		branch: { subnet: "192.168.7.0/24", lan: "eth0", gateway: "192.168.7.254" },
	};
	const kept = readKeptSite(JSON.stringify({ name: "office", segments }), "site.yaml");
	expect(siteOf(kept, [])?.segments).toEqual(segments);
	const six = { ...server("a", "office", "10.77.0.20"), subnet6: "fd00:77::/64" };
	expect(siteOf(undefined, [six])?.segments).toEqual({
		office: { subnet: "10.77.0.0/24", subnet6: "fd00:77::/64" },
	});
});

test("without the file the site is what the servers say", () => {
	const a = server("a", "office", "10.77.0.20");
	expect(siteOf(undefined, [a])).toEqual({
		name: "office",
		segments: { office: { subnet: "10.77.0.0/24" } },
		servers: { a: a.definition },
	});
	expect(siteOf(undefined, [])).toBeUndefined();
});

test("a damaged file is an error with what to do", () => {
	expect(() => readKeptSite("name: [", "/x/site.yaml")).toThrow(/^\/x\/site\.yaml cannot be read; .*apply/);
});
