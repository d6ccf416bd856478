import { expect, test } from "vitest";
import type { ServerState } from "../api/server.ts";
import type { StoredServer } from "../store/servers.ts";
import { addressesOf, yieldingServers } from "./yielding.ts";

const namesOf = (servers: Parameters<typeof yieldingServers>[0]) =>
	yieldingServers(servers).map(({ name }) => name);

function server(
	name: string,
	state: ServerState,
	controllers: string[] | null = ["dc1", "dc2"],
	six = false,
): { stored: StoredServer; state: ServerState } {
	const address = `10.77.0.${name.at(-1)}`;
	const address6 = six ? { address6: `fd00:77::${name.at(-1)}` } : {};
	const stored: StoredServer = {
		...{ name, site: "home", subnet: "10.77.0.0/24", subnet6: null, lan: null, ejected: [], filled: [] },
		domain: controllers && {
			realm: "AD.EXAMPLE.COM",
			workgroup: "AD",
			controllers,
			madeOn: [],
			origin: "made" as const,
		},
		definition: {
			template: "debian-domain-controller",
			network: { segment: "office", address, ...address6 },
		},
		installed: {
			...{ index: 1, uid: 1_900_000_001, uuid: "00000000-0000-4000-8000-000000000001", source: "a template" },
			...{ boot: { kind: "disk" }, agent: true, memoryBytes: 2 ** 27, cpus: 1, systemDisk: "disposable" },
			...{ guest: "linux" as const, systemBytes: 2 ** 26, domainDisk: "directory", services: {} },
		},
	};
	return { stored, state };
}

test.each<[ServerState, ServerState, string[]]>([
	["running", "running", []],
	["recovering", "running", ["dc1"]],
	["stopped", "running", ["dc1"]],
	["asleep", "running", []],
	["starting", "running", ["dc1"]],
	["recovering", "starting", []],
	["recovering", "asleep", []],
])("a controller that is %s while the other is %s", (one, other, yielding) => {
	expect(namesOf([server("dc1", one), server("dc2", other)])).toEqual(yielding);
});

test("by both its addresses", () => {
	expect(addressesOf(server("dc1", "failed", undefined, true).stored)).toEqual(["10.77.0.1", "fd00:77::1"]);
});

test("not to a server that only has the name of a controller, nor without a domain of several", () => {
	expect(namesOf([server("dc1", "recovering"), server("dc2", "running", null)])).toEqual([]);
	expect(namesOf([server("dc1", "recovering"), server("dc2", "running", ["dc2"])])).toEqual([]);
	expect(namesOf([server("dc1", "recovering", ["dc1"]), server("web2", "running", null)])).toEqual([]);
});
