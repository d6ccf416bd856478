import { spawnSync } from "node:child_process";
import { chmod, copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

/** Stands in for Debian: nothing is installed, and what is installed takes busybox away. */
const programs = {
	"dpkg-query": "exit 1",
	"apt-get":
		'echo "$*" >>"$CALLS"; case "$*" in "-s "*) echo "Remv busybox [1:1.35.0-4]"; echo "Inst busybox-static (1:1.35.0-4)";; esac',
	npm: "exit 1",
};

describe.runIf(process.getuid?.() === 0)("scripts/setup", () => {
	let folder: string;
	beforeEach(async () => {
		folder = await mkdtemp(join(tmpdir(), "bulkhead-setup-"));
		for (const name of ["scripts", "node_modules", "programs"]) await mkdir(join(folder, name));
		await copyFile(join(import.meta.dirname, "../scripts/setup"), join(folder, "scripts/setup"));
		for (const file of ["package-lock.json", "node_modules/.installed-from"])
			await writeFile(join(folder, file), "{}");
		for (const [name, text] of Object.entries(programs)) {
			await writeFile(join(folder, "programs", name), `#!/bin/sh\n${text}\n`);
			await chmod(join(folder, "programs", name), 0o755);
		}
	});
	afterEach(async () => await rm(folder, { recursive: true }));

	test("says which packages of the host make way before it installs any", async () => {
		const calls = join(folder, "calls");
		const { status, stdout } = spawnSync(join(folder, "scripts/setup"), {
			env: { PATH: `${join(folder, "programs")}:${process.env.PATH}`, CALLS: calls },
			encoding: "utf8",
		});
		expect(status).toBe(0);
		expect(stdout).toMatch(/^Installing Debian packages: .* busybox-static .*\nRemoves: busybox\n$/);
		const done = (await readFile(calls, "utf8")).trim().split("\n");
		expect(done.map((call) => call.split(" ").slice(0, 2).join(" "))).toEqual([
			"update -qq",
			"-s install",
			"install -y",
		]);
	});
});
