import { expect, test } from "vitest";
import { bridgeMacOf, bridgeNameOf, macOf } from "./plan.ts";

test("a server keeps its hardware address for ever", () => {
	expect(macOf("office", "dc1")).toBe(macOf("office", "dc1"));
	expect(macOf("office", "dc1")).toMatchInlineSnapshot(`"52:54:00:a1:15:fb"`);
});

test("hardware addresses are locally administered, and differ between servers, sites and segments", () => {
	const all = [
		macOf("office", "dc1"),
		macOf("office", "dc2"),
		macOf("plant", "dc1"),
		bridgeMacOf("office", "dc1"),
		bridgeMacOf("office", "lan"),
	];
	expect(new Set(all).size).toBe(all.length);
	for (const mac of all) {
		expect(mac).toMatch(/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/);
		expect(Number.parseInt(mac.slice(0, 2), 16) & 0b11).toBe(0b10);
	}
});

test("bridge names fit an interface name", () => {
	expect(bridgeNameOf("twelve-chars")).toBe("br-twelve-chars");
	expect(() => bridgeNameOf("thirteen-char")).toThrow(/longer than 12/);
});
