import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { withResult, writeResult } from "./result.ts";

async function folderWith(result: object): Promise<{ folder: string; file: string }> {
	const folder = await mkdtemp(join(tmpdir(), "bulkhead-result-"));
	onTestFinished(async () => await rm(folder, { recursive: true, force: true }));
	return { folder, file: await writeResult("storm", result, folder) };
}

test("while something runs there is no result of an earlier run", async () => {
	const { folder, file } = await folderWith({ ok: true });
	const work = async () => {
		expect(existsSync(file)).toBe(false);
		await writeResult("storm", { ok: true, panics: 3 }, folder);
		return true;
	};
	expect(await withResult("storm", work, folder)).toBe(true);
	expect(JSON.parse(await readFile(file, "utf8"))).toEqual({ ok: true, panics: 3 });
});

test("what fails leaves no result that says it went well", async () => {
	const { folder, file } = await folderWith({ ok: true });
	const work = async () => {
		throw new Error("the daemon ended", { cause: new Error("no memory") });
	};
	await expect(withResult("storm", work, folder)).rejects.toThrow("the daemon ended");
	expect(JSON.parse(await readFile(file, "utf8"))).toEqual({
		ok: false,
		error: "the daemon ended: no memory",
	});
});

test("nor does what fails after its result was written, whose figures stay", async () => {
	const { folder, file } = await folderWith({ ok: true });
	const work = async () => {
		await writeResult("storm", { ok: true, panics: 3 }, folder);
		throw new Error("left behind: a process");
	};
	await expect(withResult("storm", work, folder)).rejects.toThrow("left behind");
	expect(JSON.parse(await readFile(file, "utf8"))).toEqual({
		ok: false,
		panics: 3,
		error: "left behind: a process",
	});
});
