import { lstat, realpath } from "node:fs/promises";
import { BulkheadError } from "../../api/errors.ts";
import type { ExamineBody, ImportedDisk, ImportView } from "../../api/import.ts";
import { errorCode } from "../../host/files.ts";
import { isTar, TarError } from "../../host/tar.ts";
import { ImageError } from "../../qemu/image.ts";
import { openImage } from "../../qemu/images/examine.ts";
import { formatWords } from "../../qemu/images/formats.ts";
import { ImageSource } from "../../qemu/images/source.ts";
import {
	type Described,
	type DescribedCard,
	type DescribedDisk,
	DescriptionError,
	longestDescription,
	shown,
} from "../../templates/import/described.ts";
import type { Context } from "../context.ts";
import { examinationOf } from "../image-disks.ts";
import type { Holder } from "../mac-checks.ts";
import { bareDisk } from "./bare.ts";
import { fileNameOf, Package } from "./package.ts";
import { readDescription } from "./read.ts";

/**
 * Looks at what somebody wants to move here: a disk image, or the description of a machine and its disks. Nothing is
 * written, and nothing is told of a file but names, sizes and what its format says of itself.
 * @param there the cards of the site's servers
 * @throws BulkheadError bad-input; the signal's reason
 */
export async function examineImport(
	wanted: ExamineBody,
	there: readonly Holder[],
	context: Context,
	signal: AbortSignal,
): Promise<ImportView> {
	try {
		const { cards, ...found } = await examine(wanted, context, signal);
		return { ...found, cards: cards.map((card) => ({ ...card, takenBy: holdersOf(card, there) })) };
	} catch (error) {
		// What fails because it was broken off says nothing of the source.
		signal.throwIfAborted();
		if (error instanceof DescriptionError || error instanceof TarError)
			throw new BulkheadError("bad-input", `${wanted.source} ${error.message}`, { cause: error });
		if (error instanceof ImageError) throw new BulkheadError("bad-input", error.message, { cause: error });
		throw error;
	}
}

function holdersOf({ mac }: DescribedCard, there: readonly Holder[]) {
	return there.filter((one) => one.mac === mac).map(({ server, segment }) => ({ server, segment }));
}

type Examined = Omit<ImportView, "cards"> & Pick<Described, "cards">;

async function examine(wanted: ExamineBody, context: Context, signal: AbortSignal): Promise<Examined> {
	const { source } = wanted;
	await using file = await named(source, async () => await ImageSource.open(source, signal));
	const head = await file.window.read(0, 4096);
	if (!file.stretch && isTar(head)) {
		const ova = await Package.ofArchive(source, file, signal);
		return await view("ova", await ova.described(signal), wanted, ova, context, signal);
	}
	const text =
		file.isDevice || file.window.size > longestDescription
			? undefined
			: textOf(await file.window.read(0, longestDescription));
	const found = text === undefined ? undefined : readDescription(text, source);
	if (!found) return await bareDisk(source, context, signal);
	const folder = await Package.ofFolder(source, file, found.kind === "ovf", signal);
	return await view(found.kind, found.described, wanted, folder, context, signal);
}

async function named<T>(source: string, work: () => Promise<T>): Promise<T> {
	try {
		return await work();
	} catch (error) {
		throw error instanceof ImageError
			? new ImageError(`${source} ${error.message}`, { cause: error })
			: error;
	}
}

/** @returns undefined for what is no text */
function textOf(bytes: Buffer): string | undefined {
	if (bytes.includes(0)) return undefined;
	try {
		return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
	} catch {
		// Older descriptions of VMware's are in the code page of their host; what matters in them is ASCII.
		return bytes.subarray(0, 1024).every((byte) => byte >= 9) ? bytes.toString("latin1") : undefined;
	}
}

