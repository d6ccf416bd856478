import { describe, expect, test } from "vitest";
import type { Inventory } from "./inventory.ts";
import { differences, growthOf, judgeLeaks } from "./leaks.ts";

const inventory: Inventory = {
	same: {
		processes: { "warm-N: bulkhead-warm-N": 2 },
		interfaces: { tun: 2, bridge: 1 },
		network: { "rules of the firewall": 12 },
		controlGroups: { "warm-N": 2 },
		descriptors: { socket: 9 },
		run: {},
		mounts: { all: 40 },
		memoryFiles: { "bulkhead-seal-ID": 1 },
		disks: { warm: 2 },
	},
	stored: {},
	sessionFolders: 20,
	daemon: { rss: 1, pss: 1, anonymous: 1 },
	processesPss: 1,
	memoryFileBytes: 1,
	host: { shared: 1, available: 1 },
};
const steady = { heap: Array(12).fill(2e7), daemon: Array(12).fill(5e7), processes: Array(12).fill(1e8) };

test("what is as it was is no leak", () => {
	expect(differences(inventory.same, structuredClone(inventory.same))).toEqual([]);
	expect(judgeLeaks(inventory, inventory, steady).map(({ broken }) => broken)).toEqual(Array(9).fill(null));
});

test.each([
	["processes", { "warm-N: bulkhead-warm-N": 3 }, "processes: warm-N: bulkhead-warm-N 2, now 3"],
	["interfaces", { tun: 1, bridge: 1 }, "interfaces: tun 2, now 1"],
	["descriptors", { socket: 9, pipe: 1 }, "descriptors: pipe 0, now 1"],
] as const)("%s that are not as they were break their promise alone", (what, counts, told) => {
	const after = { ...inventory, same: { ...inventory.same, [what]: counts } };
	const broken = judgeLeaks(inventory, after, steady).filter(({ broken }) => broken !== null);
	expect(broken.map(({ broken }) => broken)).toEqual([told]);
});

describe("growth", () => {
	test("of a row that rises all the time is found", () => {
		const rising = Array.from({ length: 40 }, (_, i) => i * 2 ** 20);
		expect(growthOf(rising)).toBe(20 * 2 ** 20);
		const verdicts = judgeLeaks(inventory, inventory, { ...steady, heap: rising, daemon: rising });
		expect(verdicts.slice(-3).map(({ broken }) => broken)).toEqual(["20.0 MB", "20.0 MB", null]);
	});

	test("at the beginning, and single high samples, are none", () => {
		expect(growthOf([1, 40, 50, 90, 50, 50, 50, 50, 50, 90, 50, 50])).toBe(0);
	});

	test("is not judged by a few samples", () => {
		expect(growthOf([1, 2, 3, 4, 5, 6, 7])).toBeUndefined();
		const verdicts = judgeLeaks(inventory, inventory, { heap: [1, 2], daemon: [1, 2], processes: [1, 2] });
		expect(verdicts.slice(-3).map(({ broken }) => broken)).toEqual([undefined, undefined, undefined]);
	});
});
