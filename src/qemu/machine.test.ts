import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { scriptedMachine } from "./testing/monitor.ts";

let folder = "";
beforeEach(async () => {
	folder = await mkdtemp(join(tmpdir(), "bulkhead-machine-"));
});
afterEach(async () => {
	await rm(folder, { recursive: true });
});

/** A QEMU whose guest has panicked. */
const panicked = async () =>
	await scriptedMachine(folder, (execute) => ({
		status: execute === "query-dump" ? "completed" : "guest-panicked",
		completed: 1,
		total: 1,
	}));

test("a panic is let be printed before its screen is taken", async () => {
	const { monitor, machine, asked } = await panicked();
	await using _ = monitor;
	await machine.evidence(false);
	machine.leave();
	expect(asked).toContain("cont");
});

test("but not by a guest whose memory was dumped: it stays stopped", async () => {
	const { monitor, machine, asked } = await panicked();
	await using _ = monitor;
	await machine.dumpMemory(10_000);
	await machine.evidence(false);
	machine.leave();
	expect(asked).toContain("dump-guest-memory");
	expect(asked).not.toContain("cont");
});
