import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { defaultState } from "../src/api/routes.ts";

/** Guards of the house itself: who imports whom, what is generated, what must not stand in any file. */
const root = join(import.meta.dirname, "..");
const node = (...args: string[]) =>
	spawnSync(process.execPath, ["--disable-warning=ExperimentalWarning", ...args], {
		cwd: root,
		encoding: "utf8",
	});

test("folders import only whom they may", () => {
	const { status, stdout, stderr } = node("scripts/check-imports.ts");
	expect(`${stdout}${stderr}`).toMatch(/no dependency violations found \(\d{3,} modules/);
	expect(status).toBe(0);
});

const version = /version (\d+\.\d+)/.exec(
	spawnSync("qemu-system-x86_64", ["--version"]).stdout?.toString() ?? "",
)?.[1];

test(`QMP's types are those of QEMU 7.2${version === "7.2" ? "" : `, not looked at: here is ${version ?? "none"}`}`, (task) => {
	task.skip(version !== "7.2");
	const { stdout, stderr } = node("scripts/qmp-types.ts", "--print");
	expect(stderr).toBe("");
	const kept = readFileSync(join(root, "src/qemu/qmp/schema.generated.ts"), "utf8");
	// The formatter breaks lines, adds semicolons and takes quotes away; the types are the same.
	const words = (text: string) => text.replaceAll(/[\s;,|"]+/g, "");
	expect(words(kept)).toBe(words(stdout));
});

/** Folders of one machine, and hosts from which it got its packages. */
const foreign = [
	/\/(work|home|Users)\/[a-z]+\//,
	/\/tmp\/[a-z0-9-]+\/(src|node_modules)/,
	/registry\.npmjs\.org|\.(npmmirror|jfrog|artifactory)\.|\/artifactory\//i,
	/"resolved": "http/,
];

test("no file mentions a machine's own paths or where its packages came from", () => {
	const listed = spawnSync("git", ["ls-files", "--cached", "--others", "--exclude-standard"], {
		cwd: root,
		encoding: "utf8",
	});
	const files = listed.status === 0 ? listed.stdout.trim().split("\n") : filesBelow("src");
	const found = files
		.filter((file) => file !== "test/house.test.ts")
		.flatMap((file) => {
			const text = readFileSync(join(root, file), { encoding: "latin1" });
			const match = foreign.map((pattern) => pattern.exec(text)?.[0]).find(Boolean);
			return match ? [`${file}: ${match}`] : [];
		});
	expect(found).toEqual([]);
});

function filesBelow(folder: string): string[] {
	return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
		.filter((entry) => entry.isFile())
		.map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1));
}

test("SPECIFICATION.md names tests, files and make targets that exist", () => {
	const text = readFileSync(join(root, "SPECIFICATION.md"), "utf8");
	const makefile = readFileSync(join(root, "Makefile"), "utf8");
	const missing: string[] = [];
	for (const [, target] of text.matchAll(/`make ([a-z-]+)`/g)) {
		if (!makefile.includes(`\n${target}:`)) missing.push(`make ${target}`);
	}
	for (const [, path = "", names = ""] of text.matchAll(
		/`((?:src|test)\/[^`]+)`(?:: ((?:"[^"]+"(?:, )?)+))?/g,
	)) {
		const file = existsSync(join(root, path))
			? readFileSync(join(root, path), { encoding: "utf8", flag: "r" })
			: undefined;
		if (file === undefined) missing.push(path);
		for (const [, name = ""] of names.matchAll(/"([^"]+)"/g)) {
			if (!file?.includes(`"${name}"`)) missing.push(`${path}: "${name}"`);
		}
	}
	expect(missing).toEqual([]);
});

test("systemd never gives the daemon up, and starts it when its state directory is mounted", () => {
	const sections = readFileSync(join(root, "docs/bulkhead.service"), "utf8").split(/^\[/m);
	const unit = sections.find((section) => section.startsWith("Unit]"));
	expect(unit).toMatch(/^StartLimitIntervalSec=0$/m);
	expect(unit).toMatch(new RegExp(`^RequiresMountsFor=${defaultState}$`, "m"));
	expect(sections.find((section) => section.startsWith("Service]"))).toMatch(/^Restart=always$/m);
});
