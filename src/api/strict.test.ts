import { expect, test } from "vitest";
import { z } from "zod";
import { nearest, strict } from "./strict.ts";

const schema = strict({ memory: z.string(), cpus: z.number().optional() });
const says = (value: unknown) => schema.safeParse(value).error?.issues.map(({ message }) => message);

test("an unknown key is answered with the nearest right one", () => {
	expect(says({ memory: "1GiB", cpu: 2 })).toEqual(['there is no key "cpu" here; did you mean "cpus"?']);
});

test("an unknown key that is near to none is answered with all", () => {
	expect(says({ memory: "1GiB", colour: 2 })).toEqual([
		'there is no key "colour" here; known are memory, cpus',
	]);
});

test("several unknown keys are answered one by one", () => {
	expect(says({ memory: "1GiB", cpu: 1, memry: 1 })?.[0]?.split("; did you mean")).toHaveLength(3);
});

test.each([null, [], "text", 7])("%j is no block", (value) => {
	expect(says(value)).toEqual(["must be a block with the keys memory, cpus"]);
});

test("what is missing is missing", () => {
	expect(z.object({ inner: schema }).safeParse({}).error?.issues[0]?.message).toBe("is missing");
});

test.each([
	["memroy", "memory"],
	["MEMORY", "memory"],
	["adress", "address"],
	["xyz", undefined],
	["", undefined],
])("nearest to %j is %s", (word, expected) => {
	expect(nearest(word, ["memory", "address", "publish"])).toBe(expected);
});

test("a very long key costs no time", () => {
	const began = performance.now();
	expect(nearest("k".repeat(100_000), ["memory", "address"])).toBeUndefined();
	expect(performance.now() - began).toBeLessThan(200);
});
