import { chmod, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { BulkheadError } from "../../api/errors.ts";
import { readIfThere, writeFileAtomic } from "../../host/files.ts";
import { type ProcessIdentity, sendSignal } from "../../host/process.ts";
import {
	endRecorded,
	isStartedAs,
	lastWords,
	launchRecorded,
	type OnDamage,
	runningRecord,
} from "../../host/recorded.ts";
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
		run: join(folder, "run"),
		seen: "/names/run",
	};
}

/**
 * Has the plan's dnsmasq run with this list: adopts the one that an earlier daemon started by the same plan, or starts
 * another in its place. A new list is read by the one that runs; nobody's question is lost.
 * @returns true when one was started
 * @throws RangeError for a plan or list that is none, BulkheadError or Error when it could not be started; then nothing runs
 */
export async function ensureAnswerer(
	plan: AnswererPlan,
	entries: readonly NameEntry[],
	onDamage?: OnDamage,
): Promise<boolean> {
	const [config, list] = [configOf(plan), listOf(entries)];
	const files = filesOf(plan.folder);
	const old = await runningRecord(files);
	const same = (await readIfThere(files.config)) === config;
	const stays = old !== undefined && same && (await isStartedAs(old, plan));
	if (!stays) await endAnswerer(plan.folder, onDamage);
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

async function begin({ namespace, uid, groups, folder }: AnswererPlan, config: string): Promise<void> {
	const files = filesOf(folder);
	await writeFileAtomic(files.config, config, 0o644);
	const readable = [[files.config, inside.config] as const, [files.hosts, inside.hosts] as const];
	await launchRecorded(files, { namespace, uid, groups, readable, openFiles: mostFiles }, [
		...["/usr/sbin/dnsmasq", "--keep-in-foreground", `--conf-file=${inside.config}`, "--user", "--group"],
	]);
}

/** @returns what dnsmasq wrote last, in one line */
export async function lastWordsOf(folder: string): Promise<string> {
	return await lastWords("dnsmasq", filesOf(folder).output);
}

/** @returns its process, when it runs */
export async function answererProcess(folder: string): Promise<ProcessIdentity | undefined> {
	return (await runningRecord(filesOf(folder)))?.process;
}

/** Ends whatever answerer a folder tells of. @throws BulkheadError when it does not end */
export async function endAnswerer(folder: string, onDamage?: OnDamage): Promise<void> {
	const process = await endRecorded(filesOf(folder), onDamage);
	if (process)
		throw new BulkheadError("internal", `dnsmasq (process ${process.pid}) does not end, even when killed`);
}
