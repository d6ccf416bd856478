import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { DeadlineError } from "./clock.ts";
import { lookAtFarFile } from "./far-file.ts";
import { hungShare } from "./testing/hung-share.ts";

let folder: string;
beforeEach(async () => {
	folder = await mkdtemp(join(tmpdir(), "bulkhead-far-"));
});
afterEach(async () => await rm(folder, { recursive: true }));
const look = async (name: string) => await lookAtFarFile(join(folder, name), 20_000);

test("a file is told from what is none, also where a link leads to it", async () => {
	await writeFile(join(folder, "a: b"), "");
	await chmod(join(folder, "a: b"), 0o640);
	await symlink("a: b", join(folder, "link"));
	await mkdir(join(folder, "folder"));
	expect(await look("a: b")).toEqual({ isFile: true, mode: 0o100_640 });
	expect(await look("link")).toEqual({ isFile: true, mode: 0o100_640 });
	expect(await look("folder")).toMatchObject({ isFile: false });
	expect(await look("nowhere: b")).toBeUndefined();
	expect(await look("a: b/c")).toBeUndefined();
});

test("what cannot be looked at is told with the reason", async () => {
	await symlink("circle", join(folder, "circle"));
	await expect(look("circle")).rejects.toThrow(/^Too many levels of symbolic links$/);
});

test("one on a share that answers never is given up, and nothing waits for it", async ({ skip }) => {
	await using share = await hungShare(folder);
	if (!share) return skip("this host has no FUSE");
	await expect(lookAtFarFile(join(folder, "disc.iso"), 200)).rejects.toThrow(DeadlineError);
});
