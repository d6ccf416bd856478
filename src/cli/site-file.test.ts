import {
	chmod,
	chown,
	lstat,
	mkdir,
	mkdtemp,
	readdir,
	readFile,
	rm,
	stat,
	symlink,
	writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { readSiteIfThere, replaceSite } from "./site-file.ts";

let folder: string;
let file: string;
beforeEach(async () => {
	folder = await mkdtemp(join(tmpdir(), "bulkhead-site-"));
	file = join(folder, "site.yaml");
});
afterEach(async () => await rm(folder, { recursive: true }));

test("a new file is made, and replaced by who knows what it says", async () => {
	expect(await readSiteIfThere(file)).toBeUndefined();
	await replaceSite(file, undefined, "one");
	expect((await stat(file)).mode & 0o777).toBe(0o640);
	await replaceSite(file, "one", "two");
	expect(await readSiteIfThere(file)).toBe("two");
	expect(await readdir(folder)).toEqual(["site.yaml"]);
});

test.each([
	["that says something else by now", "other", "one"],
	["that came meanwhile", "other", undefined],
	["that went meanwhile", undefined, "one"],
])("a file %s is left as it is", async (_, there, read) => {
	if (there !== undefined) await writeFile(file, there);
	await expect(replaceSite(file, read, "two")).rejects.toMatchObject({
		code: "changed-meanwhile",
		message: `${file} was changed meanwhile; nothing was changed; run it again`,
	});
	expect(await readSiteIfThere(file)).toBe(there);
	expect(await readdir(folder)).toEqual(there === undefined ? [] : ["site.yaml"]);
});

describe("a link", () => {
	const target = () => join(folder, "git", "office.yaml");
	beforeEach(async () => {
		await mkdir(join(folder, "git"));
		await symlink("git/office.yaml", file);
	});

	test("stays one, and what it leads to is changed", async () => {
		await writeFile(target(), "one");
		await replaceSite(file, "one", "two");
		expect((await lstat(file)).isSymbolicLink()).toBe(true);
		expect(await readFile(target(), "utf8")).toBe("two");
		expect(await readdir(join(folder, "git"))).toEqual(["office.yaml"]);
	});

	test("that leads nowhere is told of, and stays", async () => {
		const refusal = {
			code: "bad-input",
			message: expect.stringMatching(/a link to a file that is not there/),
		};
		await expect(readSiteIfThere(file)).rejects.toMatchObject(refusal);
		await expect(replaceSite(file, undefined, "two")).rejects.toMatchObject(refusal);
		expect((await lstat(file)).isSymbolicLink()).toBe(true);
	});
});

test("its mode stays", async () => {
	await writeFile(file, "one");
	await chmod(file, 0o664);
	await replaceSite(file, "one", "two");
	expect((await stat(file)).mode & 0o777).toBe(0o664);
});

describe.runIf(process.getuid?.() === 0)("as root", () => {
	test("its owner and its group stay", async () => {
		await writeFile(file, "one", { mode: 0o600 });
		await chown(file, 1234, 2345);
		await replaceSite(file, "one", "two");
		const { uid, gid, mode } = await stat(file);
		expect([uid, gid, mode & 0o777]).toEqual([1234, 2345, 0o600]);
		expect(await readFile(file, "utf8")).toBe("two");
	});

	test("who may not keep its owner changes nothing", async () => {
		await writeFile(file, "one", { mode: 0o666 });
		await chmod(file, 0o666);
		await chmod(folder, 0o777);
		process.seteuid?.(1234);
		try {
			await expect(replaceSite(file, "one", "two")).rejects.toThrow(
				/could not be kept; nothing was changed; run it with sudo/,
			);
		} finally {
			process.seteuid?.(0);
		}
		expect(await readdir(folder)).toEqual(["site.yaml"]);
		expect(await readFile(file, "utf8")).toBe("one");
	});
});
