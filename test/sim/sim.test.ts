import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { play } from "./run.ts";
import { readScript } from "./script.ts";

/**
 * The real supervisor on a simulated host: each folder is a scenario, and its log is compared line by line.
 * `UPDATE=1` writes the logs anew; read the difference before you keep it.
 */
const scenarios = join(import.meta.dirname, "scenarios");

describe.each(readdirSync(scenarios).sort())("%s", (name) => {
	const folder = join(scenarios, name);

	test("goes as expected", async () => {
		const { log, violations } = await play(readScript(join(folder, "script.yaml")));
		expect(violations, log).toEqual([]);
		const file = join(folder, "expected.log");
		if (process.env.UPDATE) writeFileSync(file, log);
		expect(log).toBe(readFileSync(file, "utf8"));
	});

	test("is explained", () => {
		expect(readFileSync(join(folder, "README.md"), "utf8").trim().length).toBeGreaterThan(80);
	});
});

test("the same script makes the same log", async () => {
	const script = readScript(join(scenarios, "crash-loop", "script.yaml"));
	const [first, second] = [await play(script), await play(script)];
	expect(second.log).toBe(first.log);
});
