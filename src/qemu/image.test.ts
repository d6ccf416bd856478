import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { run } from "../host/command.ts";
import { convertImage, createDataImage, createOverlay, flattenOverlay, ImageError } from "./image.ts";

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

test("an overlay is made whole from the base that it is given, and stays as it was", async () => {
	const at = (name: string) => join(folder, name);
	const io = async (image: string, ...commands: string[]) =>
		await run("qemu-io", ["-f", "qcow2", ...commands.flatMap((one) => ["-c", one]), image], {
			deadlineMs: 10_000,
		});
	await writeFile(at("zeros"), Buffer.alloc(2 ** 20));
	await convertImage(at("zeros"), "raw", at("base, old.qcow2"));
	await io(at("base, old.qcow2"), "write -P 1 0 64k");
	// As a session names its base: there is no such file on the host.
	await createOverlay(at("overlay"), "/disks/system.qcow2", 2 ** 20);
	const options = `driver=qcow2,file.driver=file,file.filename=${at("overlay")},backing.driver=raw,backing.file.driver=file,backing.file.filename=${at("zeros")}`;
	await run("qemu-io", ["--image-opts", "-c", "write -P 2 64k 64k", options], { deadlineMs: 10_000 });
	const before = await readFile(at("overlay"));
	await flattenOverlay(at("overlay"), at("base, old.qcow2"), at("whole"));
	await io(at("whole"), "read -P 1 0 64k", "read -P 2 64k 64k", "read -P 0 128k 64k");
	expect((await readFile(at("overlay"))).equals(before)).toBe(true);
	await expect(flattenOverlay(at("overlay"), at("missing"), at("other"))).rejects.toThrow("missing");
	expect((await readFile(at("overlay"))).equals(before)).toBe(true);
});
