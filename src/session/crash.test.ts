import { expect, test } from "vitest";
import { blueScreenWords, crashDetails, crashWords, type Stop } from "./crash.ts";

const says =
	"A driver touched memory that it must not touch at that moment; mostly one of network or storage";

test.each<[Stop | undefined, string]>([
	[undefined, "The guest's kernel panicked"],
	[{ code: 0xd1, parameters: [] }, `Windows stopped with DRIVER_IRQL_NOT_LESS_OR_EQUAL (0xD1): ${says}`],
	[
		{ code: 0xd1, parameters: [], name: "something else", module: "e1000.sys" },
		`Windows stopped with DRIVER_IRQL_NOT_LESS_OR_EQUAL (0xD1): ${says}; its screen names e1000.sys`,
	],
	[{ code: 2, parameters: [] }, "Windows stopped with DEVICE_QUEUE_NOT_BUSY (0x2)"],
	[{ code: 0xbad, parameters: [], name: "NEW_ERROR" }, "Windows stopped with NEW_ERROR (0xBAD)"],
	[{ code: 0xbad, parameters: [] }, "Windows stopped with 0xBAD"],
])("%j", (stop, expected) => {
	expect(crashWords(stop)).toBe(expected);
});

test("a blue screen that cannot be read is one all the same", () => {
	expect(blueScreenWords({ kind: "blue-screen", era: "11", dump: "unknown" })).toBe(
		"Windows stopped with a blue screen; its stop code could not be read",
	);
});

test("details are those of the code, with what the parameters are where that is known", () => {
	const parameters = ["0xfffff880009a9420", "0x2", "0x0", "0xfffff80002a8b0c1"];
	expect(crashDetails({ code: 0xa, parameters, module: "i8042prt.SYS" })).toEqual({
		"stop code": "0xA",
		"stop name": "IRQL_NOT_LESS_OR_EQUAL",
		"parameter 1": "0xFFFFF880009A9420 (the address that was touched)",
		"parameter 2": "0x2 (the interrupt level at that moment)",
		"parameter 3": "0x0 (0: it was read; 1: written; 8: executed)",
		"parameter 4": "0xFFFFF80002A8B0C1 (the instruction that did it)",
		module: "i8042prt.SYS",
		page: "https://learn.microsoft.com/windows-hardware/drivers/debugger/bug-check-0xa--irql-not-less-or-equal",
	});
	expect(crashDetails({ code: 0xbad, parameters: ["0x1"] })).toEqual({
		...{ "stop code": "0xBAD", "parameter 1": "0x1" },
	});
});

test("what a hostile screen says is cut", () => {
	const long = "x".repeat(100_000);
	const stop = { code: 0xbad, parameters: Array(100).fill(long), name: long, module: long };
	expect(crashWords(stop).length).toBeLessThan(300);
	const details = Object.entries(crashDetails(stop)).flat();
	expect(details.length).toBeLessThan(20);
	expect(Math.max(...details.map(({ length }) => length))).toBeLessThan(100);
});
