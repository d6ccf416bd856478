import { expect, test } from "vitest";
import type { ServerDefinition } from "../api/site.ts";
import { definitionMark, isOutdated } from "./definition-mark.ts";

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
