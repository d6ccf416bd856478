import { expect, test } from "vitest";
import { wordsOf } from "./words.ts";

const deep = "[".repeat(30_000) + "]".repeat(30_000);

test.each<[string, string]>([
	['"No space"', "No space"],
	["-5", "-5"],
	["true", "true"],
	["null", "unknown"],
	['["a"]', "unknown"],
	['{"toString": 0, "valueOf": 0}', "unknown"],
	[deep, "unknown"],
])("%.40s is told as %s", (said, expected) => {
	expect(wordsOf(JSON.parse(said), 100)).toBe(expected);
});

test("no more of it is told than there is room for", () => {
	expect(wordsOf("x".repeat(1000), 6)).toBe("xxxxxx");
});

test("whatever is not there is unknown, and numbers of 64 bits are told whole", () => {
	expect(wordsOf(undefined, 100)).toBe("unknown");
	expect(wordsOf(2n ** 64n - 1n, 100)).toBe("18446744073709551615");
});
