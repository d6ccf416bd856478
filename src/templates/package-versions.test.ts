import { chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { CommandError } from "../host/command.ts";
import { packageVersions } from "./package-versions.ts";

let folder: string;

beforeEach(async () => {
	folder = await mkdtemp(join(tmpdir(), "bulkhead-versions-"));
	vi.stubEnv("PATH", `${folder}:${process.env.PATH}`);
});

afterEach(async () => {
	vi.unstubAllEnvs();
	await rm(folder, { recursive: true, force: true });
});

/** In apt-cache's place: fails so often, with these words, before it answers as apt-cache does. */
async function aptCache(times: number, words: string): Promise<void> {
	const path = join(folder, "apt-cache");
	const script = [
		"#!/bin/sh",
		`echo >> ${folder}/asked`,
		`if [ "$(wc -l < ${folder}/asked)" -le ${times} ]; then echo "${words}" >&2; exit 100; fi`,
		"printf 'samba:\\n  Installed: (none)\\n  Candidate: 2:4.17.12\\n  Version table:\\n'",
		"printf 'chrony:\\n  Installed: 4.3\\n  Candidate: 4.3-2\\n  Version table:\\n'",
	];
	await writeFile(path, script.join("\n"));
	await chmod(path, 0o755);
}

const asked = async () => (await readFile(join(folder, "asked"), "utf8")).length;

test("lists that change while they are read are read again", async () => {
	await aptCache(2, "E: Cache is out of sync, can't x-ref a package file");
	expect(await packageVersions(["samba", "chrony"])).toBe("samba=2:4.17.12\nchrony=4.3-2");
	expect(await asked()).toBe(3);
});

test("anything else that apt-cache says ends it at once", async () => {
	await aptCache(1, "E: The list of sources could not be read.");
	await expect(packageVersions(["samba"])).rejects.toThrow(CommandError);
	expect(await asked()).toBe(1);
});
