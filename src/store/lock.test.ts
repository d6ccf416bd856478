import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { BulkheadError } from "../api/errors.ts";
import { run } from "../host/command.ts";
import { refuseBesideAnother, stateTrouble, takeLock } from "./lock.ts";

let folder: string;
let file: string;
beforeEach(async () => {
	folder = await mkdtemp(join(tmpdir(), "bulkhead-lock-"));
	file = join(folder, "lock");
});
afterEach(async () => await rm(folder, { recursive: true }));

function refusal(): BulkheadError {
	try {
		takeLock(file, folder).release();
	} catch (error) {
		if (error instanceof BulkheadError) return error;
		throw error;
	}
	throw new Error("the lock was given twice");
}

/** Another process that takes the lock and holds it until it is killed. */
async function holder() {
	const lock = JSON.stringify(new URL("./lock.ts", import.meta.url).href);
	const script = `const { takeLock } = await import(${lock});
		globalThis.kept = takeLock(${JSON.stringify(file)}, "there");
		console.log("held");
		setInterval(() => {}, 1000);`;
	const child = spawn(process.execPath, ["--input-type=module", "-e", script], {
		stdio: ["ignore", "pipe", "inherit"],
	});
	await once(child.stdout, "data");
	return child;
}

test("a second taker is refused, with what to do", () => {
	const lock = takeLock(file, folder);
	expect(refusal()).toMatchObject({ code: "already-running" });
	expect(refusal().message).toBe(
		`another daemon already works on ${folder}; use that one, or give this one another state directory with --state`,
	);
	lock.release();
	takeLock(file, folder).release();
});

test("one is refused also where the lock is free and somebody answers, and not by a socket that was left", async () => {
	const socket = join(folder, "api.sock");
	await refuseBesideAnother(socket, folder);
	const server = createServer().listen(socket);
	await once(server, "listening");
	await expect(refuseBesideAnother(socket, folder)).rejects.toMatchObject({ code: "already-running" });
	server.close();
	await once(server, "close");
	await writeFile(socket, "");
	await refuseBesideAnother(socket, folder);
});

test("another process is refused too, and SIGKILL frees the lock", async () => {
	const child = await holder();
	expect(refusal().code).toBe("already-running");
	child.kill("SIGKILL");
	await once(child, "exit");
	takeLock(file, folder).release();
});

test("a lock in a folder that is not there is not taken for another daemon", () => {
	const path = join(folder, "no", "lock");
	expect(() => takeLock(path, folder)).toThrow(expect.objectContaining({ code: "host-lacks" }));
	expect(() => takeLock(path, folder)).toThrow(/cannot be used; make it a folder that root can write to/);
});

test.each([
	["EROFS", "host-lacks", /mount it writable/],
	["ENOSPC", "disk-full", /make room there/],
])("%s is told in its own words, with what to do", (code, kind, words) => {
	const trouble = stateTrouble("/var/lib/bulkhead", Object.assign(new Error(`${code}: no`), { code }));
	expect(trouble).toMatchObject({ code: kind, message: expect.stringMatching(words) });
});

test("on a disk that takes no new file the lock is had, and refused to a second one", async () => {
	const mount = async (...words: string[]) => await run(words[0] ?? "", words.slice(1), { deadlineMs: 5000 });
	await mount("mount", "-t", "tmpfs", "-o", "nr_inodes=3", "none", folder);
	try {
		takeLock(file, folder).release();
		for (let i = 0; i < 3; i++) await writeFile(join(folder, `${i}`), "").catch(() => {});
		await expect(writeFile(join(folder, "more"), "")).rejects.toThrow("ENOSPC");
		const child = await holder();
		expect(refusal().code).toBe("already-running");
		child.kill("SIGKILL");
		await once(child, "exit");
	} finally {
		await mount("umount", folder);
	}
});
