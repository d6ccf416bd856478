import { describe, expect, test } from "vitest";
import { duration, exactSize, formatDuration, formatSize, parseDuration, parseSize, size } from "./units.ts";

test.each([
	["512MiB", 512 * 2 ** 20],
	["1.5GiB", 1.5 * 2 ** 30],
	["4 GiB", 4 * 2 ** 30],
	["0B", 0],
	["2TiB", 2 * 2 ** 40],
])("the size %s is %d bytes", (text, bytes) => {
	expect(parseSize(text)).toBe(bytes);
});

test.each(["", "512", "512MB", "512mib", "-1GiB", "1e3MiB", "GiB", "1.2345GiB", "1234567890B", "4GiB "])(
	"%j is no size",
	(text) => {
		expect(parseSize(text)).toBeUndefined();
	},
);

test.each([
	["500ms", 500],
	["30s", 30_000],
	["10m", 600_000],
	["1.5h", 5_400_000],
	["14d", 14 * 86_400_000],
])("the duration %s is %d ms", (text, ms) => {
	expect(parseDuration(text)).toBe(ms);
});

test.each(["10", "10min", "1h30m", "-5s", "m", "1 S"])("%j is no duration", (text) => {
	expect(parseDuration(text)).toBeUndefined();
});

test("a property of every object is no unit", () => {
	expect(parseSize("1constructor")).toBeUndefined();
	expect(parseDuration("1toString")).toBeUndefined();
});

test.each([
	[0, "0B"],
	[1023, "1023B"],
	[512 * 2 ** 20, "512MiB"],
	[1.5 * 2 ** 30, "1.5GiB"],
])("%d bytes are shown as %s", (bytes, text) => {
	expect(formatSize(bytes)).toBe(text);
});

test.each([
	[86.4, "86 ms"],
	[2410, "2.41 s"],
	[12_000, "12.0 s"],
	[12 * 60_000, "12 min"],
	[3_600_000 + 5 * 60_000, "1 h 5 min"],
	[49 * 3_600_000, "2 d 1 h"],
])("%d ms are shown as %s", (ms, text) => {
	expect(formatDuration(ms)).toBe(text);
});

describe("in a site file", () => {
	const says = (schema: ReturnType<typeof size>, value: unknown) =>
		schema.safeParse(value).error?.issues[0]?.message;

	test("a size without a unit says which there are", () => {
		expect(says(size(1), "512")).toBe('"512" is not a size; write a number and a unit: 512MiB, 4GiB, 1.5TiB');
		expect(says(size(1), 512)).toMatch(/^must be a size; write a number and a unit/);
	});

	test("a size out of range says the range", () => {
		expect(says(size(32 * 2 ** 20), "1MiB")).toBe(
			"1MiB is out of range; choose a size between 32MiB and 64TiB",
		);
	});

	test("a duration out of range says the range", () => {
		expect(says(duration(1000, 600_000), "1h")).toBe(
			"1h is out of range; choose a duration between 1.00 s and 10 min",
		);
	});

	test("what is shown of a wrong value is short", () => {
		expect(says(size(1), "x".repeat(10_000))?.length).toBeLessThan(120);
	});
});

test.each([
	[2 ** 30, "1GiB"],
	[1.5 * 2 ** 40, "1.5TiB"],
	[10_737_377_280, "10485720KiB"],
	[512, "512B"],
	[5 * 2 ** 40 + 512, "5242881MiB"],
])("%d bytes are written so that nothing is lost: %s", (bytes, text) => {
	expect(exactSize(bytes)).toBe(text);
	expect(parseSize(text)).toBeGreaterThanOrEqual(bytes);
});
