import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from "vitest";
import type { ServerState } from "../api/server.ts";
import type { ServerDefinition, Site } from "../api/site.ts";
import { paths as pathsOf } from "../store/paths.ts";
import type { StoredServer } from "../store/servers.ts";
import type { Context } from "./context.ts";
import type { CurrentSite } from "./current-site.ts";
import { beginDiskChanges } from "./disk-changes.ts";
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

test("a controller that is deleted is none to the others of its domain any more, and what stays of it is told", async () => {
	const domain = (...controllers: string[]) => ({
		...{ realm: "AD.EXAMPLE.COM", workgroup: "AD", madeOn: [], origin: "made" as const, controllers },
	});
	const both = domain("dc1", "dc2");
	const other = { ...domain("dc9"), realm: "OTHER.EXAMPLE.ORG" };
	let all = [
		{ name: "dc1", domain: both },
		{ name: "dc2", domain: both },
		{ name: "dc9", domain: other },
		{ name: "web", domain: null },
	] as unknown as StoredServer[];
	const kept: StoredServer[] = [];
	const changed: StoredServer[] = [];
	const told: string[] = [];
	const unitOf = (name: string) => ({
		stored: all.find((one) => one.name === name),
		record: { state: "stopped" },
		refuseWhileExported: () => {},
		change: async (stored: StoredServer) => void changed.push(stored),
	});
	const units = {
		server: unitOf,
		stored: () => all,
		permit: async () => {},
		discard: async ({ name }: StoredServer) => {
			all = all.filter((one) => one.name !== name);
		},
	};
	const context = {
		servers: { save: async (stored: StoredServer) => void kept.push(stored) },
		history: { append: ({ text }: { text: string }) => void told.push(text) },
	};
	const parts = [context, { site: undefined }, units] as unknown as ConstructorParameters<
		typeof ServerChanges
	>;
	const changes = new ServerChanges(...parts);
	await changes.deleteStopped("dc2");
	const alone = [{ name: "dc1", domain: domain("dc1") }];
	expect([kept, changed]).toEqual([alone, alone]);
	expect(told).toEqual([expect.stringMatching(/^dc2 stays a controller of AD\.EXAMPLE\.COM to dc1,/)]);
	// By a plan, which knows that none of them stays.
	await changes.delete("dc9", () => {}, null);
	expect(told).toHaveLength(1);
});

const office = { subnet: "10.77.0.0/24" };

