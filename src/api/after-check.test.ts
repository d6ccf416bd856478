import { expect, test } from "vitest";
import { inStartOrder } from "./after-check.ts";
import { checkSite } from "./site-check.ts";

const servers = <T>(after: Record<string, T>) =>
	Object.fromEntries(
		Object.entries(after).map(([name, names]) => [name, { template: "tiny", after: names }]),
	);
const problems = (after: Record<string, unknown>) =>
	checkSite({ name: "home", servers: servers(after) }).problems.map(
		({ path, message }) => `${path.join(".")}: ${message}`,
	);

test("an order that is right", () => {
	expect(problems({ dc1: [], dc2: ["dc1"], mail: ["dc1", "dc2"] })).toEqual([]);
});

test.each<[what: string, after: Record<string, unknown>, expected: string[]]>([
	[
		"a slip",
		{ dc1: [], mail: ["dc11"] },
		['servers.mail.after.0: there is no server dc11; did you mean "dc1"?'],
	],
	[
		"an unknown one",
		{ mail: ["directory"] },
		["servers.mail.after.0: there is no server directory; name a server of this site"],
	],
	[
		"a name that every object has",
		{ mail: ["constructor"] },
		["servers.mail.after.0: there is no server constructor; name a server of this site"],
	],
	["itself", { mail: ["mail"] }, ["servers.mail.after.0: a server cannot come after itself; leave this out"]],
	[
		"one twice",
		{ dc1: [], mail: ["dc1", "dc1"] },
		["servers.mail.after.1: dc1 is named twice; leave one out"],
	],
	[
		"two in a circle",
		{ a: ["b"], b: ["a"] },
		["servers.a.after.0: nobody could begin: a -> b -> a; leave one of these out"],
	],
	[
		"three in a circle, and one that comes after them",
		{ z: ["a"], a: ["b"], b: ["c"], c: ["a"] },
		["servers.a.after.0: nobody could begin: a -> b -> c -> a; leave one of these out"],
	],
])("refuses %s", (_, after, expected) => {
	expect(problems(after)).toEqual(expected);
});

test("refuses what is no list of names, and one that is too long", () => {
	expect(problems({ mail: "dc1" })).toEqual([
		"servers.mail.after: must be a list of servers of this site, such as [dc1]",
	]);
	expect(problems({ mail: ["DC1"] })[0]).toMatch(/^servers\.mail\.after\.0: "DC1" is no server name; use /);
	const many = Array.from({ length: 17 }, (_, i) => `dc${i}`);
	expect(problems({ mail: many })).toEqual(["servers.mail.after: names 17 servers; the most are 16"]);
});

test("are made and started each after all that it comes after, and else as they stand in the file", () => {
	expect(inStartOrder(servers({ web: [], mail: ["dc2", "dc1"], dc1: [], dc2: ["dc1"] }))).toEqual([
		...["web", "dc1", "dc2", "mail"],
	]);
	expect(inStartOrder(servers({ a: ["b"], b: ["a", "gone"] }))).toEqual(["b", "a"]);
});
