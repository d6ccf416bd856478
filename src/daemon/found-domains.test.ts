import { expect, test } from "vitest";
import type { StoredServer } from "../store/servers.ts";
import { withDomain, withoutDomain } from "./found-domains.ts";

const realm = "AD.EXAMPLE.COM";
const ad = (controllers: string[], origin: "made" | "found" = "found") => ({
	...{ realm, workgroup: "AD", controllers, origin },
	madeOn: origin === "made" ? ["00000000-0000-4000-8000-000000000001"] : [],
});
const server = (name: string, domain: StoredServer["domain"] = null): StoredServer => ({
	...{
		name,
		site: "home",
		subnet: "10.77.0.0/24",
		subnet6: null,
		lan: null,
		ejected: [],
		filled: [],
		domain,
	},
	definition: { image: "/srv/dc.qcow2", network: { segment: "office", address: "10.77.0.10" } },
	installed: {
		...{ index: 1, uid: 1_900_000_001, uuid: "00000000-0000-4000-8000-000000000009", source: "an image" },
		...{ boot: { kind: "disk" }, agent: true, memoryBytes: 2 ** 31, cpus: 2, systemDisk: "kept" },
		...{ guest: "windows-server-2022" as const, systemBytes: 2 ** 36, domainDisk: null, services: {} },
	},
});
const domainsOf = (servers: readonly StoredServer[]) => servers.map(({ name, domain }) => [name, domain]);

test("servers that are found to be controllers know each other", () => {
	expect(domainsOf(withDomain([server("dc1"), server("dc2")], { realm, workgroup: "AD" }))).toEqual([
		["dc1", ad(["dc1", "dc2"])],
		["dc2", ad(["dc1", "dc2"])],
	]);
});

test("one that is found beside those that Bulkhead made leaves these what they are", () => {
	const both = [server("dc1", ad(["dc1"], "made")), server("dc2")];
	expect(domainsOf(withDomain(both, { realm, workgroup: "AD" }))).toEqual([
		["dc1", ad(["dc1", "dc2"], "made")],
		["dc2", ad(["dc1", "dc2"])],
	]);
});

test("one that is forgotten is a controller no more to itself, nor to the others; another domain's stay as they are", () => {
	const all = ["dc1", "dc2", "dc3"].map((name) => server(name, ad(["dc1", "dc2", "dc3"])));
	const other = server("other", { ...ad(["other"]), realm: "OTHER.EXAMPLE.COM" });
	const [first] = all;
	expect(domainsOf(withoutDomain(first ?? other, [...all, other]))).toEqual([
		["dc1", null],
		["dc2", ad(["dc2", "dc3"])],
		["dc3", ad(["dc2", "dc3"])],
	]);
});

test("what is no controller, or all that its disk is for, cannot be forgotten", () => {
	expect(() => withoutDomain(server("web"), [])).toThrow(/web is the controller of no domain/);
	expect(() => withoutDomain(server("dc1", ad(["dc1"], "made")), [])).toThrow(/was made by Bulkhead/);
});
