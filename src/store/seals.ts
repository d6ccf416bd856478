import { stat } from "node:fs/promises";
import { z } from "zod";
import { formatDuration } from "../api/units.ts";
import { CommandError, run } from "../host/command.ts";
import { errorCode, readIfThere, writeFileAtomic } from "../host/files.ts";
import type { SealPaths } from "./paths.ts";

/** Seals of another layout are of no use to this version. */
const version = 1;
/** Files of a seal that hold what was frozen. */
const parts = ["ram", "state", "system"] as const;
type Part = (typeof parts)[number];

const partSchema = z.object({ bytes: z.number(), sha256: z.string().regex(/^[0-9a-f]{64}$/) });

/** What a seal only works with: another one of any of these would make another machine of it. */
const madeWithSchema = z.object({
	qemu: z.string(),
	machine: z.string(),
	accelerator: z.enum(["kvm", "tcg"]),
	/** Model and features of the host's processor, where the guest sees them. */
	processor: z.string(),
	/** The whole command line, without what differs from session to session. */
	command: z.string(),
	/** The system disk below the frozen overlay: its size and when it was last written. */
	base: z.string(),
});
export type MadeWith = z.infer<typeof madeWithSchema>;

const manifestSchema = z.object({
	version: z.number(),
	/** Tells it apart from every other seal. */
	id: z.string(),
	/** Number of the session that was frozen. */
	session: z.int(),
	/** Milliseconds since the Unix epoch. */
	madeAt: z.number(),
	madeWith: madeWithSchema,
	memoryBytes: z.number(),
	parts: z.object({ ram: partSchema, state: partSchema, system: partSchema }),
});
/** What seal/seal.json says of a seal. */
export type Manifest = z.infer<typeof manifestSchema>;

/** Thrown for a seal that cannot be used, with the reason in words. */
export class SealError extends Error {
	override readonly name = "SealError";
}

/**
 * Writes a seal's manifest, which makes it one: until then its files mean nothing.
 * @param paths where its parts are already
 */
export async function writeManifest(
	paths: SealPaths,
	manifest: Omit<Manifest, "version" | "parts">,
	signal?: AbortSignal,
): Promise<Manifest> {
	const sums = {} as Manifest["parts"];
	for (const part of parts)
		sums[part] = { bytes: (await stat(paths[part])).size, sha256: await checksum(paths[part], signal) };
	const whole = { version, ...manifest, parts: sums };
	await writeFileAtomic(paths.manifest, `${JSON.stringify(whole, null, "\t")}\n`);
	return whole;
}

/** @returns undefined when there is no seal. @throws SealError when what is there cannot be read */
export async function readManifest(paths: SealPaths): Promise<Manifest | undefined> {
	const text = await readIfThere(paths.manifest);
	if (text === undefined) return undefined;
	let written: unknown;
	try {
		written = JSON.parse(text);
	} catch {
		throw new SealError("its seal.json is damaged");
	}
	if ((written as { version?: unknown } | null)?.version !== version)
		throw new SealError("it was made by another version of Bulkhead");
	const parsed = manifestSchema.safeParse(written);
	if (!parsed.success) throw new SealError("its seal.json is damaged");
	return parsed.data;
}

/** What each part has changed from, as people call it. */
const changed: Record<keyof MadeWith, string> = {
	qemu: "QEMU has changed",
	machine: "the machine type has changed",
	accelerator: "the accelerator has changed",
	processor: "the host's processor has changed",
	command: "the server's hardware has changed",
	base: "the system disk below it has changed",
};

/**
 * Why a seal cannot be used here and now, as far as that can be seen without reading it whole.
 * @returns undefined when nothing speaks against it
 */
export function whyUnusable(
	{ madeAt, madeWith }: Manifest,
	present: MadeWith,
	now: number,
	maxAgeMs: number,
): string | undefined {
	const keys = Object.keys(changed) as (keyof MadeWith)[];
	const other = keys.find((key) => madeWith[key] !== present[key]);
	if (other === "command" || other === "base" || other === "processor")
		return `${changed[other]} since it was made`;
	if (other) return `${changed[other]} since it was made: ${madeWith[other]} → ${present[other]}`;
	if (madeAt > now + 60_000) return "it is from the future: was the host's clock set back?";
	if (now - madeAt > maxAgeMs)
		return `it is ${formatDuration(now - madeAt)} old, and ${formatDuration(maxAgeMs)} are the most`;
	return undefined;
}

/** @throws SealError when a part is missing, has another length, or holds something else than when it was made */
export async function verifyPart(
	manifest: Manifest,
	part: Part,
	path: string,
	signal?: AbortSignal,
): Promise<void> {
	const { bytes, sha256 } = manifest.parts[part];
	const size = await sizeOf(path);
	if (size === undefined) throw new SealError(`its ${names[part]} is missing`);
	if (size !== bytes) throw new SealError(`its ${names[part]} has ${size} bytes instead of ${bytes}`);
	const sum = await checksum(path, signal).catch((error) => {
		// The disk does not give it back.
		if (error instanceof CommandError && error.code === 1)
			throw new SealError(`its ${names[part]} cannot be read: ${error.message}`);
		throw error;
	});
	if (sum !== sha256) throw new SealError(`its ${names[part]} is damaged: its checksum is another`);
}

const names: Record<Part, string> = { ram: "memory", state: "device state", system: "system disk overlay" };

async function sizeOf(path: string): Promise<number | undefined> {
	try {
		return (await stat(path)).size;
	} catch (error) {
		if (errorCode(error) === "ENOENT") return undefined;
		throw error;
	}
}

/** Reads gigabytes: in a process of its own, and behind everything else. */
async function checksum(path: string, signal?: AbortSignal): Promise<string> {
	const options = { deadlineMs: 600_000, ...(signal ? { signal } : {}) };
	const { stdout } = await run("nice", ["-n", "19", "sha256sum", "--", path], options);
	const sum = /^\\?([0-9a-f]{64}) /.exec(stdout)?.[1];
	if (!sum) throw new Error(`sha256sum said: ${stdout.slice(0, 100)}`);
	return sum;
}
