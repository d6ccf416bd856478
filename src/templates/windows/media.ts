import { chmod, mkdir, mkdtemp, open, readFile, rename, rm, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { BulkheadError, explain } from "../../api/errors.ts";
import type { Problem } from "../../api/problem.ts";
import { type Answers, answersProblems, type WindowsVersion } from "../../api/windows.ts";
import { run } from "../../host/command.ts";
import { listIfThere, syncFile, syncFolder } from "../../host/files.ts";
import type { Installation } from "./answers/answer.ts";
import { answerFile } from "./answers/answer-file.ts";
import { batchFiles } from "./batch.ts";
import { type DataDisk, dataDiskProblems } from "./data-disks.ts";
import { readPasswords } from "./passwords.ts";
import { secretsFile, settingsFile } from "./settings.ts";
import { type Firmware, windowsFacts } from "./versions.ts";

export interface MediaOptions {
	version: WindowsVersion;
	firmware: Firmware;
	/** Checked by `answersSchema`. */
	answers: Answers;
	/** Whether the machine has the virtio-win ISO in another drive. */
	drivers: boolean;
	/** As the server has them, without its system disk. */
	data: readonly DataDisk[];
	/** Hardware address of its network card, as 52:54:00:12:34:56: a member is told the domain's name servers by it. */
	mac?: string;
	/** Where the medium is written; nobody but root should see into it. */
	folder: string;
	signal?: AbortSignal;
}

export interface AnswersMedia {
	/** Absolute path of the image, which only its owner may read. */
	file: string;
	/** What the machine has to see it as. */
	kind: "cdrom" | "floppy";
}

const label = "BULKHEAD";
/** All dates on a medium: the same answers make the same bytes. */
const date = { epoch: 1_704_067_200, text: "2024010100000000" };
const floppyBytes = 1440 * 1024;
const deadlineMs = 60_000;
const scripts = fileURLToPath(new URL("scripts", import.meta.url));
const scriptNames = [
	"start.cmd",
	...["first-boot", "common", "machine", "drivers", "disks", "files", "domain", "finish"].map(
		(name) => `${name}.ps1`,
	),
];

/**
 * Writes the medium that an unattended installation finds its answers on: `answers.iso`, for Windows of before 2008
 * `answers.img`, a floppy disk. It holds passwords as Windows wants them, which is hardly hidden: remove it when the
 * installation has finished. An earlier one is replaced when the new one is whole.
 * @throws BulkheadError bad-input, with the field that has to be mended; host-lacks when it cannot be made here
 */
export async function buildAnswersMedia(options: MediaOptions): Promise<AnswersMedia> {
	const { folder, signal } = options;
	const { files, floppy } = await filesOf(options);
	const file = join(folder, floppy ? "answers.img" : "answers.iso");
	// Only we can enter it.
	const scratch = await mkdtemp(join(folder, ".answers-"));
	try {
		const tree = join(scratch, "tree");
		await stage(tree, files);
		const image = join(scratch, "image");
		await (await open(image, "wx", 0o600)).close();
		await (floppy ? writeFloppy : writeIso)(tree, files, image, signal);
		await chmod(image, 0o600);
		await syncFile(image);
		await rename(image, file);
		await syncFolder(folder);
	} finally {
		await rm(scratch, { recursive: true, force: true });
	}
	return { file, kind: floppy ? "floppy" : "cdrom" };
}

/**
 * Whether a medium could be made as things are: with files of passwords that are there and will do, for such firmware.
 * @returns problems with paths relative to `answers:`
 */
export async function whyNotAnswerable(options: Omit<MediaOptions, "folder" | "signal">): Promise<Problem[]> {
	try {
		await filesOf(options);
		return [];
	} catch (error) {
		if (!(error instanceof BulkheadError)) throw error;
		const { problems, message } = error;
		if (problems.length === 0) return [{ path: [], message }];
		return problems.map((one) => ({ path: one.field.split(".").slice(1).map(partOf), message: one.message }));
	}
}

const partOf = (text: string) => (/^\d+$/.test(text) ? Number(text) : text);

/** @throws BulkheadError bad-input, with the field that has to be mended */
async function filesOf(
	options: Omit<MediaOptions, "folder" | "signal">,
): Promise<{ files: Files; floppy: boolean }> {
	const { version, firmware, answers, drivers, data, mac } = options;
	const problems = [...answersProblems(version, answers), ...dataDiskProblems(answers, data)];
	if (problems.length > 0)
		throw new BulkheadError("bad-input", `the answers do not fit ${version}`, {
			problems: problems.map(({ path, message }) => ({ field: ["answers", ...path].join("."), message })),
		});
	const passwords = await readPasswords(version, answers);
	const facts = windowsFacts[version];
	const installation = {
		version,
		facts,
		firmware,
		answers,
		passwords,
		drivers,
		data,
		...(mac ? { mac } : {}),
	};
	const floppy = facts.answerFile === "winnt.sif";
	return { files: floppy ? oldFiles(installation) : await newFiles(installation), floppy };
}

/**
 * Removes the media of an installation, and what is left of one that was being made when its daemon was killed: they hold
 * passwords, and nobody needs them when Windows is there.
 */
export async function removeAnswersMedia(folder: string): Promise<void> {
	const names = (await listIfThere(folder)).filter((name) =>
		/^(?:answers\.(?:iso|img)|\.answers-\w{6})$/.test(name),
	);
	for (const name of names) await rm(join(folder, name), { recursive: true, force: true });
}

/** Paths on the medium, and what is there. */
type Files = Readonly<Record<string, string>>;

function oldFiles(installation: Installation): Files {
	const batch = Object.entries(batchFiles(installation)).map(([name, text]) => [`BULKHEAD/${name}`, text]);
	return { "WINNT.SIF": answerFile(installation), ...Object.fromEntries(batch) };
}

async function newFiles(installation: Installation): Promise<Files> {
	const secrets = secretsFile(installation.answers, installation.passwords);
	const programs = scriptNames.map(async (name) => {
		const text = await readFile(join(scripts, name), "utf8");
		return [`bulkhead/${name}`, text.replaceAll("\n", "\r\n")] as const;
	});
	return {
		"autounattend.xml": answerFile(installation),
		"bulkhead/settings.xml": settingsFile(installation),
		...(secrets === undefined ? {} : { "bulkhead/secrets.xml": secrets }),
		...Object.fromEntries(await Promise.all(programs)),
	};
}

async function stage(tree: string, files: Files): Promise<void> {
	await mkdir(tree, { mode: 0o700 });
	const folders = new Set(Object.keys(files).flatMap((path) => path.split("/").slice(0, -1)));
	for (const folder of folders) await mkdir(join(tree, folder), { mode: 0o700 });
	for (const [path, text] of Object.entries(files)) {
		await writeFile(join(tree, path), text, { mode: 0o600 });
		await utimes(join(tree, path), date.epoch, date.epoch);
	}
}

/** Passwords are in files, never among the words of a command. */
async function writeIso(tree: string, _files: Files, image: string, signal?: AbortSignal): Promise<void> {
	await tool(
		"xorriso",
		[
			...["-no_rc", "-as", "mkisofs", "-quiet", "-o", image, "-V", label],
			// Joliet for Windows's long names.
			...["-J", "-joliet-long", "-r", "--set_all_file_dates", date.text, `--modification-date=${date.text}`],
			tree,
		],
		signal,
	);
}

async function writeFloppy(tree: string, files: Files, image: string, signal?: AbortSignal): Promise<void> {
	await tool("truncate", ["-s", String(floppyBytes), image], signal);
	await tool("mkfs.fat", ["--invariant", "-F", "12", "-n", label, image], signal);
	await tool("mmd", ["-i", image, "::BULKHEAD"], signal);
	for (const path of Object.keys(files).sort())
		await tool("mcopy", ["-m", "-i", image, join(tree, path), `::${path}`], signal);
}

async function tool(program: string, words: readonly string[], signal?: AbortSignal): Promise<void> {
	const env = {
		SOURCE_DATE_EPOCH: String(date.epoch),
		TZ: "UTC",
		LC_ALL: "C.UTF-8",
		PATH: `${process.env.PATH}:/usr/sbin:/sbin`,
	};
	try {
		await run(program, words, { deadlineMs, env, ...(signal ? { signal } : {}) });
	} catch (cause) {
		signal?.throwIfAborted();
		const message = `the medium with the answers could not be made: ${explain(cause)}`;
		throw new BulkheadError("host-lacks", message, { cause });
	}
}
