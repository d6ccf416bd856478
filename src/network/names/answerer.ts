import { chmod, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { readIfThere, writeFileAtomic } from "../../host/files.ts";
import { sendSignal } from "../../host/process.ts";
import { isStartedAs, type OnDamage, Recorded } from "../../host/recorded.ts";
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
	const [files, answerer] = [filesOf(plan.folder), answererIn(plan.folder)];
	const old = await answerer.running();
	const same = (await readIfThere(files.config)) === config;
	const stays = old !== undefined && same && (await isStartedAs(old, plan));
	if (!stays) await answerer.end(onDamage);
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
	const command = ["--keep-in-foreground", `--conf-file=${inside.config}`, "--user", "--group"];
	const confinement = { namespace, uid, groups, readable, openFiles: mostFiles };
	await answererIn(folder).begin(confinement, ["/usr/sbin/dnsmasq", ...command]);
}

/** Whoever a folder tells of. */
export function answererIn(folder: string): Recorded {
	return new Recorded(filesOf(folder), "dnsmasq");
}
