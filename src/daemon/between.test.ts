import { expect, test } from "vitest";
import type { ServerDefinition } from "../api/site.ts";
import type { StoredServer } from "../store/servers.ts";
import { meanwhile, openSegments, pathsAmong } from "./between.ts";

function server(
	name: string,
	index: number,
	six: boolean,
	allow: ServerDefinition["allow"] = [],
): StoredServer {
	const address6 = six ? { address6: `fd00:77::${index}` } : {};
	return {
		...{
			name,
			site: "home",
			subnet: "10.77.0.0/24",
			subnet6: six ? "fd00:77::/64" : null,
			lan: null,
			ejected: [],
			filled: [],
			domain: null,
		},
		definition: {
			template: "tiny",
			allow,
			network: { segment: "office", address: `10.77.0.${index}`, ...address6 },
		},
		installed: {
			...{
				index,
				uid: 1_900_000_000 + index,
				uuid: "00000000-0000-4000-8000-000000000001",
				source: "template tiny",
			},
			...{ boot: { kind: "disk" }, agent: true, memoryBytes: 2 ** 27, cpus: 1, systemDisk: "disposable" },
			...{
				systemBytes: 2 ** 26,
				guest: "linux",
				domainDisk: null,
				services: { page: { port: 8080, protocol: "http", healthPath: "/", rehearse: [] } },
			},
		},
	};
}

test("a path is as it is written, as the template or as the catalogue says; IPv6 where both have it", () => {
	const db = server("db", 10, true, [
		{ from: "web", service: "postgresql" },
		{ from: "old", service: "page" },
		{ from: "web", port: 53, protocol: "udp" },
		{ from: "gone", service: "page" },
		{ from: "web", service: "nobody-knows" },
		{ from: "old", service: "kerberos" },
		{ from: "old", service: "kerberos", protocol: "tcp" },
	]);
	expect(pathsAmong([db, server("web", 11, true), server("old", 12, false)])).toEqual([
		{ from: "10.77.0.11", to: "10.77.0.10", protocol: "tcp", port: 5432 },
		{ from: "fd00:77::11", to: "fd00:77::10", protocol: "tcp", port: 5432 },
		{ from: "10.77.0.12", to: "10.77.0.10", protocol: "tcp", port: 8080 },
		{ from: "10.77.0.11", to: "10.77.0.10", protocol: "udp", port: 53 },
		{ from: "fd00:77::11", to: "fd00:77::10", protocol: "udp", port: 53 },
		...(["tcp", "udp"] as const).flatMap((protocol) =>
			[88, 464].map((port) => ({ from: "10.77.0.12", to: "10.77.0.10", protocol, port })),
		),
		{ from: "10.77.0.12", to: "10.77.0.10", protocol: "tcp", port: 88 },
	]);
	expect(pathsAmong([server("a", 10, true), server("b", 11, true)])).toEqual([]);
});

test("while a site is being changed, segments are as open as they were", () => {
	const [a, b] = [{ subnet: "10.1.0.0/24" }, { subnet: "10.2.0.0/24" }];
	const all = { allow: "all" as const };
	expect(openSegments({ segments: { a: { ...a, ...all }, b } })).toEqual(["a"]);
	expect(openSegments({})).toEqual([]);
	expect(meanwhile({ a: { ...a, ...all } }, { a, b: { ...b, ...all } })).toEqual({ a: { ...a, ...all }, b });
	expect(meanwhile(undefined, { a: { ...a, ...all } })).toEqual({ a });
});
