import { expect, test } from "vitest";
import type { Site } from "../api/site.ts";
import { bridgeMacOf, macOf } from "../network/plan.ts";
import { macProblems } from "./mac-checks.ts";

const on = (segment: string, mac?: string) => ({
	network: { segment, address: "10.77.0.10", ...(mac ? { mac } : {}) },
});
const problemsOf = (servers: NonNullable<Site["servers"]>) =>
	macProblems({
		name: "home",
		segments: { office: { subnet: "10.77.0.0/24" }, lab: { subnet: "10.78.0.0/24" } },
		servers,
	}).map(({ path, message }) => `${path.join(".")}: ${message}`);
const mend = "leave it out, so that it gets one of its own, or write another";

test("two cards with one hardware address on a segment: the second is told", () => {
	const mac = "00:50:56:9a:12:34";
	expect(problemsOf({ erp: on("office", mac), copy: on("office", mac) })).toEqual([
		`servers.copy.network.mac: ${mac} is already the hardware address of erp on segment office; ${mend}`,
	]);
	expect(problemsOf({ erp: on("office", mac), copy: on("lab", mac), other: on("office") })).toEqual([]);
});

test("one that was made for a server is its own, wherever it stands in the file: so a copy of an export", () => {
	const mac = macOf("home", "erp");
	const message = `servers.copy.network.mac: ${mac} is already the hardware address of erp on segment office; ${mend}`;
	expect(problemsOf({ erp: on("office"), copy: on("office", mac) })).toEqual([message]);
	expect(problemsOf({ copy: on("office", mac), erp: on("office") })).toEqual([message]);
});

test("the sandbox's own is nobody's", () => {
	const mac = bridgeMacOf("home", "office");
	expect(problemsOf({ erp: on("office", mac) })).toEqual([
		`servers.erp.network.mac: ${mac} is already the hardware address of the sandbox on segment office; ${mend}`,
	]);
});
