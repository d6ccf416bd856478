import { expect, test } from "vitest";
import type { PublishDefinition } from "../api/site.ts";
import { namesOf, waysInto } from "../network/inbound/plan.ts";
import type { StoredServer } from "../store/servers.ts";
import { heardServicesOf, inboundServers, watchdog } from "./published.ts";
import { waysInOf } from "./sandbox-view.ts";

const server = (...publish: PublishDefinition[]) =>
	({
		name: "db",
		lan: { interface: "eth0", gateway: "192.168.1.1" },
		definition: { network: { segment: "branch", address: "192.168.1.20" }, publish },
		installed: { services: {} },
	}) as unknown as StoredServer;

/** Of each way in, the first counted 1 packet, the second 2, and so on. */
function counted(of: StoredServer) {
	const [inbound] = inboundServers([of]);
	const ways = inbound ? waysInto(inbound) : [];
	return new Map(
		ways.map((way, i) => [namesOf(of.name, way).in, { packets: i + 1, bytes: 100 * (i + 1) }] as const),
	);
}

const seen = (of: StoredServer, health: Parameters<typeof waysInOf>[1]) =>
	waysInOf(of, health, counted(of)).map(({ health, passed }) => [health, passed?.packets ?? null]);

test("each entry has its own health and its own packets, also of two with one name", () => {
	const both = server({ service: "https", to: "lan" }, { service: "https", to: "lan", listen: 8443 });
	const health = new Map([
		[watchdog, { https: "up" as const }],
		[8443, { https: "down" as const }],
	]);
	expect(seen(both, health)).toEqual([
		["up", 1],
		["down", null],
	]);
	const two = server({ service: "app", port: 9000, to: "lan" }, { service: "app", port: 9001, to: "lan" });
	const found = { "app:9000": "up", "app:9001": "down" } as const;
	expect(seen(two, new Map([[watchdog, found]]))).toEqual([
		["up", 1],
		["down", 2],
	]);
	expect(heardServicesOf(two)).toEqual(["app:9000", "app:9001"]);
});

test("what nobody asks is unchecked, whatever is known of one with the same name", () => {
	const unasked = server(
		{ service: "app", port: 9000, to: "lan" },
		{ service: "app", port: 9001, to: "lan", health: "none" },
		{ service: "app", port: 9002, to: "lan", listen: 9002, health: "none" },
		{ service: "everything", to: "host" },
		{ service: "ntp", to: "lan", listen: 123 },
	);
	const health = new Map([
		[watchdog, { "app:9000": "up" as const }],
		[9002, {}],
	]);
	expect(seen(unasked, health)).toEqual([
		["up", 1],
		["unchecked", 2],
		["unchecked", null],
		["unchecked", 3],
		["unchecked", 4],
	]);
	expect(heardServicesOf(unasked)).toEqual(["app:9000"]);
	expect(heardServicesOf(server({ service: "app", port: 9001, to: "lan", health: "none" }))).toEqual([]);
});

test("what is asked, and has not answered yet, is unknown", () => {
	expect(seen(server({ service: "ssh", to: "lan" }), new Map())).toEqual([["unknown", 1]]);
});

test("a service of several ports has the packets of all that come without a front door", () => {
	const dns = server({ service: "dns", to: "lan", listen: 53 }, { service: "dns", to: "host", listen: 5353 });
	expect(seen(dns, new Map([[53, { dns: "up" as const }]]))).toEqual([
		["up", 1],
		["unknown", 2],
	]);
});
