import { chmod, chown, link, lstat, open, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { run } from "../host/command.ts";
import { errorCode } from "../host/files.ts";
import { createEmptyImage } from "./empty-image.ts";

const quick = { deadlineMs: 30_000 };
const long = { deadlineMs: 3_600_000 };
/** A crafted header can make qemu-img use memory and time without end (qemu's docs/system/security). */
const imageLimits = ["--as=2147483648", "--cpu=600", "--core=0"];

/** Thrown for an image that cannot be used, with the reason in words. */
export class ImageError extends Error {
	override readonly name = "ImageError";
}

/**
 * Makes an overlay: what is written goes into it, what is not is read from the base.
 * @param base as the session will see it, not as the host does
 */
export async function createOverlay(path: string, base: string, bytes: number): Promise<void> {
	await run(
		"qemu-img",
		["create", "-q", "-u", "-f", "qcow2", "-b", base, "-F", "qcow2", path, String(bytes)],
		quick,
	);
}

/** Makes an image larger; never smaller. */
export async function growImage(path: string, bytes: number): Promise<void> {
	await run("qemu-img", ["resize", "-q", "-f", "qcow2", path, String(bytes)], quick);
}

interface DataImageOptions {
	owner?: number;
	content?: string;
	blank?: boolean;
	signal?: AbortSignal;
}

/**
 * Makes a data disk: a qcow2 image with an ext4 labelled with the disk's name, or with nothing. It is there whole or not at all.
 * @param owner the user that it belongs to, and nobody else may read it
 * @param blank nothing is on it, not even a partition: for guests that make file systems of their own
 * @param content folder whose files it begins with; empty when left out
 * @throws ImageError when there is a file of that name; it is not touched
 */
export async function createDataImage(
	path: string,
	name: string,
	bytes: number,
	{ owner, content, blank, signal }: DataImageOptions = {},
): Promise<void> {
	if (await isThere(path)) throw alreadyThere(path);
	const draft = `${path}.draft`;
	const raw = `${path}.draft.raw`;
	try {
		for (const file of [draft, raw]) await rm(file, { force: true });
		if (blank) await createEmptyImage(draft, bytes);
		else {
			await run("truncate", ["-s", String(bytes), raw], quick);
			const filled = content === undefined ? [] : ["-d", content];
			const ext4 = [
				"-q",
				"-F",
				"-t",
				"ext4",
				"-m",
				"0",
				"-E",
				"lazy_itable_init=1,root_owner=0:0",
				"-L",
				name,
			];
			await run("mke2fs", [...ext4, ...filled, raw], quick);
			await convertImage(raw, "raw", draft, signal);
		}
		if (owner !== undefined) {
			await chown(draft, owner, owner);
			await chmod(draft, 0o600);
		}
		await putInPlace(draft, path);
	} finally {
		for (const file of [draft, raw]) await rm(file, { force: true });
	}
}

/** Unlike a rename, a link never replaces what is there. */
async function putInPlace(draft: string, path: string): Promise<void> {
	await sync(draft);
	try {
		await link(draft, path);
	} catch (error) {
		throw errorCode(error) === "EEXIST" ? alreadyThere(path) : error;
	}
	await sync(dirname(path));
}

async function sync(path: string): Promise<void> {
	await using file = await open(path, "r");
	await file.sync();
}

async function isThere(path: string): Promise<boolean> {
	return await lstat(path).then(
		() => true,
		(error) => {
			if (errorCode(error) === "ENOENT") return false;
			throw error;
		},
	);
}

function alreadyThere(path: string): ImageError {
	return new ImageError(
		`there is already a file ${path}, which is not touched; move it away, or give the disk another name`,
	);
}

/** Copies an image into a qcow2 of its own, without any tie to another file. */
export async function convertImage(
	from: string,
	format: "qcow2" | "raw",
	to: string,
	signal?: AbortSignal,
): Promise<void> {
	await run("prlimit", [...imageLimits, "qemu-img", "convert", "-q", "-f", format, "-O", "qcow2", from, to], {
		...long,
		...(signal ? { signal } : {}),
	});
}
