import { spawnSync } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";

test("who has started a program that stays comes to its end all the same", async () => {
	const folder = await mkdtemp(join(tmpdir(), "bulkhead-detached-"));
	onTestFinished(async () => await rm(folder, { recursive: true, force: true }));
	const script = `
		const { startDetached } = await import(${JSON.stringify(join(import.meta.dirname, "detached.ts"))});
		console.log(startDetached(["sleep", "600"], process.env, ${JSON.stringify(join(folder, "log"))}).pid);
	`;
	const words = ["--input-type=module", "--eval", script];
	const { status, stdout } = spawnSync(process.execPath, words, { encoding: "utf8", timeout: 20_000 });
	process.kill(Number(stdout), "SIGKILL");
	expect(status).toBe(0);
});
