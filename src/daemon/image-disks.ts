import { existsSync } from "node:fs";
import { dirname } from "node:path";
import type { ServerDefinition, Site } from "../api/site.ts";
import { formatDuration, formatSize, parseSize } from "../api/units.ts";
import { DeadlineError, withDeadline } from "../host/clock.ts";
import { ImageError } from "../qemu/image.ts";
import { copyImage } from "../qemu/images/copy.ts";
import { checkWhole, type Examination, type Image, measure, openImage } from "../qemu/images/examine.ts";
import type { StoredServer } from "../store/servers.ts";
import type { Context } from "./context.ts";
import { imagesUid } from "./resolve.ts";
import type { SiteProblem } from "./site-file.ts";

export function examinationOf({ paths }: Context, signal?: AbortSignal): Examination {
	const target = existsSync(paths.servers) ? paths.servers : dirname(paths.servers);
	return { uid: imagesUid(paths.state), target, ...(signal ? { signal } : {}) };
}

const lookWithinMs = 60_000;

/** An image from outside that was looked at as a whole, and is copied from. */
export interface ImageDisk extends AsyncDisposable {
	virtualBytes: number;
	/** The most that a copy takes, in bytes. */
	copyBytes: number;
	/**
	 * Makes a qcow2 of it that has no tie to any other file; it is there whole or not at all.
	 * @param bytes size of the new disk
	 * @throws ImageError
	 */
	copyTo(path: string, bytes: number, onProgress: (fraction: number) => void): Promise<void>;
}

/** Looks at an image as a whole; a large one takes its time. @throws ImageError in words for the user */
export async function openImageDisk(
	named: string,
	context: Context,
	signal?: AbortSignal,
): Promise<ImageDisk> {
	const examination = examinationOf(context, signal);
	await using undo = new AsyncDisposableStack();
	const image = undo.use(await openImage(named, examination));
	await checkWhole(image, examination);
	const copyBytes = await measure(image, "qcow2", examination);
	undo.move();
	return {
		virtualBytes: image.virtualBytes,
		copyBytes,
		copyTo: async (path, bytes, onProgress) =>
			await copyImage(image, path, {
				...examination,
				format: "qcow2",
				mostBytes: copyBytes,
				growTo: bytes,
				onProgress,
			}),
		[Symbol.asyncDispose]: async () => await image[Symbol.asyncDispose](),
	};
}

/**
 * What is wrong with the images that new disks of a site are to be copied from, as far as is seen at once.
 * @param withinMs milliseconds that a look at one of them may take
 * @throws the signal's reason
 */
export async function imageProblems(
	site: Site,
	stored: readonly StoredServer[],
	context: Context,
	signal: AbortSignal,
	withinMs: number = lookWithinMs,
): Promise<SiteProblem[]> {
	const problems: SiteProblem[] = [];
	for (const [name, definition] of Object.entries(site.servers ?? {})) {
		const old = stored.find((server) => server.name === name);
		for (const { image, size, path } of imagesOf(definition, old)) {
			const at = ["servers", name, ...path];
			problems.push(
				...(await problemsOf(
					{ image, size, path: at },
					async () => await openInTime(image, context, withinMs, signal),
				)),
			);
		}
	}
	return problems;
}

interface NamedImage {
	image: string;
	/** As the site file says it. */
	size: string | undefined;
	path: SiteProblem["path"];
}

/** Those that are still to be copied. */
function imagesOf(
	{ image, system, data = [] }: ServerDefinition,
	old: StoredServer | undefined,
): NamedImage[] {
	const there = old?.definition.data?.map(({ name }) => name) ?? [];
	const first = old || image === undefined ? [] : [{ image, size: system?.size, path: [] }];
	const others = data.flatMap((disk, i) =>
		disk.image === undefined || there.includes(disk.name)
			? []
			: [{ image: disk.image, size: disk.size, path: ["data", i] }],
	);
	return [...first, ...others];
}

async function problemsOf(
	{ image, size, path }: NamedImage,
	open: () => Promise<Image & AsyncDisposable>,
): Promise<SiteProblem[]> {
	try {
		await using found = await open();
		const message = tooSmall(size, found.virtualBytes);
		const isData = path.includes("data");
		return message === undefined ? [] : [{ path: [...path, ...(isData ? [] : ["system"]), "size"], message }];
	} catch (error) {
		if (error instanceof DeadlineError) {
			const within = formatDuration(error.afterMs);
			const message = `${image} cannot be looked at within ${within}; is the disk or the network there that it is on?`;
			return [{ path: [...path, "image"], message }];
		}
		if (!(error instanceof ImageError)) throw error;
		return [{ path: [...path, "image"], message: error.message }];
	}
}

/** A disk or a share that has gone may answer never: whoever asked does not wait for that, and what comes late is closed again. */
async function openInTime(image: string, context: Context, withinMs: number, outer: AbortSignal) {
	let opening: ReturnType<typeof openImage> | undefined;
	try {
		return await withDeadline(
			`looking at ${image}`,
			withinMs,
			async (signal) => {
				opening = openImage(image, examinationOf(context, signal));
				return await opening;
			},
			outer,
		);
	} catch (error) {
		const close = async (late: AsyncDisposable) => {
			try {
				await late[Symbol.asyncDispose]();
			} catch (err) {
				context.log.warn({ err, image }, "an image that was looked at for too long stays open");
			}
		};
		opening?.then(close, () => {});
		throw error;
	}
}

/** @returns what is wrong with a disk's size, when its image is larger */
export function tooSmall(size: string | undefined, virtualBytes: number): string | undefined {
	if (size === undefined || (parseSize(size) ?? 0) >= virtualBytes) return undefined;
	return `is less than the image's ${formatSize(virtualBytes)} (${virtualBytes} bytes); a disk is never made smaller`;
}