async function view(
	kind: ImportView["kind"],
	described: Described,
	wanted: ExamineBody,
	from: Package,
	context: Context,
	signal: AbortSignal,
): Promise<Examined> {
	const said = placesSaid(described.disks, wanted);
	const taken = new Map<string, DescribedDisk>();
	const disks: ImportedDisk[] = [];
	for (const disk of described.disks) {
		const image = said.get(disk) ?? (await imageOf(disk, from));
		disks.push(await diskView(disk, image, taken, context, signal));
	}
	await from.checkDigests(
		described.disks.map(({ file }) => file),
		signal,
	);
	return { source: wanted.source, kind, ...described, disks };
}

/** Where the user says that disks are. @throws DescriptionError for a name that no disk has, or several have */
function placesSaid(
	disks: readonly DescribedDisk[],
	wanted: ExamineBody,
): ReadonlyMap<DescribedDisk, string> {
	const places = new Map<DescribedDisk, string>();
	for (const [name, path] of Object.entries(wanted.disks)) {
		const disk = diskCalled(name, disks);
		if (places.has(disk))
			throw new DescriptionError(
				`has one disk ${inWords(disk)}, and --disk says twice where it is; say it once`,
			);
		places.set(disk, path);
	}
	return places;
}

/** By the description's name of it, else by that of its file: several may have the same in different places. */
function diskCalled(name: string, disks: readonly DescribedDisk[]): DescribedDisk {
	const called = disks.filter((disk) => disk.called === name);
	const named = called.length > 0 ? called : disks.filter(({ file }) => fileNameOf(file) === name);
	const [disk, ...more] = named;
	if (!disk)
		throw new DescriptionError(
			`has no disk ${shown(name)}; its disks are ${disks.map(({ called }) => called).join(", ")}`,
		);
	if (more.length > 0)
		throw new DescriptionError(
			`has ${named.length} disks ${shown(name)}: ${named.map(inWords).join(", ")}; say where each is: ${sayEach(named)}`,
		);
	return disk;
}

const inWords = ({ called, file }: DescribedDisk) => `${called} (${shown(file)})`;

/** What to write on the command line, for each of some disks. */
function sayEach(disks: readonly DescribedDisk[]): string {
	const words = disks.map(({ called }, i) => `${called}=/path/of/disk${disks.length > 1 ? i + 1 : ""}`);
	return words.map((word) => `--disk ${/[^\w:=/.-]/.test(word) ? `'${word}'` : word}`).join(" ");
}

/** Where a disk is of which the user says nothing: in the package, else where its house keeps disks. */
async function imageOf(disk: DescribedDisk, from: Package): Promise<string> {
	const beside = await from.find(disk.file);
	if (beside !== undefined) return beside;
	for (const place of disk.places) if (await isThere(place)) return place;
	throw new DescriptionError(
		`has a disk ${inWords(disk)} that is not beside it; say where it is: ${sayEach([disk])}`,
	);
}

async function isThere(path: string): Promise<boolean> {
	try {
		return (await lstat(await realpath(path))).isFile() || path.startsWith("/dev/");
	} catch (error) {
		if (["ENOENT", "ENOTDIR", "ENAMETOOLONG"].includes(errorCode(error) ?? "")) return false;
		throw error;
	}
}

/**
 * @param taken the disks before it, by where they are
 * @throws DescriptionError for one that is there already: the other's contents would be missing
 */
async function diskView(
	disk: DescribedDisk,
	image: string,
	taken: Map<string, DescribedDisk>,
	context: Context,
	signal: AbortSignal,
): Promise<ImportedDisk> {
	await using found = await openImage(image, examinationOf(context, signal));
	const { path, stretch } = found.source;
	const place = `${path}#${stretch?.offset ?? ""}`;
	const other = taken.get(place);
	if (other)
		throw new DescriptionError(
			`has two disks that are one file here (${shown(image)}): ${inWords(other)} and ${inWords(disk)}; copy each here under a name of its own, and say where it is: ${sayEach([other, disk])}`,
		);
	taken.set(place, disk);
	const { called, bus, system } = disk;
	return { called, image, format: formatWords[found.format], virtualBytes: found.virtualBytes, bus, system };
}
