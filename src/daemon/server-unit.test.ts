import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Sandbox } from "../network/sandbox.ts";
import type { Command } from "../session/input.ts";
import { paths as pathsOf } from "../store/paths.ts";
import type { StoredServer } from "../store/servers.ts";
import type { Context } from "./context.ts";
import { ServerUnit } from "./server-unit.ts";

let folder = "";
let unit: ServerUnit;
beforeEach(async () => {
	folder = await mkdtemp(join(tmpdir(), "bulkhead-unit-"));
	const context = {
		paths: pathsOf(folder, folder),
		log: { warn() {}, info() {} },
		history: { append: () => {} },
	} as unknown as Context;
	const stored = {
		name: "erp",
		definition: {},
		installed: { boot: { kind: "disk" }, services: {}, agent: false },
	} as unknown as StoredServer;
	unit = await ServerUnit.open(stored, context, { namespace: "nope" } as Sandbox, () => []);
});
afterEach(async () => {
	await unit.supervisor.leave();
	await rm(folder, { recursive: true });
});

test("while its disks are exported nothing starts it or changes them, and maintenance may begin", async () => {
	const { promise, resolve } = Promise.withResolvers<void>();
	const exporting = unit.whileExported(async () => await promise);
	const commands: Command[] = [
		{ do: "start" },
		{ do: "start", inTurn: true },
		{ do: "restart", deadlineMs: 0 },
		{ do: "maintenance", on: false },
		{ do: "begin-changes" },
		{ do: "commit-changes" },
	];
	const refusal = {
		code: "not-allowed-now",
		message: expect.stringContaining("erp is being exported; wait"),
	};
	for (const command of commands) await expect(unit.command(command)).rejects.toMatchObject(refusal);
	await expect(unit.whileExported(async () => {})).rejects.toMatchObject(refusal);
	await unit.command({ do: "maintenance", on: true });
	resolve();
	await exporting;
	await unit.command({ do: "maintenance", on: false });
});
