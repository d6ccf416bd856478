import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { ensureBuilt } from "./build.ts";
import type { Template } from "./template.ts";

const { shipped } = vi.hoisted(() => ({ shipped: { folder: "" } }));
vi.mock("./catalogue.ts", () => ({
	get shipped() {
		return shipped.folder;
	},
}));

const template = { name: "small", packages: [] } as unknown as Template;
/** Says what it was asked for, and whether the images said at that moment that they are complete. */
const sync = `#!/bin/sh
echo "$* ($(cat "$OUT/complete" >/dev/null 2>&1 && echo complete || echo incomplete))" >>"$CALLS"
`;

let folder: string;
const cache = () => join(folder, "cache");
const calls = () => readFileSync(join(folder, "calls"), "utf8").trim().split("\n");
const steps: string[] = [];
const build = async () =>
	await ensureBuilt(template, { cache: cache(), onStep: (text) => void steps.push(text) });

beforeEach(() => {
	folder = mkdtempSync(join(tmpdir(), "bulkhead-build-"));
	shipped.folder = join(folder, "shipped");
	for (const name of ["shipped/small", "shipped/lib", "programs"])
		mkdirSync(join(folder, name), { recursive: true });
	const program = (name: string, text: string) => writeFileSync(join(folder, name), text, { mode: 0o755 });
	program("shipped/small/build", '#!/bin/sh\necho "STEP 1/1 making it"\necho image >"$OUT/system.qcow2"\n');
	program("programs/sync", sync);
	vi.stubEnv("PATH", `${join(folder, "programs")}:${process.env.PATH}`);
	vi.stubEnv("CALLS", join(folder, "calls"));
	steps.length = 0;
});
afterEach(() => {
	vi.unstubAllEnvs();
	rmSync(folder, { recursive: true });
});

test("images are on the disk for good before anything says that they are complete", async () => {
	const { folder: place } = await build();
	const out = /^-f (\S+\/out) \(incomplete\)$/.exec(calls()[0] ?? "")?.[1];
	expect(calls().slice(1)).toEqual([`${out}/complete ${out} (complete)`, `${place}/.. (incomplete)`]);
	expect(readFileSync(join(place, "complete"), "utf8")).not.toBe("");
});

test("images are made once, and anew where a power cut left only an empty word that they are complete", async () => {
	const { folder: place } = await build();
	steps.length = 0;
	expect(await build()).toMatchObject({ folder: place });
	expect(steps).toEqual([]);
	for (const name of ["complete", "system.qcow2"]) writeFileSync(join(place, name), "");
	await build();
	expect(steps).toContain("making it");
	expect(readFileSync(join(place, "system.qcow2"), "utf8")).toBe("image\n");
});
