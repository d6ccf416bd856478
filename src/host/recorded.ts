import { chown, mkdir, readlink, rm, stat } from "node:fs/promises";
import { z } from "zod";
import { type Confinement, type LaunchFiles, launchConfined, launchedProcess } from "./confine.ts";
import { readIfThere, writeFileAtomic } from "./files.ts";
import { endProcess, isAlive, type ProcessIdentity } from "./process.ts";

export interface RecordedFiles extends LaunchFiles {
	record: string;
	/** Its working folder on the host, in which it can write nothing, and where it sees that. */
	run: string;
	seen: string;
}

/** What a program was started with. */
type Start = Pick<Confinement, "namespace" | "uid" | "groups">;

const recordSchema = z.looseObject({
	process: z.object({ pid: z.int().positive(), startTime: z.number() }),
	namespace: z.string(),
	uid: z.int(),
	groups: z.array(z.string()),
});
export type LaunchRecord = z.infer<typeof recordSchema>;

/** Is told once of a record that cannot be read. */
export type OnDamage = (what: string) => void;

/**
 * A confined program that lives on when the daemon ends. The next one knows it by its record, or, where the daemon died
 * before it had written that, by the working folder that it sees.
 */
export class Recorded {
	readonly #files: RecordedFiles;
	readonly #name: string;

	/** @param name what it is called where people are told of it */
	constructor(files: RecordedFiles, name: string) {
		this.#files = files;
		this.#name = name;
	}

	/**
	 * Starts it in a fresh working folder.
	 * @param more is recorded too
	 * @throws Error with what it wrote when it could not be started, or that of the record; then nothing runs
	 */
	async begin(
		{ namespace, uid, groups, ...rest }: Start & Pick<Confinement, "readable" | "opener" | "openFiles">,
		command: readonly string[],
		more: object = {},
	): Promise<void> {
		const { record, run, seen } = this.#files;
		await rm(run, { recursive: true, force: true });
		await mkdir(run, { mode: 0o500 });
		await chown(run, uid, uid);
		const view = { devices: [], writable: [], readable: [...rest.readable, [run, seen] as const] };
		const confinement = { ...rest, ...view, namespace, uid, groups, workingFolder: seen };
		const { identity } = await launchConfined(confinement, command, this.#files);
		try {
			const known = { ...more, process: identity, namespace, uid, groups };
			await writeFileAtomic(record, `${JSON.stringify(known, null, "\t")}\n`);
		} catch (error) {
			await endProcess(identity, 0);
			throw error;
		}
	}

	/** @returns its record, when it runs */
	async running(onDamage?: OnDamage): Promise<LaunchRecord | undefined> {
		const { record } = this.#files;
		const text = await readIfThere(record);
		if (text === undefined) return undefined;
		try {
			const found = recordSchema.parse(JSON.parse(text));
			return isAlive(found.process) ? found : undefined;
		} catch {
			onDamage?.(`${record} is damaged and counts for nothing; what runs by it is ended`);
			return undefined;
		}
	}

	async process(): Promise<ProcessIdentity | undefined> {
		return (await this.running())?.process;
	}

	/** Ends it, recorded or not. @throws Error when it does not end */
	async end(onDamage?: OnDamage): Promise<void> {
		const { record, status, seen, run } = this.#files;
		const process = (await this.running(onDamage))?.process ?? (await processSeeing(status, seen, run));
		if (process && !(await endProcess(process, 0)))
			throw new Error(`${this.#name} (process ${process.pid}) does not end, even when killed`);
		await rm(record, { force: true });
	}

	/** @returns what it wrote last, in one line */
	async lastWords(): Promise<string> {
		return await lastWords(this.#name, this.#files.output);
	}
}

/**
 * @param status what bubblewrap has written: a pid, which may be another program's by now
 * @returns that process, when it runs and sees this folder of the host there
 */
export async function processSeeing(
	status: string,
	seen: string,
	folder: string,
): Promise<ProcessIdentity | undefined> {
	const process = launchedProcess(status);
	if (!process) return undefined;
	const [there, own] = await Promise.all([inodeOf(`/proc/${process.pid}/root${seen}`), inodeOf(folder)]);
	return there !== undefined && there === own && isAlive(process) ? process : undefined;
}

async function inodeOf(path: string): Promise<string | undefined> {
	const found = await stat(path).catch(() => undefined);
	return found && `${found.dev}:${found.ino}`;
}

/** @returns whether it was started so, in the namespace that has the name now */
export async function isStartedAs(
	record: Start & { process: ProcessIdentity },
	wanted: Start,
): Promise<boolean> {
	if (record.namespace !== wanted.namespace || record.uid !== wanted.uid) return false;
	if (record.groups.join("\n") !== wanted.groups.join("\n")) return false;
	const [lives, named] = await Promise.all([
		readlink(`/proc/${record.process.pid}/ns/net`).catch(() => ""),
		stat(`/run/netns/${wanted.namespace}`).catch(() => undefined),
	]);
	return named !== undefined && lives === `net:[${named.ino}]`;
}

/** @returns what a program that has ended wrote last, in one line */
export async function lastWords(program: string, output: string): Promise<string> {
	const said = (await readIfThere(output))?.trim().split("\n").at(-1)?.slice(-300);
	return said ? `${program} ends; it says: ${said}` : `${program} ends, and says nothing`;
}
