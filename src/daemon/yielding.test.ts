import { expect, test } from "vitest";
import type { ServerState } from "../api/server.ts";
import { createLog } from "../host/log.ts";
import type { StoredServer } from "../store/servers.ts";
import type { ServerUnit } from "./server-unit.ts";
import { serverAddresses, Yielding, yieldingServers } from "./yielding.ts";

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
	expect(serverAddresses(server("dc1", "failed", undefined, true).stored)).toEqual([
		"10.77.0.1",
		"fd00:77::1",
	]);
});

test("not to a server that only has the name of a controller, nor without a domain of several", () => {
	expect(namesOf([server("dc1", "recovering"), server("dc2", "running", null)])).toEqual([]);
	expect(namesOf([server("dc1", "recovering"), server("dc2", "running", ["dc2"])])).toEqual([]);
	expect(namesOf([server("dc1", "recovering", ["dc1"]), server("web2", "running", null)])).toEqual([]);
});

/** A domain of two in a sandbox, where `refuses` says whether anybody can be refused. */
function domainOfTwo(refuses: boolean) {
	const states: Record<string, ServerState> = { dc1: "running", dc2: "running" };
	const done: string[] = [];
	const unit = (name: string) =>
		({
			get stored() {
				return server(name, states[name] ?? "failed").stored;
			},
			get record() {
				return { state: states[name] };
			},
			setYielding: async () => {},
		}) as unknown as ServerUnit;
	const context = { history: { subscribe: () => () => {} }, log: createLog("silent") };
	const parts = { units: () => [unit("dc1"), unit("dc2")], namespace: () => "bh-test" };
	const network = {
		setYielding: async (_: string, addresses: readonly string[]) => {
			done.push(`yield: ${addresses.join(" ")}`);
			return refuses;
		},
		askersOf: async (_: string, addresses: readonly string[]) => {
			done.push(`askers of ${addresses.join(" ")}`);
			return addresses.map((address) => `udp 10.0.0.9 5000 ${address} 53`);
		},
		tellClients: async (_: string, clients: readonly string[]) =>
			void done.push(`told: ${clients.join(" ")}`),
	};
	const yielding = new Yielding(
		context as unknown as ConstructorParameters<typeof Yielding>[0],
		parts,
		network,
	);
	const look = async (changes: typeof states, anew = false) => {
		Object.assign(states, changes);
		done.length = 0;
		await yielding.look(anew);
		await yielding.end();
		return [...done];
	};
	return look;
}

test("who had just asked one that yields is told, once, and only where anybody is refused", async () => {
	const look = domainOfTwo(true);
	expect(await look({})).toEqual(["yield: "]);
	const [address] = serverAddresses(server("dc1", "recovering").stored);
	expect(await look({ dc1: "recovering" })).toEqual([
		`yield: ${address}`,
		`askers of ${address}`,
		`told: udp 10.0.0.9 5000 ${address} 53`,
	]);
	expect(await look({ dc1: "starting" })).toEqual([]);
	expect(await look({}, true)).toEqual([`yield: ${address}`]);
	expect(await look({ dc1: "running" })).toEqual(["yield: "]);
	expect(await domainOfTwo(false)({ dc1: "recovering" })).toEqual([`yield: ${address}`]);
});
