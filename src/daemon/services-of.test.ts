import { expect, test } from "vitest";
import type { PublishDefinition } from "../api/site.ts";
import { publishedEntries } from "./published.ts";

type Known = Parameters<typeof publishedEntries>[1];
const entryOf = (publish: Omit<PublishDefinition, "to">, known: Known = {}, onLan = false) => {
	const [entry] = publishedEntries([{ ...publish, to: "host" }], known, onLan);
	return entry && "doors" in entry ? entry : undefined;
};
const planOf = (publish: Omit<PublishDefinition, "to">, known: Known = {}) =>
	entryOf(publish, known, false)?.doors[0];

test("the site comes first, then the template, then the catalogue", () => {
	const known: Known = { http: { port: 8080, protocol: "http", healthPath: "/healthz", rehearse: [] } };
	expect(planOf({ service: "http" })).toMatchObject({ port: 80, health: { path: "/" } });
	expect(planOf({ service: "http" }, known)).toMatchObject({ port: 8080, health: { path: "/healthz" } });
	expect(planOf({ service: "http", port: 81 }, known)).toMatchObject({ port: 81 });
});

test("a check of the catalogue is used where the service is treated as the catalogue says", () => {
	const speaks = { everyMs: 2000, withinMs: 8000, rules: expect.any(Array) };
	expect(planOf({ service: "ssh", port: 2222 })).toMatchObject({ port: 2222, health: speaks });
	expect(planOf({ service: "remote-desktop", health: "connect" })).toMatchObject({ health: { rules: [] } });
	expect(planOf({ service: "http", health: "connect" })).toMatchObject({ health: null });
	expect(planOf({ service: "http", protocol: "tcp" })).toMatchObject({ health: null });
	expect(planOf({ service: "https", protocol: "http" })).toMatchObject({ health: { path: "/" } });
	expect(planOf({ service: "own", port: 4711 })).toMatchObject({ health: null });
	const known: Known = { https: { port: 443, protocol: "tcp", healthPath: null, rehearse: [] } };
	expect(planOf({ service: "https" }, known)).toMatchObject({ health: { everyMs: 400 } });
});

test("a service that is asked less often than others is not asked more often when it is only connected to", () => {
	const alone = { everyMs: 2000, rules: [] };
	expect(planOf({ service: "ssh", health: "connect" })).toMatchObject({ health: alone });
	expect(planOf({ service: "https", health: "connect" })).toMatchObject({
		health: { everyMs: 400, rules: [] },
	});
	expect(planOf({ service: "ssh", protocol: "http", health: "connect" })).toMatchObject({ health: null });
});

test("a service that takes each connection for a user is not asked at all", () => {
	for (const service of ["ssh", "http", "iis"])
		expect(planOf({ service, health: "none" })).toMatchObject({ health: "unchecked" });
	expect(entryOf({ service: "ssh", through: "address" })?.watched).toHaveLength(1);
	expect(entryOf({ service: "ssh", through: "address", health: "none" })?.watched).toEqual([]);
});

const refusalOf = (publish: Omit<PublishDefinition, "to">) =>
	publishedEntries([{ ...publish, to: "host" }], {}, false)[0];

test("a service of several ports has a front door for each TCP port, of which one is asked how it is, and lets UDP through", () => {
	const web = entryOf({ service: "web" });
	expect(web?.doors.map(({ listen, protocol, health }) => [listen, protocol, health])).toEqual([
		[80, "http", { path: "/" }],
		[443, "tcp", "unchecked"],
	]);
	const dns = entryOf({ service: "dns", listen: 5353 });
	expect(dns?.doors.map(({ listen, port }) => [listen, port])).toEqual([[5353, 53]]);
	expect(dns?.redirects).toEqual([{ service: "dns", to: "host", listen: 5353, port: 53 }]);
	expect(entryOf({ service: "own", port: 514, protocol: "udp" })).toMatchObject({
		doors: [],
		redirects: [{ listen: 514, port: 514 }],
	});
	expect(entryOf({ service: "dns", port: 5300 })?.redirects).toEqual([]);
});

test("at an address of its own: no front door, all its ports, and one of them is asked how it is", () => {
	const directory = entryOf({ service: "active-directory" });
	expect(directory).toMatchObject({ through: "address", listen: null, doors: [], redirects: [] });
	expect(directory?.watched).toMatchObject([{ port: 389, health: { everyMs: 2000 } }]);
	expect(directory?.way?.ports).toContainEqual({ protocol: "tcp", first: 49_152, last: 65_535 });
	expect(directory?.way?.ports).toContainEqual({ protocol: "udp", first: 88, last: 88 });
	expect(entryOf({ service: "everything" })).toMatchObject({
		port: null,
		watched: [],
		way: { ports: "everything" },
	});
	expect(entryOf({ service: "ssh", through: "address" })).toMatchObject({ watched: [{ port: 22 }] });
});

test("on the LAN a server is reached at its own address, unless the site says what only a front door has", () => {
	expect(entryOf({ service: "ssh" }, {}, true)?.through).toBe("address");
	expect(entryOf({ service: "ssh", listen: 2222 }, {}, true)?.through).toBe("front-door");
	expect(entryOf({ service: "ssh", through: "front-door" }, {}, true)?.through).toBe("front-door");
});

test.each<[string, Omit<PublishDefinition, "to">, key: string, message: RegExp]>([
	[
		"ranges of ports at a front door",
		{ service: "active-directory", through: "front-door" },
		"through",
		/ranges of ports; say `through: address`/,
	],
	["everything at a front door", { service: "everything", through: "front-door" }, "through", /every port/],
	[
		"a port of the host for a service of several",
		{ service: "web", listen: 8080 },
		"listen",
		/several ports \(80, 443\)/,
	],
	["a port of the host for an address", { service: "smb", listen: 445 }, "listen", /only at the front door/],
	[
		"waiting, at an address",
		{ service: "ssh", through: "address", hold: "5s" },
		"hold",
		/only at the front door/,
	],
	[
		"waiting, with UDP",
		{ service: "own", port: 514, protocol: "udp", hold: "5s" },
		"hold",
		/nothing for UDP/,
	],
])("%s is refused", (_, publish, key, message) => {
	expect(refusalOf(publish)).toEqual({
		service: publish.service,
		key,
		message: expect.stringMatching(message),
	});
});

test("web pages with a conversation in the catalogue have it, unless the template names a page", () => {
	expect(planOf({ service: "iis" })).toMatchObject({ protocol: "http", health: { withinMs: 20_000 } });
	expect(planOf({ service: "iis", health: "connect" })).toMatchObject({ health: { rules: [] } });
	const known: Known = { iis: { port: 80, protocol: "http", healthPath: "/healthz", rehearse: [] } };
	expect(planOf({ service: "iis" }, known)).toMatchObject({ health: { path: "/healthz" } });
});
