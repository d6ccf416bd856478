import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createDataImage, ImageError } from "./image.ts";

let folder: string;
beforeEach(async () => {
	folder = await mkdtemp(join(tmpdir(), "bulkhead-image-"));
});
afterEach(async () => await rm(folder, { recursive: true }));

test("a disk that is there is not touched", async () => {
	const path = join(folder, "ledger.qcow2");
	await writeFile(path, "MY ONLY COPY");
	await expect(createDataImage(path, "ledger", 4 * 2 ** 20)).rejects.toThrow(ImageError);
	expect(await readFile(path, "utf8")).toBe("MY ONLY COPY");
	expect(await readdir(folder)).toEqual(["ledger.qcow2"]);
});

test("nothing is left of a disk that could not be made", async () => {
	const path = join(folder, "ledger.qcow2");
	await expect(createDataImage(path, "ledger", 9e18)).rejects.toThrow();
	expect(await readdir(folder)).toEqual([]);
});
