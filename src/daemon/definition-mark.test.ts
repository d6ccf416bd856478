import { expect, test } from "vitest";
import type { ServerDefinition } from "../api/site.ts";
import type { StoredServer } from "../store/servers.ts";
import { definitionMark, isOutdated, standbyMark } from "./definition-mark.ts";

const server: ServerDefinition = {
	template: "tiny",
	memory: "256MiB",
	network: { segment: "office", address: "10.77.0.10" },
	recovery: { mode: "warm", standby: 1 },
};

test.each<[Partial<ServerDefinition>, boolean]>([
	[{}, false],
	[{ publish: [{ service: "http", to: "host" }] }, false],
	[{ allow: [{ from: "web", port: 80 }] }, false],
	[{ outbound: "allow" }, false],
	[{ after: ["dc1"] }, false],
	[{ sleep: { after: "1h" } }, false],
	[{ start: "manual" }, false],
	[{ recovery: { mode: "warm", standby: 2 } }, false],
	[{ recovery: { mode: "cold" } }, true],
	[{ memory: "512MiB" }, true],
	[{ data: [{ name: "files", size: "1GiB" }] }, true],
])("with %j a session that began before has to begin anew: %s", (changes, outdated) => {
	expect(isOutdated(definitionMark(server), { ...server, ...changes })).toBe(outdated);
});

test("a session that an earlier version began has the same, unless that changed", () => {
	const { template: _, recovery: __, ...parts } = server;
	const mark = JSON.stringify({ ...parts, allow: [], outbound: "allow", recovery: "warm" });
	expect(isOutdated(mark, server)).toBe(false);
	expect(isOutdated(mark, { ...server, memory: "512MiB" })).toBe(true);
	expect(isOutdated("damaged", server)).toBe(true);
});

const stored = (changes: Partial<ServerDefinition> = {}, more: Partial<StoredServer> = {}) =>
	({ name: "web", lan: null, ...more, definition: { ...server, ...changes } }) as StoredServer;
const http = { service: "http", to: "host" } as const;

test.each<[string, StoredServer, boolean]>([
	["nothing", stored(), false],
	["what it publishes", stored({ publish: [http] }), false],
	["who may reach it", stored({ allow: [{ from: "files", port: 80 }] }), false],
	["what it may reach", stored({ outbound: "allow" }), false],
	["its turn", stored({ after: ["dc1"], start: "manual", sleep: { after: "1h" } }), false],
	["the pages that are asked beforehand", stored({ publish: [{ ...http, rehearse: ["/"] }] }), true],
	["what is kept of a failure", stored({ recovery: { mode: "warm", standby: 1, evidence: "dump" } }), true],
	["its hardware", stored({ memory: "512MiB" }), true],
	["a disk", stored({ data: [{ name: "files", size: "1GiB" }] }), true],
	["its network", stored({}, { lan: "eth0" } as unknown as Partial<StoredServer>), true],
])("after a change of %s what stands by is made anew, or not", (_, changed, anew) => {
	expect(standbyMark(changed) !== standbyMark(stored())).toBe(anew);
});
