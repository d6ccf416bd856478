import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { ServerState } from "../api/server.ts";
import type { Context } from "./context.ts";
import type { CurrentSite } from "./current-site.ts";
import { begin, refuseDeleting, ServerChanges } from "./server-changes.ts";
import type { ServerUnit } from "./server-unit.ts";
import type { Units } from "./units.ts";

/** A server that is told to stop, and what became of it. */
function server(installsUpdates: () => boolean) {
	const done: string[] = [];
	let state: ServerState = "running";
	const unit = {
		stored: { name: "web" },
		get record() {
			return { state };
		},
		supervisor: {
			get installsUpdates() {
				return installsUpdates();
			},
		},
		refuseWhileExported: () => {},
		command: async ({ do: what }: { do: string }) => {
			done.push(what);
			state = "stopping";
			// One that has nothing to install is down soon.
			if (!installsUpdates()) setTimeout(() => (state = "stopped"), 20);
		},
	} as unknown as ServerUnit;
	const discard = async () => void done.push("discard");
	const units = { server: () => unit, discard } as unknown as Units;
	const changes = new ServerChanges({} as Context, {} as CurrentSite, units);
	return { unit, done, remove: async () => await changes.delete("web", () => {}) };
}

const refusal = {
	code: "not-allowed-now",
	message: expect.stringMatching(/^web installs updates.*apply again when it has stopped.*stop web --force$/),
};

test("one that installs updates is not stopped to be deleted: that is said at once", async () => {
	const { unit, done, remove } = server(() => true);
	expect(() => refuseDeleting(unit)).toThrow(expect.objectContaining(refusal));
	await expect(remove()).rejects.toMatchObject(refusal);
	expect(done).toEqual([]);
});

test("one that begins to install them when it is stopped is not waited for, and not deleted", async () => {
	let asked = 0;
	const { done, remove } = server(() => ++asked > 1);
	await expect(remove()).rejects.toMatchObject(refusal);
	expect(done).toEqual(["stop"]);
});

test("any other is stopped and deleted", async () => {
	const { done, remove } = server(() => false);
	await remove();
	expect(done).toEqual(["stop", "discard"]);
});

test.each([
	["automatic", true],
	["manual", false],
] as const)(
	"one that was just made and starts %s: whether it is started is told, and the mark is taken away",
	async (start, starts) => {
		const folder = await mkdtemp(join(tmpdir(), "bulkhead-"));
		const unstarted = join(folder, "unstarted");
		await writeFile(unstarted, "");
		const told: string[] = [];
		const unit = {
			stored: { name: "dc1", installed: { domainDisk: null }, definition: { start } },
			record: { state: "stopped", nextSession: 1 },
			command: async ({ do: what }: { do: string }) => void told.push(what),
		} as unknown as ServerUnit;
		const context = { paths: { server: () => ({ unstarted }) } } as unknown as Context;
		expect(await begin(unit, context)).toBe(starts);
		expect(told).toEqual(starts ? ["start"] : []);
		expect(existsSync(unstarted)).toBe(false);
		await rm(folder, { recursive: true });
	},
);
