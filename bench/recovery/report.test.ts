import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import type { WayFigures } from "./measure.ts";
import { page, type Recovery } from "./report.ts";

const figures: WayFigures = {
	...{ panics: 20, sent: 5587, failed: 0, outcomes: {}, errors: {}, generatorLateMs: 1 },
	outageMs: { median: 61, worst: 84, all: [61, 84] },
	longestPauseMs: { median: 105, worst: 112, all: [105, 112] },
	quiet: { p50: 6, p99: 16, worst: 41 },
};
const result: Recovery = {
	...{ recovery: { warm: figures, cold: figures, libvirt: figures }, ratio: {} },
	...{ rate: 50, patienceMs: 60_000, rounds: 4, libvirt: { version: "9.0.0", argv: [] } },
	machine: {
		...{ processors: 2, model: "AMD EPYC", memoryGiB: 24, kernel: "6.1", system: "Debian" },
		...{ qemu: "7.2.22", accelerator: "tcg", loadBefore: 1 },
	},
};

/** Without figures, which are of one machine on one day, and what they belong to. */
const words = (text: string) =>
	text
		.slice(text.indexOf("## How it was measured"), text.indexOf("\nMachine:"))
		.replace(/requests took: .*/, "")
		.replaceAll(/\d+(\.\d+)*/g, "N");

test("docs/recovery.md says how it was measured as the bench would write it", async () => {
	const kept = await readFile(new URL("../../docs/recovery.md", import.meta.url), "utf8");
	expect(words(kept)).toBe(words(page(result)));
});

test("what the client's patience cuts off, and what the quiet figures are of, is said", () => {
	expect(page({ ...result, patienceMs: 30_000 })).toContain("gives one up after 30 s");
	expect(page(result)).toContain("Outside of the outages");
});
