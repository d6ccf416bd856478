import { existsSync } from "node:fs";
import { link, lstat, rm } from "node:fs/promises";
import { dirname, extname } from "node:path";
import { BulkheadError } from "../../api/errors.ts";
import type { ExportBody, ExportFormat } from "../../api/export.ts";
import { errorCode, syncFolder } from "../../host/files.ts";
import { ImageError } from "../../qemu/image.ts";
import { copyImage } from "../../qemu/images/copy.ts";
import { measure, openImage } from "../../qemu/images/examine.ts";
import type { Context } from "../context.ts";
import { examinationOf } from "../image-disks.ts";
import { diskFullOr } from "../provision.ts";
import { hardwareOf } from "../resolve.ts";
import { refuseWithoutRoom } from "../room.ts";
import { isInUse, type Report } from "../server-changes.ts";
import type { ServerUnit } from "../server-unit.ts";
import type { ExportedFile } from "./file.ts";
import { packOva } from "./ova.ts";

/** QEMU's names, and what is said to it beside them. Sizes are to be what they are, to the byte. */
const drivers: Readonly<Record<ExportFormat, { driver: string; options?: string }>> = {
	qcow2: { driver: "qcow2" },
	raw: { driver: "raw" },
	vmdk: { driver: "vmdk", options: "subformat=monolithicSparse" },
	vhdx: { driver: "vhdx", options: "subformat=dynamic" },
	vhd: { driver: "vpc", options: "subformat=dynamic,force_size=on" },
	ova: { driver: "vmdk", options: "subformat=streamOptimized" },
};
const largestVhd = 2040 * 2 ** 30;

/**
 * Copies the disks of a stopped server to files on this host. Files that are there are never touched, and when anything
 * fails, nothing is left.
 * @throws BulkheadError
 */
export async function exportServer(
	unit: ServerUnit,
	wanted: ExportBody,
	context: Context,
	report: Report,
	signal: AbortSignal,
): Promise<void> {
	const { name } = unit.stored;
	if (existsSync(context.paths.server(name).unstarted))
		throw new BulkheadError("not-allowed-now", `${name} is just being made; export it when that is done`);
	if (isInUse(unit))
		throw new BulkheadError(
			"not-allowed-now",
			`${name} is ${unit.record.state}: its disks change; stop it first: bulkhead stop ${name}`,
		);
	if (unit.record.changing)
		throw new BulkheadError(
			"not-allowed-now",
			`the system disk of ${name} is being changed, and would be exported without that; first: bulkhead maintenance commit ${name}, or abandon`,
		);
	try {
		await copyAll(unit, wanted, context, report, signal);
	} catch (error) {
		signal.throwIfAborted();
		if (error instanceof ImageError) throw new BulkheadError("bad-input", error.message, { cause: error });
		throw diskFullOr(error, dirname(wanted.to));
	}
}

async function copyAll(
	unit: ServerUnit,
	wanted: ExportBody,
	context: Context,
	report: Report,
	signal: AbortSignal,
): Promise<void> {
	const { stored } = unit;
	const subject = `server ${stored.name}`;
	const files = filesOf(unit, wanted, context);
	const made = wanted.format === "ova" ? [wanted.to] : files.map(({ to }) => to);
	await refuseThere([...made, ...new Set([...made, ...files.map(({ to }) => to)].map(draftOf))]);
	await using undo = new AsyncDisposableStack();
	await refuseSmall(files, wanted, context, signal);
	// An OVA is put together from its disks, which are there a second time until it is whole.
	const share = wanted.format === "ova" ? 0.7 : 1;
	for (const [i, file] of files.entries()) {
		const onProgress = (fraction: number) =>
			report({
				type: "step",
				subject,
				text: `copying disk ${file.name}`,
				fraction: ((i + fraction) / files.length) * share,
			});
		onProgress(0);
		await copyDisk(file, wanted.format, context, onProgress, signal);
		// Not before: until then a file of that name is somebody else's, and what was begun is removed by who began it.
		undo.defer(async () => await rm(draftOf(file.to), { force: true }));
	}
	if (wanted.format === "ova") {
		const drafts = files.map((file) => ({ ...file, to: draftOf(file.to) }));
		await packOva(
			stored,
			drafts,
			draftOf(wanted.to),
			(text, fraction) => report({ type: "step", subject, text, fraction: share + fraction * (1 - share) }),
			signal,
		);
		undo.defer(async () => await rm(draftOf(wanted.to), { force: true }));
	}
	await putInPlace(made);
	report({ type: "done", subject });
	report({ type: "finished", text: textOf(unit, made) });
}

