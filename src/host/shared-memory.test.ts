import { openSync, readSync, writeFileSync, writeSync } from "node:fs";
import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { SharedMemory } from "./shared-memory.ts";

let folder: string;
beforeAll(async () => {
	folder = await mkdtemp(join(tmpdir(), "shared-memory-"));
});
afterAll(async () => await rm(folder, { recursive: true }));

const MiB = 2 ** 20;

test("sealed memory refuses every write, by whichever way it is opened", async () => {
	const memory = await SharedMemory.create("bulkhead-test", 4 * MiB);
	writeSync(memory.descriptor, "frozen", 0);
	expect(await memory.isSealed()).toBe(false);
	await memory.seal();
	expect(await memory.isSealed()).toBe(true);
	expect(() => writeSync(memory.descriptor, "other", 0)).toThrow("EPERM");
	// Opened anew for writing, as QEMU does: the descriptor can be had, the write cannot.
	const again = openSync(memory.path, "r+");
	expect(() => writeSync(again, "other", 0)).toThrow("EPERM");
	const text = Buffer.alloc(6);
	readSync(again, text, 0, 6, 0);
	expect(text.toString()).toBe("frozen");
	memory.close();
});

test("goes to a file and back, and takes no room for what was never written", async () => {
	const memory = await SharedMemory.create("bulkhead-test", 64 * MiB);
	writeSync(memory.descriptor, "far away", 40 * MiB);
	const file = join(folder, "copy");
	await memory.copyTo(file);
	const { size, blocks } = await stat(file);
	expect(size).toBe(64 * MiB);
	expect(blocks * 512).toBeLessThan(MiB);
	const second = await SharedMemory.create("bulkhead-test", 64 * MiB);
	await second.fill(file);
	expect((await readFile(second.path)).equals(await readFile(memory.path))).toBe(true);
	expect(second.usedBytes).toBeLessThan(MiB);
	memory.close();
	second.close();
});

test("is found again in a process that holds it, and only when it is sealed", async () => {
	const name = `bulkhead-test-${process.pid}`;
	const memory = await SharedMemory.create(name, MiB);
	expect(await SharedMemory.find(name, [process.pid])).toBeUndefined();
	await memory.seal();
	const found = await SharedMemory.find(name, [2 ** 22 + 1, process.pid]);
	expect(found?.name).toBe(name);
	found?.close();
	expect(await SharedMemory.find("bulkhead-other", [process.pid])).toBeUndefined();
	memory.close();
});

test("says why it cannot be made", async () => {
	await expect(SharedMemory.create("bulkhead-test", -1)).rejects.toThrow("truncate");
	writeFileSync(join(folder, "small"), "x");
	const memory = await SharedMemory.create("bulkhead-test", MiB);
	await expect(memory.fill(join(folder, "missing"))).rejects.toThrow("No such file");
	memory.close();
});
