import { spawn, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import {
	chown,
	link,
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
import {
	emptyWhenLarger,
	giveUntrusted,
	listIfThere,
	readIfThere,
	readUntrustedTail,
	removeHalfWritten,
	writeFileAtomic,
} from "./files.ts";

let folder: string;
beforeEach(async () => {
	folder = await mkdtemp(join(tmpdir(), "bulkhead-files-"));
});
afterEach(async () => await rm(folder, { recursive: true }));
const at = (name: string) => join(folder, name);

describe("an atomic write", () => {
	test("leaves the new content and nothing beside it", async () => {
		await writeFileAtomic(at("record"), "one");
		await writeFileAtomic(at("record"), "two", 0o600);
		expect(await readFile(at("record"), "utf8")).toBe("two");
		expect((await stat(at("record"))).mode & 0o777).toBe(0o600);
		expect(await readdir(folder)).toEqual(["record"]);
	});

	test("that fails leaves the old content and nothing beside it", async () => {
		await mkdir(at("record"));
		await writeFile(join(at("record"), "inside"), "");
		await expect(writeFileAtomic(at("record"), "two")).rejects.toThrow();
		expect(await readdir(folder)).toEqual(["record"]);
	});

	test("by a process that was killed in the midst of it is cleared away, and nothing else", async () => {
		const files = new URL("files.ts", import.meta.url).pathname;
		const script = `const { writeFileAtomic } = await import("${files}");
			const content = "x".repeat(1e6);
			for (;;) await writeFileAtomic(process.argv[1], content);`;
		await mkdir(at("deeper"));
		const child = spawn(process.execPath, ["--input-type=module", "-e", script, at("deeper/record")]);
		const unfinished = async () => (await readdir(at("deeper"))).filter((name) => name !== "record");
		try {
			for (;;) {
				if ((await unfinished()).length === 0) continue;
				child.kill("SIGSTOP");
				if ((await unfinished()).length > 0) break;
				child.kill("SIGCONT");
			}
		} finally {
			child.kill("SIGKILL");
		}
		for (const name of ["notes.tmp", "a.12.tmp", "deeper/record.12.abc.tmp.qcow2"])
			await writeFile(at(name), "");
		await symlink("/etc/passwd", at("link.1.abc.tmp"));
		// As a session's own folder is.
		await mkdir(at("others"));
		await writeFile(at("others/record.12.abc.tmp"), "");
		await chown(at("others"), 12_345, 12_345);
		expect(await removeHalfWritten(folder)).toEqual([]);
		expect(await readdir(at("others"))).toEqual(["record.12.abc.tmp"]);
		await rm(at("others"), { recursive: true });
		expect(await unfinished()).toEqual(["record.12.abc.tmp.qcow2"]);
		expect((await readdir(folder)).sort()).toEqual(["a.12.tmp", "deeper", "notes.tmp"]);
		expect(existsSync("/etc/passwd")).toBe(true);
	});

	test("replaces a link instead of writing through it", async () => {
		await writeFile(at("victim"), "untouched");
		await symlink(at("victim"), at("record"));
		await writeFileAtomic(at("record"), "new");
		expect(await readFile(at("victim"), "utf8")).toBe("untouched");
		expect(await readFile(at("record"), "utf8")).toBe("new");
	});

	test("by many at once leaves one of them, whole", async () => {
		const contents = Array.from({ length: 20 }, (_, i) => String(i).repeat(10_000));
		await Promise.all(contents.map(async (content) => await writeFileAtomic(at("record"), content)));
		expect(contents).toContain(await readFile(at("record"), "utf8"));
		expect(await readdir(folder)).toEqual(["record"]);
	});
});

test("what is not there is said as such, and other trouble is not hidden", async () => {
	expect(await readIfThere(at("nothing"))).toBeUndefined();
	expect(await listIfThere(at("nothing"))).toEqual([]);
	await expect(readIfThere(folder)).rejects.toThrow(/EISDIR/);
	await writeFile(at("file"), "");
	await expect(listIfThere(at("file"))).rejects.toThrow(/ENOTDIR/);
	await writeFile(at("b"), "");
	expect(await listIfThere(folder)).toEqual(["b", "file"]);
});

describe("a file that a session can replace", () => {
	test("is read from its end", async () => {
		await writeFile(at("console"), "0123456789");
		expect(String(await readUntrustedTail(at("console"), 4))).toBe("6789");
		expect(String(await readUntrustedTail(at("console"), 400))).toBe("0123456789");
	});

	test("is read as nothing when it is not there, or empty", async () => {
		expect(await readUntrustedTail(at("nothing"), 4)).toBeUndefined();
		await writeFile(at("empty"), "");
		expect(await readUntrustedTail(at("empty"), 4)).toHaveLength(0);
	});

	test.each(["a link to a file", "a link to nothing", "a pipe", "a device", "a folder", "a socket"])(
		"is neither read nor emptied when it has become %s",
		async (kind) => {
			const secret = at("secret");
			await writeFile(secret, "secret of the host");
			if (kind === "a link to a file") await symlink(secret, at("console"));
			if (kind === "a link to nothing") await symlink(at("nowhere"), at("console"));
			if (kind === "a folder") await mkdir(at("console"));
			if (kind === "a pipe") spawnSync("mkfifo", [at("console")]);
			if (kind === "a device") spawnSync("mknod", [at("console"), "c", "1", "5"]);
			if (kind === "a socket")
				spawnSync("python3", ["-c", `import socket; socket.socket(socket.AF_UNIX).bind("${at("console")}")`]);
			expect(await readUntrustedTail(at("console"), 100)).toBeUndefined();
			expect(await emptyWhenLarger(at("console"), 0)).toBe(false);
			expect(await readFile(secret, "utf8")).toBe("secret of the host");
		},
	);

	test("is given to others with a mode of its own", async () => {
		await writeFile(at("overlay"), "content");
		expect(await giveUntrusted(at("overlay"), 12_345, 12_346, 0o440)).toBe(true);
		const { uid, gid, mode } = await stat(at("overlay"));
		expect([uid, gid, mode & 0o777]).toEqual([12_345, 12_346, 0o440]);
	});

	test.each(["a link", "a second name", "a folder", "a pipe"])(
		"is not given to others when it has become %s of something else",
		async (kind) => {
			const secret = at("secret");
			await writeFile(secret, "secret of the host", { mode: 0o600 });
			if (kind === "a link") await symlink(secret, at("overlay"));
			if (kind === "a second name") await link(secret, at("overlay"));
			if (kind === "a folder") await mkdir(at("overlay"));
			if (kind === "a pipe") spawnSync("mkfifo", [at("overlay")]);
			expect(await giveUntrusted(at("overlay"), 12_345, 12_346, 0o444)).toBe(false);
			for (const path of [secret, at("overlay")]) {
				const { uid, mode } = await stat(path);
				expect([uid, mode & 0o777]).not.toEqual([12_345, 0o444]);
				expect(uid).toBe(0);
			}
		},
	);

	test("is emptied only when it is larger", async () => {
		await writeFile(at("console"), "0123456789");
		expect(await emptyWhenLarger(at("console"), 10)).toBe(false);
		expect(await emptyWhenLarger(at("console"), 9)).toBe(true);
		expect(await readFile(at("console"), "utf8")).toBe("");
		expect(await emptyWhenLarger(at("nothing"), 0)).toBe(false);
	});

	test("that is a second name of another file is not emptied", async () => {
		await writeFile(at("victim"), "0123456789");
		await link(at("victim"), at("console"));
		expect(await emptyWhenLarger(at("console"), 0)).toBe(false);
		expect(await readUntrustedTail(at("console"), 100)).toBeUndefined();
	});
});
