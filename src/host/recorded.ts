import { chown, mkdir, readlink, rm, stat } from "node:fs/promises";
import { z } from "zod";
import { type Confinement, launchConfined, launchedProcess } from "./confine.ts";
import { readIfThere, writeFileAtomic } from "./files.ts";
import { endProcess, isAlive, type ProcessIdentity } from "./process.ts";

/**
 * Confined programs that live on when the daemon ends. The next one knows them by their record, or, where the daemon died
 * before it had written that, by the working folder that they see.
 */
export interface Traces {
	record: string;
	/** bubblewrap's, and what the program writes. */
	status: string;
	output: string;
	/** Its working folder on the host, which it cannot write to, and where it sees that. */
	run: string;
	seen: string;
}

/** What a program was started with. */
export type Start = Pick<Confinement, "namespace" | "uid" | "groups">;

const recordSchema = z.looseObject({
	process: z.object({ pid: z.int().positive(), startTime: z.number() }),
	namespace: z.string(),
	uid: z.int(),
	groups: z.array(z.string()),
});
export type LaunchRecord = z.infer<typeof recordSchema>;

/** Is told, once, of a record that cannot be read: it counts for nothing, and is replaced. */
export type OnDamage = (what: string) => void;

/**
 * Starts a program in a fresh working folder, and records it.
 * @param more is recorded too
 * @throws Error with what it wrote when it could not be started, or that of the record; then nothing runs
 */
export async function launchRecorded(
	traces: Traces,
	{ namespace, uid, groups, ...confinement }: Start & Pick<Confinement, "readable" | "opener" | "openFiles">,
	command: readonly string[],
	more: object = {},
): Promise<void> {
	const { record, run, seen } = traces;
	await rm(run, { recursive: true, force: true });
	await mkdir(run, { mode: 0o500 });
	await chown(run, uid, uid);
	const readable = [...confinement.readable, [run, seen] as const];
	const { identity } = await launchConfined(
		{
			...{ ...confinement, namespace, uid, groups, readable },
			...{ devices: [], writable: [], workingFolder: seen },
		},
		command,
		traces,
	);
	try {
		const known = { ...more, process: identity, namespace, uid, groups };
		await writeFileAtomic(record, `${JSON.stringify(known, null, "\t")}\n`);
	} catch (error) {
		await endProcess(identity, 0);
		throw error;
	}
}

/** @returns the record of a program that runs */
export async function runningRecord(
	{ record }: Traces,
	onDamage: OnDamage = () => {},
): Promise<LaunchRecord | undefined> {
	const text = await readIfThere(record);
	if (text === undefined) return undefined;
	try {
		const found = recordSchema.parse(JSON.parse(text));
		return isAlive(found.process) ? found : undefined;
	} catch {
		onDamage(`${record} is damaged and counts for nothing; what runs by it is ended`);
		return undefined;
	}
}

/** Ends the program, recorded or not. @returns the process that does not end; undefined when all is well */
export async function endRecorded(traces: Traces, onDamage?: OnDamage): Promise<ProcessIdentity | undefined> {
	const recorded = await runningRecord(traces, onDamage);
	const process = recorded?.process ?? (await processSeeing(traces.status, traces.seen, traces.run));
	if (process && !(await endProcess(process, 0))) return process;
	await rm(traces.record, { force: true });
	return undefined;
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
