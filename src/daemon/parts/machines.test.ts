import { openSync } from "node:fs";
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { serverSchema } from "../../api/site.ts";
import type { Sandbox } from "../../network/sandbox.ts";
import { paths as pathsOf } from "../../store/paths.ts";
import type { StoredServer } from "../../store/servers.ts";
import type { Context } from "../context.ts";
import { isOutdated } from "../definition-mark.ts";
import { HostMachines } from "./machines.ts";

let folder: string;
/** For how many seconds at most free processors were waited for. */
let waited: number[];
beforeEach(async () => {
	waited = [];
	folder = await mkdtemp(join(tmpdir(), "bulkhead-machines-"));
});
afterEach(async () => await rm(folder, { recursive: true }));

/** A server of a template, whose sessions have so much memory. */
function serverWith(memory: string): StoredServer {
	const definition = serverSchema.parse({ template: "tiny", memory, recovery: { mode: "warm" } });
	const installed = { uid: 1, index: 1, uuid: "", guest: "linux", boot: { kind: "kernel", append: "" } };
	const networks = { subnet: null, subnet6: null, lan: null };
	return { name: "s1", ...networks, definition, installed: { ...installed, services: {} } } as never;
}

function contextOf(): Context {
	const paths = pathsOf(folder, folder);
	return { paths, bootId: "b", acceleration: { accelerator: "tcg" } } as unknown as Context;
}

/** The server's machines, with processes that are none, and what is done at the moment when one has been started. */
function machinesOf(
	server: StoredServer,
	whenStarted: (machines: HostMachines, importance: string) => void,
): HostMachines {
	const context = contextOf();
	const { paths } = context;
	const machines = new HostMachines(server, context, {} as Sandbox, async () => ({ services: {} }));
	const qemu = new Proxy({}, { get: () => async () => {} });
	const seals = { open: { memory: { descriptor: 0 } }, openState: () => openSync("/dev/null", "r") };
	const launcher = {
		server,
		files: (number: number) => paths.server(server.name).session(number),
		setImportance: async () => {},
		start: async ({ importance }: { importance: string }) => {
			whenStarted(machines, importance);
			return { qemu, identity: { pid: process.pid, startTime: 1 }, startedAt: 1 };
		},
	};
	const untilProcessorsAreFree = async (ms: number) => void waited.push(Math.round(ms / 1000));
	Object.assign(machines, { launcher, seals, untilProcessorsAreFree });
	return machines;
}

const [before, after] = [serverWith("1GiB"), serverWith("2GiB")];
const change = (machines: HostMachines) => {
	machines.server = after;
};

test("a session that boots has what was defined when it began, and says so, whatever is defined by now", async () => {
	const { session } = await machinesOf(before, change).start(7, () => {}, false);
	expect(isOutdated(session.definition, before.definition)).toBe(false);
	expect(isOutdated(session.definition, after.definition)).toBe(true);
});

test("so does one that was loaded, when it stands by and when it runs", async () => {
	const { signal } = new AbortController();
	const standby = await machinesOf(before, change).load(7, false, () => {}, signal);
	const { session } = await standby.run(() => {});
	expect(standby.session).toEqual(session);
	expect(isOutdated(session.definition, after.definition)).toBe(true);
});

test("so does one that stood by when the definition was changed", async () => {
	const machines = machinesOf(before, () => {});
	const standby = await machines.load(7, false, () => {}, new AbortController().signal);
	change(machines);
	const { session } = await standby.run(() => {});
	expect(isOutdated(session.definition, after.definition)).toBe(true);
});

test("one that users wait for has a share of its own at once; one that is to stand by takes what others leave", async () => {
	const given: string[] = [];
	const machines = machinesOf(before, (_, importance) => given.push(importance));
	for (const awaited of [true, false])
		await machines.load(7, awaited, () => {}, new AbortController().signal);
	expect(given).toEqual(["late", "loading"]);
});

test("the next one stands back behind one that has just begun to serve, unless users wait for it", async () => {
	const machines = machinesOf(before, () => {});
	const load = async (awaited: boolean) =>
		await machines.load(7, awaited, () => {}, new AbortController().signal);
	const standby = await load(false);
	expect(waited).toEqual([]);
	await standby.run(() => {});
	await load(true);
	expect(waited).toEqual([]);
	await load(false);
	expect(waited).toEqual([20]);
});

test("of a seal that is thrown away nothing stays, nor of one that a killed daemon was making", async () => {
	const context = contextOf();
	const machines = new HostMachines(before, context, {} as Sandbox, async () => ({ services: {} }));
	const own = context.paths.server(before.name);
	for (const name of [own.seal.folder, `${own.seal.folder}.draft`]) {
		await mkdir(name, { recursive: true });
		await writeFile(join(name, "ram"), "what was in its memory");
		expect(await machines.dropSeal()).toBe(true);
	}
	expect(await readdir(own.folder)).toEqual([]);
	expect(await machines.dropSeal()).toBe(false);
});
