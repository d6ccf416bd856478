import { constants } from "node:fs";
import { type FileHandle, realpath, stat } from "node:fs/promises";
import { basename } from "node:path";
import { run } from "../../host/command.ts";
import { errorCode } from "../../host/files.ts";
import { listTar, TarError } from "../../host/tar.ts";
import { FileWindow, openUnknown } from "../../host/window.ts";
import { ImageError } from "../image.ts";

/** Where an image is: a file, or a stretch of an archive. */
export class ImageSource implements AsyncDisposable {
	/** As the user has named it. */
	readonly named: string;
	/** The file, without links. */
	readonly path: string;
	readonly window: FileWindow;
	/** Where it lies in an archive; undefined for a file of its own. */
	readonly stretch: { offset: number; size: number } | undefined;
	readonly isDevice: boolean;
	private readonly handle: FileHandle;
	private readonly marks = new Map<string, string>();

	private constructor(
		named: string,
		path: string,
		window: FileWindow,
		stretch: ImageSource["stretch"],
		isDevice: boolean,
		handle: FileHandle,
	) {
		this.named = named;
		this.path = path;
		this.window = window;
		this.stretch = stretch;
		this.isDevice = isDevice;
		this.handle = handle;
	}

	/**
	 * Opens `/path/of/a/file`, or `/path/of/an.ova#member`.
	 * @throws ImageError when there is no such file, or what is there is neither a file nor a block device
	 */
	static async open(named: string, signal?: AbortSignal): Promise<ImageSource> {
		const { path, member } = await placeOf(named);
		await using undo = new AsyncDisposableStack();
		const handle = undo.use(await openUnknown(path));
		const facts = await handle.stat();
		if (!facts.isFile() && !facts.isBlockDevice())
			throw new ImageError("is neither a file nor a block device, and no disk image");
		const size = facts.isFile() ? facts.size : await deviceBytes(path);
		const whole = new FileWindow(handle, 0, size);
		const stretch = member === undefined ? undefined : await stretchOf(whole, member, signal);
		const window = stretch ? new FileWindow(handle, stretch.offset, stretch.size) : whole;
		const source = new ImageSource(named, path, window, stretch, facts.isBlockDevice(), handle);
		await source.mark([path]);
		undo.move();
		return source;
	}

	/** Files that belong to it too have to stay as they are from here on. */
	async mark(paths: readonly string[]): Promise<void> {
		for (const path of paths) this.marks.set(path, await markOf(path));
	}

	/** @throws ImageError when one of its files has changed since */
	async refuseChanged(): Promise<void> {
		for (const [path, mark] of this.marks)
			if ((await markOf(path)) !== mark)
				throw new ImageError(
					`has changed meanwhile (${basename(path)}): something still writes to it; shut that down and try again`,
				);
	}

	async [Symbol.asyncDispose](): Promise<void> {
		await this.handle.close();
	}
}

/** Both the file's name and the member's may have a `#` of their own: the last before which there is a file parts them. */
async function placeOf(named: string): Promise<{ path: string; member?: string }> {
	const whole = await real(named);
	if (whole !== undefined) return { path: whole };
	for (let cut = named.lastIndexOf("#"); cut > 0; cut = named.lastIndexOf("#", cut - 1)) {
		const path = await real(named.slice(0, cut));
		if (path !== undefined && (await stat(path)).isFile()) return { path, member: named.slice(cut + 1) };
	}
	throw new ImageError("cannot be read as a disk image: there is no such file");
}

async function real(path: string): Promise<string | undefined> {
	try {
		return await realpath(path);
	} catch (error) {
		const code = errorCode(error) ?? "";
		if (["ENOENT", "ENOTDIR", "ENAMETOOLONG"].includes(code)) return undefined;
		if (code === "ELOOP") throw new ImageError("is a link that leads back to itself");
		throw error;
	}
}

async function stretchOf(archive: FileWindow, member: string, signal?: AbortSignal) {
	try {
		const members = await listTar(archive, signal);
		const found = members.find(({ name }) => name === member || name === `./${member}`);
		if (found) return { offset: found.offset, size: found.size };
		throw new ImageError(`there is no ${JSON.stringify(member.slice(0, 80))} in the archive`);
	} catch (error) {
		throw error instanceof TarError ? new ImageError(error.message) : error;
	}
}

async function deviceBytes(path: string): Promise<number> {
	const { stdout } = await run("blockdev", ["--getsize64", path], { deadlineMs: 10_000 });
	return Number(stdout);
}

async function markOf(path: string): Promise<string> {
	const { dev, ino, size, mtimeNs, mode } = await stat(path, { bigint: true });
	// Nobody writes the time of a device.
	return (Number(mode) & constants.S_IFMT) === constants.S_IFBLK
		? `${dev} ${ino}`
		: `${dev} ${ino} ${size} ${mtimeNs}`;
}
