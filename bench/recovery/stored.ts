import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { lstat, readdir } from "node:fs/promises";
import { join, relative } from "node:path";
import { pipeline } from "node:stream/promises";
import { paths } from "../../src/store/paths.ts";
import { isGone } from "./memory.ts";

export interface Stored {
	files: number;
	/** What they take on the disk: holes take nothing. */
	bytes: number;
}

/**
 * What lies below a state directory, by kind: a server's folders (sessions, incidents, seal, disks, boot), its own files,
 * the history of events, the daemon's log, the rest.
 */
export async function storedBelow(state: string): Promise<Record<string, Stored>> {
	const found: Record<string, Stored> = {};
	for (const path of await filesBelow(state)) {
		const kind = kindOf(relative(state, path));
		const bytes = await sizeOnDisk(path);
		if (bytes === undefined) continue;
		const before = found[kind] ?? { files: 0, bytes: 0 };
		found[kind] = { files: before.files + 1, bytes: before.bytes + bytes };
	}
	return found;
}

/** Session folders of a server, and how many of them hold a throw-away disk, which only sessions that live have. */
export async function sessionsOf(state: string, server: string): Promise<{ folders: number; disks: number }> {
	const files = paths(state, "").server(server);
	const numbers = await readdir(files.sessions);
	const sizes = await Promise.all(numbers.map((name) => sizeOnDisk(files.session(Number(name)).overlay)));
	return { folders: numbers.length, disks: sizes.filter((size) => size !== undefined).length };
}

/** SHA-256 of each file of a server's seal, by name. */
export async function sealSums(state: string, server: string): Promise<Record<string, string>> {
	const { folder } = paths(state, "").server(server).seal;
	const sums: Record<string, string> = {};
	for (const name of (await readdir(folder)).sort()) {
		const hash = createHash("sha256");
		await pipeline(createReadStream(join(folder, name)), hash);
		sums[name] = hash.digest("hex");
	}
	return sums;
}

/** @returns what of a seal is not as it was, in words; null when all is */
export function sealChanged(
	before: Readonly<Record<string, string>>,
	after: Readonly<Record<string, string>>,
): string | null {
	const names = new Set([...Object.keys(before), ...Object.keys(after)]);
	const changed = [...names].filter((name) => before[name] !== after[name]);
	return changed.length === 0 ? null : changed.join(", ");
}

/** @returns everything below a folder that is no folder; what goes away meanwhile is left out */
export async function filesBelow(folder: string): Promise<string[]> {
	const entries = await readdir(folder, { withFileTypes: true }).catch((error: unknown) => {
		if (isGone(error)) return [];
		throw error;
	});
	const found = entries.map(async (entry) => {
		const path = join(folder, entry.name);
		return entry.isDirectory() ? await filesBelow(path) : [path];
	});
	return (await Promise.all(found)).flat();
}

function kindOf(path: string): string {
	const parts = path.split("/");
	if (parts[0] === "servers") return parts.length > 3 ? (parts[2] ?? "") : "a server's own files";
	if (path.startsWith("history.sqlite")) return "history";
	return path === "daemon.log" ? "daemon.log" : "other";
}

async function sizeOnDisk(path: string): Promise<number | undefined> {
	try {
		return (await lstat(path)).blocks * 512;
	} catch (error) {
		if (isGone(error)) return undefined;
		throw error;
	}
}
