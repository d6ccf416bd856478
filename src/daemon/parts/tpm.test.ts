import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { identify, waitForEnd } from "../../host/process.ts";
import { paths } from "../../store/paths.ts";
import { endTpm, watchTpm } from "./tpm.ts";

let folder = "";
beforeEach(async () => {
	folder = await mkdtemp(join(tmpdir(), "bulkhead-tpm-"));
});
afterEach(async () => {
	await rm(folder, { recursive: true });
});

const files = () => ({
	...paths(folder, folder).server("web").session(1),
	tpmLaunch: join(folder, "tpm.json"),
});

/** A process that waits, with the argument by which the TPM of a session is known. */
async function standIn(session: string) {
	const process = spawn("/bin/sh", ["-c", "read -r line", `dir=/tpm/${session},mode=0600`, "dir"], {
		stdio: ["pipe", "ignore", "ignore"],
	});
	await once(process, "spawn");
	const identity = identify(process.pid ?? 0);
	if (!identity) throw new Error("the stand-in has ended");
	await writeFile(files().tpmLaunch, JSON.stringify({ "child-pid": process.pid }));
	return { process, identity };
}

test("a TPM that ends before its session is seen", async () => {
	const { process, identity } = await standIn("web#1");
	const lives = watchTpm("web#1", files());
	expect(lives?.()).toBe(true);
	process.kill("SIGKILL");
	await waitForEnd(identity, 10_000);
	expect(lives?.()).toBe(false);
	// As a daemon sees it that takes the session over.
	expect(watchTpm("web#1", files())?.()).toBe(false);
});

test("another process with its number is not its TPM, and is left alone", async () => {
	const { process, identity } = await standIn("mail#1");
	expect(watchTpm("web#1", files())?.()).toBe(false);
	expect(await endTpm("web#1", files())).toBe(true);
	expect(identify(process.pid ?? 0)).toEqual(identity);
	expect(await endTpm("mail#1", files())).toBe(true);
	expect(identify(process.pid ?? 0)).toBeUndefined();
});

test("a session without a TPM has none to lose", () => {
	expect(watchTpm("web#1", files())).toBeUndefined();
});
