import { expect, test } from "vitest";
import { BulkheadError } from "../api/errors.ts";
import { readSiteFile } from "./site-file.ts";

/** Problems as `line:column field: message`. */
function problems(text: string): string[] {
	try {
		readSiteFile(text);
	} catch (error) {
		if (error instanceof BulkheadError && error.code === "bad-input")
			return error.problems.map(
				({ line, column, field, message }) => `${line}:${column} ${field}: ${message}`,
			);
		throw error;
	}
	return [];
}

const right = `name: home
segments:
  office: { subnet: 10.77.0.0/24 }
servers:
  web:
    template: tiny
    network: { segment: office, address: 10.77.0.10 }
`;

test("a right file is read", () => {
	expect(readSiteFile(right).site.servers?.web?.template).toBe("tiny");
});

test("what is not YAML is told with line and column", () => {
	expect(problems("name: home\nservers:\n  web: {template: tiny\n")).toEqual([
		expect.stringMatching(/^4:1 : this is not valid YAML: /),
	]);
});

test("a server that is there twice is told at its second place", () => {
	const text = "name: home\nservers:\n  web:\n    template: tiny\n  web:\n    template: tiny\n";
	expect(problems(text)).toEqual([
		"5:3 : this name is there twice in one block; rename or remove one of the two",
	]);
});

test.each([
	["in a flow of names", "name: home\nservers: { web: {}, web: {} }\n", ["2:21"]],
	["deep in a list", `${right}    data: [{ name: a, size: 1GiB, name: b }]\n`, ["8:35"]],
	["as a number and as a text", 'name: home\nsegments: { 1: {}, "1": {} }\n', ["2:20"]],
	["more than once, beside other slips", 'a: 1\na: 2\nb: "\\q"\na: 3\n', ["2:1", "3:5", "4:1"]],
])("a name that is there twice %s is told in order of places", (_, text, expected) => {
	expect(problems(text).map((problem) => problem.split(" ")[0])).toEqual(expected);
});

test("of very many problems the first are told, with their number", () => {
	const text = `name: home\nservers:\n${Array.from({ length: 90 }, (_, i) => `  S${i}: {}`).join("\n")}\n`;
	expect(() => readSiteFile(text)).toThrow(
		"the site file has 90 problems, of which the first 50 are told; nothing was changed",
	);
	expect(problems(text)).toHaveLength(50);
	const [unknown] = problems(
		`${right}    ${Array.from({ length: 90 }, (_, i) => `x${i}: 1`).join("\n    ")}\n`,
	);
	expect(unknown).toMatch(
		/^8:5 servers\.web\.x0: there is no key "x0" here.*"x4" here.*; and 85 more of that kind$/,
	);
});

// What was looked for among all names before it took minutes for these, which no test waits for.
test("a file of very many names is told of all the same", { timeout: 40_000 }, () => {
	const names = Array.from({ length: 40_000 }, (_, i) => `  a${i}: {}`).join("\n");
	expect(problems(`name: home\nservers:\n${names}\n`)).toEqual([
		expect.stringMatching(/^2:1 servers: names 40000 servers; the most are 1000/),
	]);
	const aliases = Array.from({ length: 40_000 }, (_, i) => `&a${i} x, *a${i}`).join(",");
	expect(problems(`name: home\nservers: [${aliases}]\n`)).toEqual([
		expect.stringMatching(/its aliases .* cannot be followed: there are 40000, and the most are 1000$/),
	]);
});

test("problems have the place of their key", () => {
	expect(problems(`${right}    memory: 512\n    cpus: none\n`)).toEqual([
		expect.stringMatching(/^8:5 servers\.web\.memory: "?512|^8:5 servers\.web\.memory: must be a size/),
		"9:5 servers.web.cpus: must be a whole number between 1 and 64",
	]);
});

test("a problem in a list has the place of its item", () => {
	const text = `${right}    data:\n      - { name: a, size: 1GiB }\n      - { name: a, size: 1GiB }\n`;
	expect(problems(text)).toEqual([
		"10:11 servers.web.data[1].name: there are two data disks a; give each its own name",
	]);
});

test("a problem in a block that is missing has the place of the block above", () => {
	expect(problems("name: home\nservers:\n  web: {}\n")).toEqual([
		expect.stringMatching(/^3:3 servers\.web: has neither template, image nor install/),
	]);
});

test("an empty file is told", () => {
	expect(problems("")).toHaveLength(1);
	expect(problems("# nothing\n")).toHaveLength(1);
});

test("a bomb of aliases is refused at once, in words", () => {
	const level = (i: number) =>
		`a${i}: &a${i} [${Array(9)
			.fill(`*a${i - 1}`)
			.join(",")}]`;
	const bomb = ["a0: &a0 [x,x,x,x,x,x,x,x,x]", ...Array.from({ length: 9 }, (_, i) => level(i + 1))].join(
		"\n",
	);
	const began = performance.now();
	expect(problems(bomb)[0]).toMatch(/alias/);
	expect(performance.now() - began).toBeLessThan(1000);
});

test("an alias to nothing is told", () => {
	expect(problems("name: *nobody\n")[0]).toMatch(/alias/i);
});

test("a second document is told", () => {
	expect(problems(`${right}---\n${right}`)).not.toEqual([]);
});