const draftOf = (path: string) => `${path}.part`;

function filesOf({ stored }: ServerUnit, { to, format }: ExportBody, { paths }: Context): ExportedFile[] {
	const { disks } = hardwareOf(stored, {
		session: 0,
		accelerator: "tcg",
		memory: { kind: "own" },
		generation: stored.installed.uuid,
	});
	const [stem, end] = [to.slice(0, to.length - extname(to).length), extname(to)];
	return disks.map(({ name, bus }) => ({
		name,
		from: paths.server(stored.name).disk(name),
		to: format === "ova" ? `${to}.${name}.vmdk` : name === "system" ? to : `${stem}-${name}${end}`,
		bus,
		virtualBytes: 0,
	}));
}

async function refuseThere(files: readonly string[]): Promise<void> {
	for (const path of files) {
		const found = await lstat(path).catch((error) => {
			if (errorCode(error) === "ENOENT") return undefined;
			throw new BulkheadError("bad-input", `${path} cannot be written: ${String(errorCode(error))}`, {
				cause: error,
			});
		});
		if (found)
			throw new BulkheadError(
				"bad-input",
				`there is already a file ${path}, which is not touched; name another, or move it away`,
			);
	}
	const folder = await lstat(dirname(files[0] ?? "/")).catch(() => undefined);
	if (!folder)
		throw new BulkheadError("bad-input", `there is no folder ${dirname(files[0] ?? "/")}; make it first`);
}

/** Looks at all disks before the first is copied. */
async function refuseSmall(
	files: ExportedFile[],
	{ to, format }: ExportBody,
	context: Context,
	signal: AbortSignal,
): Promise<void> {
	const examination = examinationOf(context, signal);
	let bytes = 0;
	for (const file of files) {
		await using image = await openImage(file.from, examination);
		file.virtualBytes = image.virtualBytes;
		if (format === "vhd" && image.virtualBytes > largestVhd)
			throw new BulkheadError(
				"bad-input",
				`disk ${file.name} is larger than a VHD can be (2040 GiB); use --format vhdx`,
			);
		bytes +=
			format === "raw" ? (await lstat(file.from)).blocks * 512 : await measure(image, "qcow2", examination);
	}
	await refuseWithoutRoom(dirname(to), format === "ova" ? bytes * 2 : bytes);
}

async function copyDisk(
	file: ExportedFile,
	format: ExportFormat,
	context: Context,
	onProgress: (fraction: number) => void,
	signal: AbortSignal,
): Promise<void> {
	const examination = examinationOf(context, signal);
	await using image = await openImage(file.from, examination);
	const { driver, options } = drivers[format];
	const adapter = driver === "vmdk" ? `,adapter_type=${file.bus === "ide" ? "ide" : "lsilogic"}` : "";
	await copyImage(image, draftOf(file.to), {
		...examination,
		format: driver,
		owner: 0,
		...(options ? { options: `${options}${adapter}` } : {}),
		// Larger than the disk by its tables; room was looked for by what is on it.
		mostBytes: Math.ceil(image.virtualBytes * 1.05),
		onProgress,
	});
}

/** Unlike a rename, a link never replaces what is there. */
async function putInPlace(files: readonly string[]): Promise<void> {
	await using undo = new AsyncDisposableStack();
	for (const path of files) {
		await link(draftOf(path), path).catch((error) => {
			if (errorCode(error) !== "EEXIST") throw error;
			throw new BulkheadError(
				"bad-input",
				`there is a file ${path} by now, which is not touched; name another`,
			);
		});
		undo.defer(async () => await rm(path, { force: true }));
	}
	await syncFolder(dirname(files[0] ?? "/"));
	undo.move();
}

function textOf({ stored }: ServerUnit, made: readonly string[]): string {
	const outside =
		stored.installed.boot.kind === "kernel"
			? " Its kernel is not on it, but comes from its template: elsewhere it does not start by itself."
			: "";
	return `${stored.name} is in ${made.join(", ")}.${outside}`;
}
