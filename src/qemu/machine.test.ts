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

test.each([
	["a state that throws when it is read", { status: { toString: 0, valueOf: 0 } }],
	["no state", null],
])("a look at a QEMU that tells %s goes on", async (_, said) => {
	const { monitor, machine } = await scriptedMachine(folder, () => said as object);
	await using _monitor = monitor;
	expect(await machine.look()).toMatchObject({ process: "runs", status: null });
	machine.leave();
});

test("so does one at a QEMU whose registers are no text, and they are no evidence", async () => {
	const { monitor, machine } = await scriptedMachine(folder, (execute) =>
		execute === "query-status" ? { status: "running" } : { length: 7 },
	);
	await using _ = monitor;
	expect(await machine.look()).toMatchObject({ status: "running", interrupts: "unknown" });
	expect(await machine.evidence(true)).toMatchObject({ registers: undefined });
	machine.leave();
});
