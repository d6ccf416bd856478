import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { withoutServices } from "./packages.ts";

async function policyPath(): Promise<string> {
	const folder = await mkdtemp(join(tmpdir(), "bulkhead-policy-"));
	onTestFinished(async () => await rm(folder, { recursive: true, force: true }));
	return join(folder, "policy-rc.d");
}
/** What Debian's packages do before they start a service. */
const asked = (file: string) => spawnSync(file, ["smbd", "start"]).status;

test("while packages are installed no service may be started, and afterwards as before", async () => {
	const file = await policyPath();
	await withoutServices(async () => expect(asked(file)).toBe(101), file);
	expect(existsSync(file)).toBe(false);
});

test("so it is when the installation fails", async () => {
	const file = await policyPath();
	const work = async () => {
		throw new Error("no such package");
	};
	await expect(withoutServices(work, file)).rejects.toThrow("no such package");
	expect(existsSync(file)).toBe(false);
});

test("a policy of the machine's own stays as it is", async () => {
	const file = await policyPath();
	await writeFile(file, "#!/bin/sh\nexit 0\n", { mode: 0o755 });
	await withoutServices(async () => expect(asked(file)).toBe(0), file);
	expect(await readFile(file, "utf8")).toBe("#!/bin/sh\nexit 0\n");
});

test("what one that was killed left is taken away by the next", async () => {
	const file = await policyPath();
	let left = "";
	await withoutServices(async () => {
		left = await readFile(file, "utf8");
	}, file);
	await writeFile(file, left, { mode: 0o755 });
	await withoutServices(async () => expect(asked(file)).toBe(101), file);
	expect(existsSync(file)).toBe(false);
});
