import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { run } from "../../src/host/command.ts";
import { readIfThere } from "../../src/host/files.ts";
import { ensureBuilt } from "../../src/templates/build.ts";
import { readTemplate } from "../../src/templates/catalogue.ts";
import { patience } from "./harness.ts";

const parts = join(import.meta.dirname, "own-boot");
const cache = process.env.BULKHEAD_CACHE ?? "/var/cache/bulkhead";

/**
 * A disk that boots by its own boot loader, on any controller, and serves its page at the address that it is told: built
 * once, and kept from one run to the next, as templates are.
 * @returns path of a raw image of 257 MiB, which nobody may write to
 */
export async function ownBootDisk(): Promise<string> {
	const tiny = await ensureBuilt(await readTemplate("tiny"), { cache, onStep: () => {} });
	const hash = createHash("sha256").update(tiny.hash);
	for (const name of (await readdir(parts)).sort())
		hash.update(name).update(await readFile(join(parts, name)));
	const folder = join(cache, "tests", `own-boot-${hash.digest("hex").slice(0, 16)}`);
	const disk = join(folder, "disk.raw");
	if ((await readIfThere(join(folder, "complete"))) !== undefined) return disk;
	await mkdir(join(cache, "tests"), { recursive: true });
	const scratch = await mkdtemp(join(cache, "tests", ".own-boot-"));
	try {
		const [out, work] = [join(scratch, "out"), join(scratch, "work")];
		for (const made of [out, work]) await mkdir(made);
		const env = { OUT: out, WORK: work, TINY: join(tiny.folder, "system.qcow2") };
		await run("sh", ["-c", `"$0" && date -u > "$OUT/complete"`, join(parts, "build")], {
			deadlineMs: patience.build,
			env,
		});
		// Somebody else may have been faster.
		await rename(out, folder).catch(async (error) => {
			if ((await readIfThere(join(folder, "complete"))) === undefined) throw error;
		});
	} finally {
		await rm(scratch, { recursive: true, force: true });
	}
	return disk;
}
