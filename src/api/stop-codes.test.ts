import { expect, test } from "vitest";
import { formatStopCode, stopCodeNamed, stopCodeOf, stopCodeSchema, stopCodes } from "./stop-codes.ts";

test.each(stopCodes.map((one) => [one.code, one] as const))("%s has the shape of all", (_, one) => {
	expect(stopCodeSchema.safeParse(one).error).toBeUndefined();
});

test("no code and no name is there twice, and all are in order", () => {
	const codes = stopCodes.map(({ code }) => Number(code));
	expect(codes).toEqual([...new Set(codes)].sort((a, b) => a - b));
	expect(new Set(stopCodes.map(({ name }) => name)).size).toBe(stopCodes.length);
});

test("a page belongs to one code, and names it", () => {
	expect(new Set(stopCodes.map(({ page }) => page)).size).toBe(stopCodes.length);
	for (const { code, page } of stopCodes) expect(page).toContain(`bug-check-0x${Number(code).toString(16)}-`);
});

test("most are told in one sentence, all that administrators meet among them", () => {
	const told = stopCodes.flatMap(({ says }) => says ?? []);
	expect(told.length).toBeGreaterThanOrEqual(288);
	for (const sentence of told) expect(sentence).toMatch(/^[A-Z][^\n]{20,180}\.$/);
});

test.each([0xa, 0x1e, 0x24, 0x3b, 0x50, 0x7a, 0x7b, 0x7e, 0xd1, 0xef, 0x124, 0x133, 0xc000021a])(
	"the parameters of %s are told",
	(code) => {
		expect(stopCodeOf(code)?.parameters).toHaveLength(4);
		expect(stopCodeOf(code)?.says).toBeDefined();
	},
);

test("a code is found by its number and by its name, and one of nobody's is not", () => {
	expect(stopCodeOf(0xd1)?.name).toBe("DRIVER_IRQL_NOT_LESS_OR_EQUAL");
	expect(stopCodeNamed("CRITICAL_PROCESS_DIED")?.code).toBe("0x000000EF");
	expect([stopCodeOf(0x1), stopCodeOf(0xc000021a)].map((one) => one?.name)).toEqual([
		"APC_INDEX_MISMATCH",
		"WINLOGON_FATAL_ERROR",
	]);
	expect([stopCodeOf(0), stopCodeOf(0xbad), stopCodeNamed("constructor")]).toEqual([
		undefined,
		undefined,
		undefined,
	]);
	expect([formatStopCode(0xd1), formatStopCode(0xc000021a)]).toEqual(["0xD1", "0xC000021A"]);
});
