import { expect, test } from "vitest";
import { isShortOfMemory } from "./memory.ts";

const meminfo = (available: number) =>
	`MemTotal:       24000000 kB\nMemFree:           1000 kB\nMemAvailable:   ${available} kB\n`;

test("the host is short of memory below a twentieth", () => {
	expect(isShortOfMemory(meminfo(1_200_000))).toBe(false);
	expect(isShortOfMemory(meminfo(1_199_999))).toBe(true);
});

test("a host that does not say is not short of it", () => {
	expect(isShortOfMemory("MemTotal: 1 kB\n")).toBe(false);
	expect(isShortOfMemory()).toBe(false);
});
