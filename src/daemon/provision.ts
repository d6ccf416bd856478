import { chmod, chown, copyFile, mkdir, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { BulkheadError, explain } from "../api/errors.ts";
import type { ServerDefinition } from "../api/site.ts";
import { parseSize } from "../api/units.ts";
import { errorCode, listIfThere, syncFile, writeFileAtomic } from "../host/files.ts";
import { createEmptyImage } from "../qemu/empty-image.ts";
import { guests } from "../qemu/guests.ts";
import { createDataImage, growImage, ImageError } from "../qemu/image.ts";
import type { ServerPaths } from "../store/paths.ts";
import { filledOf, type Installed, type StoredServer } from "../store/servers.ts";
import { ensureBuilt } from "../templates/build.ts";
import { readTemplate } from "../templates/catalogue.ts";
import { makeAnswers } from "./answers.ts";
import type { Context } from "./context.ts";
import { type ImageDisk, openImageDisk, tooSmall } from "./image-disks.ts";
import { guestOf, qemuUid } from "./resolve.ts";
import { refuseWithoutRoom, sizeOnDisk } from "./room.ts";

export type OnStep = (text: string, fraction: number | null) => void;

export interface NewServer {
	name: string;
	site: string;
	subnet: string | null;
	subnet6: string | null;
	lan: StoredServer["lan"];
	definition: ServerDefinition;
	index: number;
	uid: number;
	uuid: string;
}

/**
 * Makes a server: its images, its disks, its definition, which is written last. When any step fails, all that was
 * made before is undone. It is marked as not started yet, which is for the caller to take away.
 * @throws BulkheadError disk-full, template-failed, bad-input
 */
export async function createServer(
	wanted: NewServer,
	context: Context,
	onStep: OnStep,
	signal?: AbortSignal,
): Promise<StoredServer> {
	const paths = context.paths.server(wanted.name);
	await using undo = new AsyncDisposableStack();
	try {
		await makeFolder(wanted.name, paths.folder);
		undo.defer(async () => await rm(paths.folder, { recursive: true, force: true }));
		await writeFileAtomic(
			paths.unfinished,
			"This server is being made; if no daemon works on it, it may go.\n",
		);
		await using source = await sourceOf(wanted, context, onStep, signal);
		await using images = await dataImagesOf(wanted, context, onStep, signal);
		const { site, subnet, subnet6, lan, definition, name, index, uid, uuid } = wanted;
		const stored: StoredServer = {
			name,
			site,
			subnet,
			subnet6,
			lan,
			definition,
			installed: { ...source.installed, index, uid, uuid },
			filled: filledOf(definition.data ?? []),
			domain: null,
			ejected: [],
		};
		await mkdir(paths.disks, { mode: 0o750 });
		await mkdir(paths.boot, { mode: 0o755 });
		await refuseWithoutRoom(paths.folder, source.bytes + images.bytes);
		await source.install(paths.disk("system"), paths.boot);
		await own(paths.disk("system"), stored);
		await syncAll([paths.disk("system"), ...(await bootFiles(paths.boot))]);
		if (definition.install?.answers) await makeAnswers(stored, context, signal);
		for (const disk of definition.data ?? []) {
			onStep(`making data disk ${disk.name}`, 0.85);
			const from = images.of.get(disk.name);
			const onCopied = (fraction: number) => onStep(`copying data disk ${disk.name}`, 0.85 + fraction * 0.1);
			await createDisk(stored, disk, context, {
				...(signal ? { signal } : {}),
				...(from ? { from } : {}),
				onCopied,
			});
		}
		await syncAll([paths.disks, paths.boot, paths.folder]);
		// A mark of its own: what is marked as unfinished is removed when its definition is lost, with its disks.
		await markUnstarted(paths);
		await context.servers.save(stored);
		await rm(paths.unfinished);
		undo.move();
		return stored;
	} catch (error) {
		throw inputOr(diskFullOr(error, paths.folder));
	}
}

/** The next daemon starts it, should this one be killed before. */
export async function markUnstarted({ unstarted }: ServerPaths): Promise<void> {
	await writeFileAtomic(unstarted, "This server was made, and not started yet.\n");
}

/** What is told as made is there after a power cut. @param paths of files and folders */
async function syncAll(paths: readonly string[]): Promise<void> {
	for (const path of paths) await syncFile(path);
}

async function bootFiles(folder: string): Promise<string[]> {
	return (await listIfThere(folder)).map((name) => join(folder, name));
}

/** An image that could not be copied after all is the user's to mend. */
function inputOr(error: unknown): unknown {
	return error instanceof ImageError
		? new BulkheadError("bad-input", error.message, { cause: error })
		: error;
}

/** What is there already may be a person's only copy of a disk: it is never written to, and never undone. */
async function makeFolder(name: string, folder: string): Promise<void> {
	try {
		await mkdir(dirname(folder), { recursive: true, mode: 0o755 });
		await mkdir(folder, { mode: 0o750 });
	} catch (error) {
		if (errorCode(error) !== "EEXIST") throw error;
		throw new BulkheadError(
			"bad-input",
			`there are already files of a server ${name} in ${folder}; move them away, or give the new server another name; nothing of them was touched`,
		);
	}
}

interface DiskOptions {
	signal?: AbortSignal;
	/** The disk's image, when it is open already. */
	from?: ImageDisk;
	onCopied?: (fraction: number) => void;
}

/**
 * Makes one data disk of a server, empty or from its image. An existing one is never touched.
 * @throws BulkheadError disk-full, bad-input when there is a file of its name, or its image cannot be used
 */
export async function createDisk(
	server: StoredServer,
	{ name, size, image }: DataDisk,
	context: Context,
	{ signal, from, onCopied = () => {} }: DiskOptions = {},
): Promise<void> {
	const { disks, disk } = context.paths.server(server.name);
	// What Windows does not know it would offer to format; Linux guests find their disks by the label.
	const blank = guests[guestOf(server)].family !== "linux";
	const options = { owner: qemuUid(server), blank, ...(signal ? { signal } : {}) };
	const bytes = parseSize(size) ?? 0;
	try {
		if (image === undefined) {
			await createDataImage(disk(name), name, bytes, options);
			return await syncAll([disk(name), disks]);
		}
		await using opened = from ? undefined : await openImageDisk(image, context, signal);
		const source = from ?? opened;
		if (!source) throw new RangeError(`disk ${name} has no image`);
		if (!from) await refuseWithoutRoom(disks, source.copyBytes);
		await source.copyTo(disk(name), bytes, onCopied);
		await own(disk(name), server);
		await syncAll([disk(name), disks]);
	} catch (error) {
		throw inputOr(diskFullOr(error, disks));
	}
}

type DataDisk = NonNullable<ServerDefinition["data"]>[number];

/** The images that data disks are made from, by the disk's name; all are looked at before any is copied. */
async function dataImagesOf(
	wanted: NewServer,
	context: Context,
	onStep: OnStep,
	signal?: AbortSignal,
): Promise<{ of: ReadonlyMap<string, ImageDisk>; bytes: number } & AsyncDisposable> {
	await using undo = new AsyncDisposableStack();
	const of = new Map<string, ImageDisk>();
	for (const [i, { name, size, image }] of (wanted.definition.data ?? []).entries()) {
		if (image === undefined) continue;
		onStep(`examining the image of data disk ${name}`, 0.1);
		const found = undo.use(await openFor(wanted, `data[${i}].image`, image, context, signal));
		const problem = tooSmall(size, found.virtualBytes);
		if (problem !== undefined) throw fieldError(wanted, `data[${i}].size`, problem);
		of.set(name, found);
	}
	const opened = undo.move();
	const bytes = [...of.values()].reduce((sum, { copyBytes }) => sum + copyBytes, 0);
	return { of, bytes, [Symbol.asyncDispose]: async () => await opened.disposeAsync() };
}

async function openFor(
	wanted: NewServer,
	field: string,
	image: string,
	context: Context,
	signal?: AbortSignal,
): Promise<ImageDisk> {
	return await openImageDisk(image, context, signal).catch((error) => {
		throw error instanceof ImageError ? fieldError(wanted, field, error.message) : error;
	});
}

interface Source extends AsyncDisposable {
	installed: Omit<Installed, "index" | "uid" | "uuid">;
	/** Bytes that installing it writes at once. */
	bytes: number;
	install(systemDisk: string, bootFolder: string): Promise<void>;
}

async function sourceOf(
	wanted: NewServer,
	context: Context,
	onStep: OnStep,
	signal?: AbortSignal,
): Promise<Source> {
	const { template, image } = wanted.definition;
	if (template !== undefined) return await templateSource(wanted, template, context, onStep, signal);
	return image === undefined
		? installSource(wanted)
		: await imageSource(wanted, image, context, onStep, signal);
}

async function templateSource(
	wanted: NewServer,
	name: string,
	context: Context,
	onStep: OnStep,
	signal?: AbortSignal,
): Promise<Source> {
	const template = await readTemplate(name);
	const scaled: OnStep = (text, fraction) =>
		onStep(`template ${name}: ${text}`, fraction === null ? null : fraction * 0.7);
	const built = await ensureBuilt(template, {
		cache: context.paths.cache,
		onStep: scaled,
		...(signal ? { signal } : {}),
	});
	const systemBytes = parseSize(wanted.definition.system?.size ?? template.systemDisk.size) ?? 0;
	const least = parseSize(template.systemDisk.size) ?? 0;
	if (systemBytes < least) {
		throw fieldError(
			wanted,
			"system.size",
			`is less than template ${name} needs; give it at least ${template.systemDisk.size}`,
		);
	}
	const disk = join(built.folder, "system.qcow2");
	return {
		[Symbol.asyncDispose]: async () => {},
		bytes: await sizeOnDisk([disk, join(built.folder, "kernel"), join(built.folder, "initrd")]),
		installed: {
			source: `template ${name} ${built.hash}`,
			boot: { kind: "kernel", append: template.boot.append },
			guest: "linux",
			agent: template.agent,
			domainDisk: template.domainDisk,
			memoryBytes: parseSize(template.memory) ?? 0,
			cpus: template.cpus,
			systemDisk: wanted.definition.system?.disk ?? template.systemDisk.use,
			systemBytes,
			services: Object.fromEntries(
				template.services.map(({ name, port, protocol, health, rehearse = [] }) => [
					name,
					{ port, protocol, healthPath: health?.path ?? null, rehearse },
				]),
			),
		},
		install: async (systemDisk, bootFolder) => {
			onStep("copying the system disk", 0.7);
			await copyFile(disk, systemDisk);
			await growImage(systemDisk, systemBytes);
			for (const file of ["kernel", "initrd"]) {
				await copyFile(join(built.folder, file), join(bootFolder, file));
				await chmod(join(bootFolder, file), 0o644);
			}
		},
	};
}

async function imageSource(
	wanted: NewServer,
	image: string,
	context: Context,
	onStep: OnStep,
	signal?: AbortSignal,
): Promise<Source> {
	onStep("examining its image", 0);
	await using undo = new AsyncDisposableStack();
	const disk = undo.use(await openFor(wanted, "image", image, context, signal));
	const { size } = wanted.definition.system ?? {};
	const problem = tooSmall(size, disk.virtualBytes);
	if (problem !== undefined) throw fieldError(wanted, "system.size", problem);
	const systemBytes = parseSize(size ?? "") ?? disk.virtualBytes;
	const opened = undo.move();
	return {
		[Symbol.asyncDispose]: async () => await opened.disposeAsync(),
		bytes: disk.copyBytes,
		installed: {
			source: `image ${image}`,
			...ownBoot(wanted),
			// What users put on C: or / stays, unless a person says otherwise.
			systemDisk: wanted.definition.system?.disk ?? "kept",
			systemBytes,
		},
		install: async (systemDisk) =>
			await disk.copyTo(systemDisk, systemBytes, (fraction) =>
				onStep("copying the system disk", 0.1 + fraction * 0.75),
			),
	};
}

/** An empty disk, and an ISO image that puts a system on it or runs by itself. */
function installSource(wanted: NewServer): Source {
	const { install, system } = wanted.definition;
	const systemBytes = parseSize(system?.size ?? "") ?? 0;
	return {
		[Symbol.asyncDispose]: async () => {},
		bytes: 0,
		installed: { source: `install ${install?.iso}`, ...ownBoot(wanted), systemDisk: "kept", systemBytes },
		install: async (systemDisk) => await createEmptyImage(systemDisk, systemBytes),
	};
}

/** What there is to know of a system that boots by its own boot loader: what its guest is. */
function ownBoot({ definition }: NewServer) {
	const guest = definition.guest ?? "other";
	const { memory, cpus } = guests[guest];
	return {
		boot: { kind: "disk" },
		agent: false,
		domainDisk: null,
		guest,
		memoryBytes: parseSize(memory) ?? 2 ** 30,
		cpus,
		services: {},
	} as const;
}

function fieldError(wanted: NewServer, field: string, message: string): BulkheadError {
	const problem = { field: `servers.${wanted.name}.${field}`, message };
	return new BulkheadError("bad-input", `servers.${wanted.name}.${field}: ${message}`, {
		problems: [problem],
	});
}

async function own(path: string, server: StoredServer): Promise<void> {
	await chown(path, qemuUid(server), qemuUid(server));
	await chmod(path, 0o600);
}

/** @returns the error itself, or one that says that a disk is full and what to do */
export function diskFullOr(error: unknown, folder: string): unknown {
	if (error instanceof BulkheadError) return error;
	const words = explain(error);
	if (errorCode(error) !== "ENOSPC" && !words.includes("No space left on device")) return error;
	return new BulkheadError(
		"disk-full",
		`the disk of ${folder} is full; nothing was made; make room there and try again`,
		{ cause: error },
	);
}