describe("data disks that are given and taken away", () => {
	const kept = { name: "kept", size: "1MiB" };
	const logs = { name: "logs", size: "1MiB" };
	let state: string;
	let context: Context;
	let stored: StoredServer;
	/** What else happens while the definition is saved. */
	let meanwhile: (record: { planned: number | null }) => void;
	/** What else happens while the firewall is changed. */
	let whilePermitting: (record: { planned: number | null }) => void;
	/** All definitions that its next session would have had. */
	let had: ServerDefinition[];
	beforeEach(async () => {
		state = await mkdtemp(join(tmpdir(), "bulkhead-changes-"));
		const log = { error() {}, warn() {} };
		context = { paths: pathsOf(state, ""), log } as unknown as Context;
		meanwhile = () => {};
		whilePermitting = () => {};
		had = [];
		const installed = { uid: process.getuid?.() ?? 0, guest: "linux" };
		stored = { name: "web", filled: [], definition: { data: [kept] }, installed } as unknown as StoredServer;
		await mkdir(disks(), { recursive: true });
		for (const disk of ["system", "kept"]) await writeFile(fileOf(disk), `THE ONLY COPY OF ${disk}`);
	});
	afterEach(async () => await rm(state, { recursive: true }));

	const disks = () => context.paths.server("web").disks;
	const fileOf = (name: string) => context.paths.server("web").disk(name);
	const contents = async (name: string) => await readFile(fileOf(name), "latin1");

	/** Gives the server, which is in this state, these data disks. @param network that it is to have */
	async function give(
		data: ServerDefinition["data"],
		state: ServerState,
		network?: ServerDefinition["network"],
	): Promise<void> {
		const record = { state, planned: null, session: state === "running" ? {} : null };
		const save = async (changed: StoredServer) => {
			stored = changed;
			meanwhile(record);
		};
		Object.assign(context, { servers: { save } });
		const unit = {
			stored,
			record,
			refuseWhileExported: () => {},
			change: async (next: StoredServer) => void had.push(next.definition),
			door: {},
		};
		const nothing = async () => {};
		const permit = async () => whilePermitting(record);
		const units = { server: () => unit, stored: () => [], makeWay: nothing, permit };
		const current = { site: undefined, save: nothing, forget: nothing };
		const changes = new ServerChanges(context, current as never, units as never);
		const definition = { data, network } as ServerDefinition;
		const site = { name: "office", segments: { office }, servers: { web: definition } } as Site;
		await changes.change(site, "web", definition, () => {});
	}

	const expectAllElse = async () => {
		for (const disk of ["system", "kept"]) expect(await contents(disk)).toBe(`THE ONLY COPY OF ${disk}`);
	};

	describe("one that a killed daemon had made, and not kept yet", () => {
		beforeEach(async () => {
			await beginDiskChanges(stored, ["logs"], context);
			await writeFile(fileOf("logs"), "left");
		});

		test("is made anew when it is asked for again", async () => {
			await give([kept, logs], "stopped");
			expect(await contents("logs")).toMatch(/^QFI/);
			await expectAllElse();
			expect(await readdir(join(disks(), ".."))).toEqual(["disks"]);
		});

		test("stays while a session may have it, and what to do is said", async () => {
			await expect(give([kept, logs], "running")).rejects.toMatchObject({
				code: "not-allowed-now",
				message: expect.stringMatching(
					/^data disk logs of web is left .*; stop it and apply again: bulkhead stop web$/,
				),
			});
			expect(await contents("logs")).toBe("left");
			await expectAllElse();
		});

		test("is not forgotten for another disk that the running server gets, and goes when it is stopped", async () => {
			await give([kept, { name: "more", size: "1MiB" }], "running");
			expect(await contents("logs")).toBe("left");
			await give([kept, { name: "more", size: "1MiB" }, logs], "stopped");
			expect(await contents("logs")).toMatch(/^QFI/);
			expect(await contents("more")).toMatch(/^QFI/);
			await expectAllElse();
		});

		test("is the server's own when it was kept after all: nothing of it is touched", async () => {
			stored = { ...stored, definition: { data: [kept, logs] } as ServerDefinition };
			await give([kept, logs, { name: "more", size: "1MiB" }], "stopped");
			expect(await contents("logs")).toBe("left");
			await expectAllElse();
		});
	});

	describe("one that is taken away", () => {
		beforeEach(async () => {
			stored = { ...stored, definition: { data: [kept, logs] } as ServerDefinition };
			await writeFile(fileOf("logs"), "old");
		});
		const expectGone = async () => {
			expect(existsSync(fileOf("logs"))).toBe(false);
			expect(await readdir(join(disks(), ".."))).toEqual(["disks"]);
			await expectAllElse();
		};

		test("is gone, also when a session begins while its definition is saved: that one has the new disks", async () => {
			meanwhile = (record) => (record.planned = 7);
			await give([kept], "stopped");
			await expectGone();
			meanwhile = () => {};
			await give([kept, logs], "stopped");
			expect(await contents("logs")).toMatch(/^QFI/);
		});

		test("is left as it is while a session may have it, and the definition too", async () => {
			await expect(give([kept], "running")).rejects.toMatchObject({ code: "not-allowed-now" });
			expect(await contents("logs")).toBe("old");
			expect(stored.definition.data).toEqual([kept, logs]);
		});

		test("and could not be removed is not forgotten: it is no longer in the way of one of its name", async () => {
			await rm(fileOf("logs"));
			await mkdir(fileOf("logs"));
			await expect(give([kept], "stopped")).rejects.toThrow(/directory/);
			await rm(fileOf("logs"), { recursive: true });
			await writeFile(fileOf("logs"), "old");
			await give([kept, logs], "stopped");
			expect(await contents("logs")).toMatch(/^QFI/);
			expect(await readdir(join(disks(), ".."))).toEqual(["disks"]);
			await expectAllElse();
		});

		test("is left when a session begins while the firewall is changed: that one has it", async () => {
			whilePermitting = (record) => (record.planned = 7);
			await expect(give([kept], "stopped")).rejects.toMatchObject({ code: "not-allowed-now" });
			expect(await contents("logs")).toBe("old");
			expect(stored.definition.data).toEqual([kept, logs]);
		});
	});

	describe("with another address", () => {
		const moved = { segment: "office", address: "10.77.0.11" };
		const refusal = {
			code: "not-allowed-now",
			message: expect.stringMatching(
				/^web: its network cannot be changed while .* stop web, and apply again/,
			),
		};

		test("a server that is stopped has it", async () => {
			await give([kept], "stopped", moved);
			expect(stored.definition.network).toEqual(moved);
		});

		test("one that was started since the plan was made keeps its own, and nothing is touched", async () => {
			await expect(give([kept, logs], "running", moved)).rejects.toMatchObject(refusal);
			expect(had).toEqual([]);
			expect(existsSync(fileOf("logs"))).toBe(false);
		});

		test("one that is started while the firewall is changed keeps its own", async () => {
			const before = stored.definition;
			whilePermitting = (record) => (record.planned = 7);
			await expect(give([kept], "stopped", moved)).rejects.toMatchObject(refusal);
			expect(had).toEqual([before]);
			expect(stored.definition).toBe(before);
		});
	});
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

test("a new server has no number of one that is not supervised, of which anything is left", async () => {
	const folder = await mkdtemp(join(tmpdir(), "bulkhead-"));
	onTestFinished(async () => await rm(folder, { recursive: true }));
	const saved: StoredServer[] = [];
	const servers = {
		usedIndexes: async () => [1, 2],
		save: async (one: StoredServer) => void saved.push(one),
	};
	const paths = pathsOf(folder, folder);
	const stop = new Error("far enough");
	const units = {
		stored: () => [{ installed: { index: 1 } }, { installed: { index: 3 } }],
		supervise: async () => await Promise.reject(stop),
		discard: async () => {},
	} as unknown as Units;
	const current = { save: async () => {}, forget: async () => {} } as unknown as CurrentSite;
	const changes = new ServerChanges({ paths, servers } as unknown as Context, current, units);
	const definition = { install: { iso: "/srv/x.iso" }, system: { size: "1MiB" } } as ServerDefinition;
	const site = { name: "office", servers: { web: definition } } as Site;
	const made = changes.create(site, "web", definition, () => {}, new AbortController().signal);
	await expect(made).rejects.toBe(stop);
	expect(saved.map(({ installed }) => installed.index)).toEqual([4]);
});
