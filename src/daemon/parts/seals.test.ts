import { mkdir, mkdtemp, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { serverSchema } from "../../api/site.ts";
import type { Sandbox } from "../../network/sandbox.ts";
import type { MachineEvent } from "../../qemu/machine.ts";
import { paths as pathsOf } from "../../store/paths.ts";
import type { StoredServer } from "../../store/servers.ts";
import type { Context } from "../context.ts";
import type { Launcher } from "./launcher.ts";
import { HostMachines } from "./machines.ts";
import { Seals } from "./seals.ts";

/** What is done with the files of a session whose QEMU was captured, by a host without processes. */

let folder: string;
let host: string;
beforeEach(async () => {
	folder = await mkdtemp(join(tmpdir(), "bulkhead-seals-"));
	host = join(folder, "file-of-the-host");
	await writeFile(host, "the host's", { mode: 0o600 });
	await mkdir(paths().disks, { recursive: true });
	await writeFile(paths().disk("system"), "");
	await mkdir(files().own, { recursive: true });
});
afterEach(async () => await rm(folder, { recursive: true }));
const paths = () => pathsOf(folder, folder).server("s1");
const files = () => paths().session(8);

const definition = serverSchema.parse({ template: "tiny", memory: "32MiB", recovery: { mode: "warm" } });
const installed = { uid: 12_345, index: 1, uuid: "", guest: "linux", boot: { kind: "kernel", append: "" } };
const networks = { subnet: null, subnet6: null, lan: null };
const server = {
	...{ name: "s1", ...networks, definition },
	installed: { ...installed, services: {}, systemDisk: "disposable" },
} as unknown as StoredServer;

function contextOf(): Context {
	const acceleration = { accelerator: "tcg" };
	return { paths: pathsOf(folder, folder), groups: {}, bootId: "b", acceleration, log: console } as never;
}

const asItShouldBe = {
	hasAgent: true,
	runInGuest: async () => {},
	save: async () => Buffer.from("state"),
	close: async () => true,
};
type OnEvent = (event: MachineEvent) => void;

/** Seals a boot that leaves something where its overlay was. */
async function seal(
	leave: (overlay: string, onEvent: OnEvent) => Promise<void>,
	qemu: object = asItShouldBe,
): Promise<Seals> {
	const launcher = {
		server,
		files: (number: number) => paths().session(number),
		cleanUp: async () => true,
		start: async (_: unknown, onEvent: OnEvent) => {
			await leave(files().overlay, onEvent);
			return { qemu, ended: Promise.resolve(0) };
		},
	};
	const seals = new Seals(launcher as unknown as Launcher, contextOf());
	try {
		await seals.make(8, new AbortController().signal);
	} finally {
		seals.close();
	}
	return seals;
}

test("what a boot to be sealed wrote is root's from then on, and read by its server's sessions", async () => {
	await seal(async (overlay) => await writeFile(overlay, "overlay", { mode: 0o600 }));
	const { uid, gid, mode } = await stat(paths().seal.system);
	expect([uid, gid, mode & 0o777]).toEqual([0, 12_345, 0o440]);
});

test("a link that it left in its overlay's place is not followed, and the seal before it is kept", async () => {
	await seal(async (overlay) => await writeFile(overlay, "overlay"));
	const before = await readFile(paths().seal.manifest, "utf8");
	const failed = seal(async (overlay) => await symlink(host, overlay));
	await expect(failed).rejects.toThrow("has left no plain file where its system disk was");
	const { uid, gid, mode } = await stat(host);
	expect([uid, gid, mode & 0o777]).toEqual([0, 0, 0o600]);
	expect(await readFile(paths().seal.manifest, "utf8")).toBe(before);
	await expect(stat(`${paths().seal.folder}.draft`)).rejects.toThrow("ENOENT");
});

test("folders in the place of its files are cleared away as they would be", async () => {
	for (const path of [files().overlay, files().dump]) {
		await mkdir(join(path, "deeper"), { recursive: true });
		await symlink(folder, join(path, "deeper", "link"));
	}
	const machines = new HostMachines(server, contextOf(), {} as Sandbox, async () => ({ services: {} }));
	expect(await machines.cleanUp(8)).toBe(true);
	for (const path of [files().overlay, files().dump]) await expect(stat(path)).rejects.toThrow("ENOENT");
	expect(await readFile(host, "utf8")).toBe("the host's");
});

test("a boot whose kernel panics while it is asked is given up at once", async () => {
	const panics = seal(
		async (_, onEvent) =>
			void setTimeout(() => onEvent({ kind: "qmp", event: { event: "GUEST_PANICKED", data: {} } } as never)),
		{ ...asItShouldBe, runInGuest: async () => await new Promise(() => {}) },
	);
	await expect(panics).rejects.toThrow("the boot to be sealed failed: its kernel panicked");
});

test("nothing is run in a boot before its agent has answered: all of it would run at once when it does", async () => {
	const done: string[] = [];
	const qemu = {
		...asItShouldBe,
		hasAgent: false,
		askAgent: () => {
			qemu.hasAgent = done.push("asked") === 2;
		},
		runInGuest: async () => void done.push("run"),
	};
	await seal(async (overlay) => await writeFile(overlay, "overlay"), qemu);
	expect(done).toEqual(["asked", "asked", "run"]);
});
