import { chmod, chown, mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { readIfThere, writeFileAtomic } from "../../host/files.ts";
import { isAlive, type ProcessIdentity } from "../../host/process.ts";
import { isStartedAs, processSeeing } from "../../host/recorded.ts";
import type { DoorPlan } from "../plan.ts";
import { configOf } from "./config.ts";
import { adminSocket, inside } from "./names.ts";
import { uploadConfigOf } from "./uploads.ts";

/**
 * The files of one front door. Only `run` belongs to what is confined: what a root daemon writes or believes
 * must not lie where HAProxy could put a link or a lie.
 */
export function doorFiles(folder: string) {
	return {
		config: join(folder, "haproxy.cfg"),
		uploads: join(folder, "uploads.cfg"),
		record: join(folder, "door.json"),
		status: join(folder, "status.json"),
		output: join(folder, "output.log"),
		run: join(folder, "run"),
		admin: join(folder, "run", adminSocket),
	};
}
export type DoorFiles = ReturnType<typeof doorFiles>;

/** What a running front door was started with, besides its configuration. */
export interface DoorRecord {
	process: ProcessIdentity;
	namespace: string;
	uid: number;
	groups: readonly string[];
	/** Ports of the host that it listens on. */
	listens: number[];
	/** The shares of its services in their order (pace.ts); null for the usual one. Earlier versions had no other. */
	shares?: (number | null)[];
}

/** Makes the folder, root's own, and in it a fresh one for HAProxy's sockets. */
export async function prepareFolders(plan: DoorPlan, files: DoorFiles): Promise<void> {
	await mkdir(plan.folder, { recursive: true, mode: 0o700 });
	await chmod(plan.folder, 0o700);
	await rm(files.run, { recursive: true, force: true });
	await mkdir(files.run, { mode: 0o700 });
	await chown(files.run, plan.uid, plan.uid);
	await writeFileAtomic(files.config, configOf(plan), 0o644);
	const uploads = uploadConfigOf(plan);
	if (uploads === undefined) await rm(files.uploads, { force: true });
	else await writeFileAtomic(files.uploads, uploads, 0o644);
}

export async function writeRecord(files: DoorFiles, plan: DoorPlan, process: ProcessIdentity): Promise<void> {
	const { namespace, uid, groups } = plan;
	const listens = plan.services.map(({ listen }) => listen);
	const shares = plan.services.map(({ share = null }) => share);
	const record: DoorRecord = { process, namespace, uid, groups, listens, shares };
	await writeFileAtomic(files.record, `${JSON.stringify(record, null, "\t")}\n`);
}

/** @returns what the folder tells of a front door that still runs */
export async function readRecord(files: DoorFiles): Promise<DoorRecord | undefined> {
	const text = await readIfThere(files.record);
	if (text === undefined) return undefined;
	const record = JSON.parse(text) as DoorRecord;
	return isAlive(record.process) ? record : undefined;
}

/**
 * A HAProxy whose daemon died before it could write the record: bubblewrap's status tells a pid, and that process
 * is ours if its /door is this folder's. A pid alone may be another program's by now.
 */
export async function findUnrecorded(files: DoorFiles): Promise<ProcessIdentity | undefined> {
	return await processSeeing(files.status, inside.run, files.run);
}

/** @returns whether a running front door is what the plan asks for, in the namespace that has the name now */
export async function isAsPlanned(record: DoorRecord, plan: DoorPlan, files: DoorFiles): Promise<boolean> {
	if ((await readIfThere(files.config)) !== configOf(plan)) return false;
	if ((await readIfThere(files.uploads)) !== uploadConfigOf(plan)) return false;
	return await isStartedAs(record, plan);
}
