import { chmod, chown, mkdir, readlink, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { BulkheadError } from "../../api/errors.ts";
import { launchConfined, launchedProcess } from "../../host/confine.ts";
import { readIfThere, writeFileAtomic } from "../../host/files.ts";
import { endProcess, isAlive, type ProcessIdentity, sendSignal } from "../../host/process.ts";
import { configOf, inside, listOf } from "./config.ts";
import type { AnswererPlan, NameEntry } from "./plan.ts";

/** Files that dnsmasq may have open: its sockets, and one for each question that is passed on. */
const mostFiles = 512;

/** Files of one answerer; nothing of them can be written by it. */
function filesOf(folder: string) {
	return {
		config: join(folder, "dnsmasq.conf"),
		/** Bound as a folder: what replaces the list in it is seen inside too. */
		hosts: join(folder, "hosts"),
		list: join(folder, "hosts", "list"),
		record: join(folder, "names.json"),
		status: join(folder, "status.json"),
		output: join(folder, "output.log"),
		/** Its working folder, by which a process that nobody has recorded is known. */
		run: join(folder, "run"),
	};
}

interface Record {
	process: ProcessIdentity;
	namespace: string;
	uid: number;
	groups: readonly string[];
}

/**
 * Has the plan's dnsmasq run with this list: adopts the one that an earlier daemon started by the same plan, or starts
 * another in its place. A new list is read by the one that runs; nobody's question is lost.
 * @returns true when one was started
 * @throws RangeError for a plan or list that is none, BulkheadError or Error when it could not be started; then nothing runs
 */
export async function ensureAnswerer(plan: AnswererPlan, entries: readonly NameEntry[]): Promise<boolean> {
	const [config, list] = [configOf(plan), listOf(entries)];
	const files = filesOf(plan.folder);
	const old = await runningIn(plan.folder);
	const stays = old !== undefined && (await isAsPlanned(old, plan, config));
	if (!stays) await endAnswerer(plan.folder);
	await mkdir(files.hosts, { recursive: true, mode: 0o755 });
	await chmod(plan.folder, 0o700);
	if ((await readIfThere(files.list)) !== list) {
		await writeFileAtomic(files.list, list, 0o644);
		if (stays) sendSignal(old.process, "SIGHUP");
	}
	if (stays) return false;
	await begin(plan, config);
	return true;
}

async function begin(plan: AnswererPlan, config: string): Promise<void> {
	const { namespace, uid, groups, folder } = plan;
	const files = filesOf(folder);
	await rm(files.run, { recursive: true, force: true });
	await mkdir(files.run, { mode: 0o500 });
	await chown(files.run, uid, uid);
	await writeFileAtomic(files.config, config, 0o644);
	const { identity } = await launchConfined(
		{
			...{ namespace, uid, groups, devices: [], writable: [] },
			readable: [
				[files.config, inside.config],
				[files.hosts, inside.hosts],
				[files.run, "/names/run"],
			],
			workingFolder: "/names/run",
			openFiles: mostFiles,
		},
		["/usr/sbin/dnsmasq", "--keep-in-foreground", `--conf-file=${inside.config}`, "--user", "--group"],
		{ status: files.status, output: files.output },
	);
	try {
		const record: Record = { process: identity, namespace, uid, groups };
		await writeFileAtomic(files.record, `${JSON.stringify(record, null, "\t")}\n`);
	} catch (error) {
		await endProcess(identity, 0);
		throw error;
	}
}

/** @returns whether an answerer runs that this folder tells of */
export async function isAnswering(folder: string): Promise<boolean> {
	return (await runningIn(folder)) !== undefined;
}

/** @returns what dnsmasq wrote last, in one line */
export async function lastWordsOf(folder: string): Promise<string> {
	const said = (await readIfThere(filesOf(folder).output))?.trim().split("\n").at(-1)?.slice(-300);
	return said ? `dnsmasq ends; it says: ${said}` : "dnsmasq ends, and says nothing";
}

/** @returns its process, when it runs */
export async function answererProcess(folder: string): Promise<ProcessIdentity | undefined> {
	return (await runningIn(folder))?.process;
}

/** Ends whatever answerer a folder tells of. @throws BulkheadError when it does not end */
export async function endAnswerer(folder: string): Promise<void> {
	const process = (await runningIn(folder))?.process ?? (await unrecordedIn(folder));
	if (process && !(await endProcess(process, 0))) {
		const message = `dnsmasq (process ${process.pid}) does not end, even when killed`;
		throw new BulkheadError("internal", message);
	}
	await rm(filesOf(folder).record, { force: true });
}

async function runningIn(folder: string): Promise<Record | undefined> {
	const text = await readIfThere(filesOf(folder).record);
	if (text === undefined) return undefined;
	const record = JSON.parse(text) as Record;
	return isAlive(record.process) ? record : undefined;
}

/** One whose daemon died before it could write the record. A pid alone may be another program's by now. */
async function unrecordedIn(folder: string): Promise<ProcessIdentity | undefined> {
	const files = filesOf(folder);
	const process = launchedProcess(files.status);
	if (!process) return undefined;
	const inodeOf = async (path: string) =>
		await stat(path).then(
			({ dev, ino }) => `${dev}:${ino}`,
			() => undefined,
		);
	const [seen, own] = [await inodeOf(`/proc/${process.pid}/root/names/run`), await inodeOf(files.run)];
	return seen !== undefined && seen === own && isAlive(process) ? process : undefined;
}

async function isAsPlanned(record: Record, plan: AnswererPlan, config: string): Promise<boolean> {
	if (record.namespace !== plan.namespace || record.uid !== plan.uid) return false;
	if (record.groups.join("\n") !== plan.groups.join("\n")) return false;
	if ((await readIfThere(filesOf(plan.folder).config)) !== config) return false;
	const [lives, named] = await Promise.all([
		readlink(`/proc/${record.process.pid}/ns/net`).catch(() => ""),
		stat(`/run/netns/${plan.namespace}`).catch(() => undefined),
	]);
	return named !== undefined && lives === `net:[${named.ino}]`;
}
