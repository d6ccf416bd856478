import { lstat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { digestOf } from "../../host/digest.ts";
import { errorCode } from "../../host/files.ts";
import { listTar, TarError, type TarMember } from "../../host/tar.ts";
import { FileWindow, openUnknown } from "../../host/window.ts";
import type { ImageSource } from "../../qemu/images/source.ts";
import {
	type Described,
	DescriptionError,
	longestDescription,
	shown,
} from "../../templates/import/described.ts";
import { type Expected, plainName, readManifest } from "../../templates/import/manifest.ts";
import { readOvf } from "../../templates/import/ovf.ts";
import { readXml } from "../../templates/import/xml.ts";

const digestMs = 3_600_000;
const longestManifest = 1_000_000;

/** A description with its disks beside it: an archive, or a folder. Nothing outside of it is ever found in it. */
export class Package {
	private readonly source: string;
	private readonly file: ImageSource;
	/** Of an archive, by their names without a leading `./`; undefined for a folder. */
	private readonly members: ReadonlyMap<string, TarMember> | undefined;
	private readonly expected: readonly Expected[];

	private constructor(
		source: string,
		file: ImageSource,
		members: ReadonlyMap<string, TarMember> | undefined,
		expected: readonly Expected[],
	) {
		this.source = source;
		this.file = file;
		this.members = members;
		this.expected = expected;
	}

	/** @throws DescriptionError, TarError */
	static async ofArchive(source: string, file: ImageSource, signal: AbortSignal): Promise<Package> {
		const members = await listTar(file.window, signal);
		const named = new Map(members.map((member) => [plainName(member.name), member]));
		if (named.size < members.length) throw new TarError("the archive holds a file twice");
		const manifests = members.filter(({ name }) => /\.mf$/i.test(name));
		const [manifest] = manifests;
		if (manifests.length > 1)
			throw new DescriptionError(`holds ${manifests.length} manifests (.mf); export it again`);
		const text = manifest ? await textIn(file.window, manifest) : "";
		return new Package(source, file, named, readManifest(text));
	}

	/** @param hasManifest whether such a description has one beside it */
	static async ofFolder(
		source: string,
		file: ImageSource,
		hasManifest: boolean,
		signal: AbortSignal,
	): Promise<Package> {
		signal.throwIfAborted();
		const text = hasManifest ? await manifestBeside(file.path) : "";
		return new Package(source, file, undefined, readManifest(text));
	}

	/** Reads the description in an archive. @throws DescriptionError */
	async described(signal: AbortSignal): Promise<Described> {
		const found = [...(this.members?.values() ?? [])].filter(({ name }) => /\.ovf$/i.test(name));
		const [member] = found;
		if (!member || found.length > 1)
			throw new DescriptionError(
				`is an archive with ${found.length} descriptions (.ovf); an OVA has one; name the disk in it, as in ${basename(this.source)}#disk.vmdk`,
			);
		await this.checkDigests([member.name], signal);
		return readOvf(readXml(await textIn(this.file.window, member)));
	}

	/** @returns the image of that name, for `image:`; undefined when it is not here */
	async find(file: string): Promise<string | undefined> {
		const name = fileNameOf(file);
		if (this.members) {
			const member = this.members.get(plainName(file));
			return member && `${this.source}#${member.name}`;
		}
		if (name === "" || name === "." || name === "..") return undefined;
		// What is written is a path in another house; here it can only be the file of that name beside the description.
		const path = join(dirname(this.file.path), name);
		const found = await lstat(path).catch((error) => {
			if (["ENOENT", "ENAMETOOLONG"].includes(errorCode(error) ?? "")) return undefined;
			throw error;
		});
		if (found && !found.isFile())
			throw new DescriptionError(
				`names ${shown(name)}, which is no plain file beside it; copy the disk itself there, or say where it is by --disk`,
			);
		return found && path;
	}

	/** Compares files with the manifest, where there is one. @throws DescriptionError when one has changed since the export */
	async checkDigests(files: readonly string[], signal: AbortSignal): Promise<void> {
		const names = files.map(plainName);
		for (const { file, algorithm, digest } of this.expected.filter(({ file }) => names.includes(file))) {
			const place = await this.placeOf(file);
			if (!place) continue;
			const found = await digestOf(place.path, algorithm, place, { deadlineMs: digestMs, signal });
			if (found !== digest)
				throw new DescriptionError(
					`holds ${shown(file)}, which is not what its manifest (.mf) says: it was changed or damaged on its way; export or copy it again`,
				);
		}
	}

	private async placeOf(file: string): Promise<{ path: string; offset: number; size: number } | undefined> {
		const member = this.members?.get(file);
		if (this.members) return member && { path: this.file.path, ...member };
		const path = await this.find(file);
		return path === undefined ? undefined : { path, offset: 0, size: (await lstat(path)).size };
	}
}

/** The last part of a path as any house writes it. */
export const fileNameOf = (file: string) => file.split(/[/\\]/).at(-1) ?? "";

async function textIn(archive: FileWindow, { name, offset, size }: TarMember): Promise<string> {
	if (size > longestDescription)
		throw new DescriptionError(`holds ${shown(name)}, which is too long for what it is`);
	return (await archive.read(offset, size)).toString("utf8");
}

/** `erp.mf` beside `erp.ovf`; no link is followed. */
async function manifestBeside(path: string): Promise<string> {
	try {
		await using handle = await openUnknown(path.replace(/\.[^./]*$/, ".mf"));
		const facts = await handle.stat();
		if (!facts.isFile()) return "";
		if (facts.size > longestManifest) throw new DescriptionError("has a manifest that is too long");
		return (await new FileWindow(handle, 0, facts.size).read(0, facts.size)).toString("utf8");
	} catch (error) {
		if (errorCode(error) === "ENOENT") return "";
		throw errorCode(error) === "ELOOP"
			? new DescriptionError("has a manifest that is a link; copy the manifest itself")
			: error;
	}
}
