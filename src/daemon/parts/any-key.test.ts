import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { StoredServer } from "../../store/servers.ts";
import { asksForKey, pressAnyKey } from "./any-key.ts";

test("a key is pressed for a minute and a half, and no longer", async () => {
	const keys: string[] = [];
	let slept = 0;
	const pressed = await pressAnyKey(
		async (one) => void keys.push(...one),
		async (ms) => {
			slept += ms;
		},
	);
	expect(pressed).toBe(90);
	expect(new Set(keys)).toEqual(new Set(["spc"]));
	expect(slept).toBe(90_000);
});

test("nobody presses keys of a session that has gone", async () => {
	let left = 3;
	const press = async () => {
		if (left-- === 0) throw new Error("gone");
	};
	expect(await pressAnyKey(press, async () => {})).toBe(3);
});

test("only an installation with answers waits, as long as its disk is empty and the disc is in", async () => {
	const folder = await mkdtemp(join(tmpdir(), "bulkhead-key-"));
	try {
		const disk = join(folder, "system.qcow2");
		const server = (install: object, ejected: string[] = []) =>
			({ ejected, definition: { install } }) as unknown as StoredServer;
		const [iso, answers] = ["/srv/win.iso", {}];
		await writeFile(disk, "x");
		expect(await asksForKey(server({ iso, answers }), disk)).toBe(true);
		expect(await asksForKey(server({ iso }), disk)).toBe(false);
		expect(await asksForKey(server({ iso, answers }, [iso]), disk)).toBe(false);
		await writeFile(disk, Buffer.alloc(5 * 2 ** 20, 1));
		expect(await asksForKey(server({ iso, answers }), disk)).toBe(false);
	} finally {
		await rm(folder, { recursive: true });
	}
});
