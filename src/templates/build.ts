import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { BulkheadError, explain } from "../api/errors.ts";
import { run } from "../host/command.ts";
import { readIfThere } from "../host/files.ts";
import { shipped } from "./catalogue.ts";
import { packageVersions } from "./package-versions.ts";
import type { Template } from "./template.ts";

/**
 * A template's images: `kernel`, `initrd` and `system.qcow2` in `folder`; in `private/root` the guest's files, where a
 * template says that a domain is made with them.
 */
export interface Built {
	folder: string;
	/** Hash of everything the images are made from. */
	hash: string;
}

export interface BuildOptions {
	/** Where images are kept from one use to the next. */
	cache: string;
	onStep: (text: string, fraction: number | null) => void;
	signal?: AbortSignal;
}

const buildDeadlineMs = 30 * 60_000;

/**
 * Makes a template's images, or finds them as they were made before from the very same things.
 * @throws BulkheadError template-failed, with the last words of the build
 */
export async function ensureBuilt(template: Template, options: BuildOptions): Promise<Built> {
	const hash = await fingerprint(template, options.signal);
	const folder = join(options.cache, "templates", `${template.name}-${hash}`);
	if (!(await isComplete(folder))) await build(template, folder, options);
	return { folder, hash };
}

/** After a power cut an empty file may be all that is left of what says so, and of the images beside it, too. */
async function isComplete(folder: string): Promise<boolean> {
	return ((await readIfThere(join(folder, "complete"))) ?? "") !== "";
}

async function build(
	template: Template,
	folder: string,
	{ cache, onStep, signal }: BuildOptions,
): Promise<void> {
	await mkdir(join(cache, "templates"), { recursive: true });
	const scratch = await mkdtemp(join(cache, "templates", `.${template.name}-`));
	try {
		const [out, work] = [join(scratch, "out"), join(scratch, "work")];
		await Promise.all([mkdir(out), mkdir(work)]);
		onStep("waiting for another build of it, or beginning", 0);
		const lock = join(cache, "templates", `${template.name}.lock`);
		const env = { OUT: out, WORK: work, PLACE: folder, SCRATCH: scratch, NAME: template.name };
		await runBuild(template, lock, env, onStep, signal);
		if (!(await isComplete(folder))) throw new Error("the build ended without its images");
	} catch (cause) {
		signal?.throwIfAborted();
		throw new BulkheadError(
			"template-failed",
			`template ${template.name} could not be built: ${explain(cause)}`,
			{ cause },
		);
	} finally {
		await rm(scratch, { recursive: true, force: true });
	}
}

async function runBuild(
	template: Template,
	lock: string,
	env: Record<string, string>,
	onStep: BuildOptions["onStep"],
	signal: AbortSignal | undefined,
): Promise<void> {
	const onLine = (line: string) => {
		const step = /^STEP (\d+)\/(\d+) (.*)$/.exec(line);
		if (step) onStep(step[3] ?? "", (Number(step[1]) - 1) / Number(step[2]));
	};
	// Two daemons may want the same images at the same time: the second waits, and then finds them in their place.
	// What builds left whose daemon was killed goes first; the folders of others that wait here are made anew when it is
	// their turn.
	// Images are on the disk for good before anything says that they are complete: a power cut would leave empty ones.
	const script = [
		'test -s "$PLACE/complete" && exit',
		`find "$SCRATCH/.." -mindepth 1 -maxdepth 1 -name ".$NAME-??????" ! -samefile "$SCRATCH" -exec rm -rf --one-file-system {} +`,
		'mkdir -p "$OUT" "$WORK"',
		'"$0" && sync -f "$OUT" && date -u > "$OUT/complete" && sync "$OUT/complete" "$OUT" &&',
		'rm -rf "$PLACE" && mv "$OUT" "$PLACE" && sync "$PLACE/.."',
	].join("\n");
	const command = ["-o", lock, "sh", "-c", script, join(shipped, template.name, "build")];
	await run("flock", command, { deadlineMs: buildDeadlineMs, env, onLine, ...(signal ? { signal } : {}) });
}

/** Everything that decides what the images hold: the template's own files, what all share, the packages' versions. */
async function fingerprint(template: Template, signal: AbortSignal | undefined): Promise<string> {
	const hash = createHash("sha256");
	const folders = [join(shipped, template.name), join(shipped, "lib")];
	const files = (await Promise.all(folders.map(filesBelow))).flat();
	for (const file of files.sort()) {
		hash.update(`${file.slice(shipped.length)}\0`);
		hash.update(await readFile(file));
	}
	if (template.packages.length > 0) hash.update(await packageVersions(template.packages, signal));
	return hash.digest("hex").slice(0, 16);
}

async function filesBelow(folder: string): Promise<string[]> {
	const entries = await readdir(folder, { recursive: true, withFileTypes: true });
	return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}
