/**
 * Checks who imports whom, by the rules in dependency-cruiser.config.cjs. Run it with: npm run imports
 *
 * dependency-cruiser reads TypeScript through the JavaScript API of TypeScript before version 7; with a newer one it
 * sees no module at all and is content. So it gets a copy of the sources without types, in which imports of types are
 * still imports.
 */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { stripTypeScriptTypes } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

const root = join(import.meta.dirname, "..");
const folders = ["src", "web", "bench", "test", "scripts"].filter((folder) => existsSync(join(root, folder)));

async function copyFolder(folder: string, to: string): Promise<void> {
	for (const entry of await readdir(join(root, folder), { withFileTypes: true, recursive: true })) {
		if (!entry.isFile() || entry.parentPath.includes("node_modules")) continue;
		if (!/\.(?:tsx?|json)$/.test(entry.name)) continue;
		const path = join(entry.parentPath, entry.name);
		const copy = join(to, path.slice(root.length).replace(/\.tsx?$/, ".js"));
		await mkdir(dirname(copy), { recursive: true });
		const text = await readFile(path, "utf8");
		await writeFile(copy, entry.name.endsWith(".json") ? text : withoutTypes(text));
	}
}

/** Imports of types become plain imports; only then are the types taken away. */
function withoutTypes(source: string): string {
	const plain = source.replace(/^(import|export) type (?=[{*]|\w+ from)/gm, "$1 ");
	return stripTypeScriptTypes(plain).replace(/((?:from|import) ?\(?"\.[^"\n]*)\.tsx?"/g, '$1.js"');
}

const copy = await mkdtemp(join(tmpdir(), "bulkhead-imports-"));
try {
	for (const folder of folders) await copyFolder(folder, copy);
	for (const name of ["package.json", "dependency-cruiser.config.cjs"])
		await cp(join(root, name), join(copy, name));
	await symlink(join(root, "node_modules"), join(copy, "node_modules"));
	const cruiser = join(root, "node_modules/dependency-cruiser/bin/dependency-cruise.mjs");
	const { status, stdout, stderr } = spawnSync(
		process.execPath,
		[cruiser, "--config", "dependency-cruiser.config.cjs", ...folders],
		{ cwd: copy, encoding: "utf8" },
	);
	process.stdout.write(stdout);
	process.stderr.write(stderr);
	const modules = Number(/(\d+) modules,/.exec(stdout)?.[1]);
	if (!(modules > 0)) process.stderr.write("no module was looked at\n");
	process.exitCode = modules > 0 ? (status ?? 1) : 1;
} finally {
	await rm(copy, { recursive: true });
}
