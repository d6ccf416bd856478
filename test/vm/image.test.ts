import { mkdtemp, readdir, readFile, rm, stat, statfs, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { instanceForTests, patience, until } from "./harness.ts";

/**
 * A server as it comes: a disk with a boot loader of its own, without any agent. Its whole operating system writes
 * BOOTED to the serial port, and waits.
 */

const instance = instanceForTests();
let folder = "";

function bootSector(): Buffer {
	const letters = [..."BOOTED\n"].flatMap((letter) => [0xb0, letter.charCodeAt(0), 0xee]); // mov al,letter; out dx,al
	const code = [0xba, 0xf8, 0x03, ...letters, 0xf4, 0xeb, 0xfd]; // mov dx,0x3f8; …; hlt; jmp to hlt
	const sector = Buffer.alloc(512);
	Buffer.from(code).copy(sector);
	sector.writeUInt16LE(0xaa55, 510);
	return sector;
}

beforeAll(async () => {
	folder = await mkdtemp(join(tmpdir(), "bulkhead-image-"));
	await writeFile(join(folder, "own.raw"), bootSector());
	await truncate(join(folder, "own.raw"), 2 ** 20);
	await instance.apply({
		name: "image",
		servers: { own: { image: join(folder, "own.raw"), memory: "64MiB" } },
	});
});

afterAll(async () => {
	await rm(folder, { recursive: true, force: true });
});

async function untilBooted(session: number): Promise<void> {
	const { console } = instance.paths.server("own").session(session);
	await until(
		"BOOTED on the console",
		async () => (await readFile(console, "latin1").catch(() => "")).includes("BOOTED"),
		patience.state,
	);
}

test("an image boots by its own boot loader; its system disk is kept", async () => {
	const view = await instance.until("own", "running");
	expect(view.systemDisk).toBe("kept");
	expect(view.watch).toEqual(["panic device", "screen"]);
	await untilBooted(1);
	const screen = await instance.client.bytes("/v1/servers/own/screenshot");
	expect(Buffer.from(screen).subarray(1, 4).toString()).toBe("PNG");
});

test("its screen is looked at again and again, and the pictures are on no disk", async () => {
	const pid = (await instance.show("own")).session?.pid ?? 0;
	const folder = `/proc/${pid}/root/frames`;
	// TMPFS_MAGIC of linux/magic.h
	expect(await statfs(folder)).toMatchObject({ type: 0x01021994 });
	const { mtimeMs } = await stat(folder);
	await until("the next look", async () => (await stat(folder)).mtimeMs > mtimeMs, patience.answer);
	await until("its end", async () => (await readdir(folder)).length === 0, patience.answer);
	const { own } = instance.paths.server("own").session(1);
	expect(await readdir(own)).not.toContain("screen.ppm");
});

test("when its process is killed, it boots again in a new session", async () => {
	await instance.client.call("drill", { server: "own" }, { fault: "kill" });
	const session = await instance.untilNext("own", 1);
	expect(session.number).toBe(2);
	await untilBooted(2);
	const incident = (await instance.incidents("own"))[0];
	expect(incident).toMatchObject({ id: "own-1", cause: "process-ended", nextSession: 2, felt: null });
});

test("a guest that does not know of a power button is switched off at the deadline", async () => {
	await instance.client.call("stop", { server: "own" }, { deadlineMs: 1000 });
	const view = await instance.until("own", "stopped");
	expect(view.session).toBeNull();
});
