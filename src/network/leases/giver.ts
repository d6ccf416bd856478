import { createHash } from "node:crypto";
import { chmod, chown, mkdir, readlink, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { BulkheadError } from "../../api/errors.ts";
import { launchConfined, launchedProcess } from "../../host/confine.ts";
import { readIfThere, writeFileAtomic } from "../../host/files.ts";
import { endProcess, isAlive, type ProcessIdentity, sendSignal } from "../../host/process.ts";
import { links } from "../namespace.ts";
import { bridgesOf, listOf } from "./list.ts";
import type { GiverPlan, Leases } from "./plan.ts";

/**
 * Who tells guests their addresses: one process for all segments of a sandbox. Not dnsmasq, whose version 2.90 serves DHCP
 * only with CAP_NET_ADMIN, by which whoever gets hold of it could change the sandbox's firewall, and which keeps what
 * clients have said: after a reinstallation, which names itself anew, it refuses the server its own IPv6 address. This
 * one opens its sockets first, and has no privilege and keeps nothing when the first guest speaks to it.
 */
const [opener, answerer] = ["open.pl", "answer.pl"].map((name) => join(import.meta.dirname, name)) as [
	string,
	string,
];

/** Where it finds its files inside its confinement. */
const inside = { program: "/leases/answer.pl", folder: "/leases/told", list: "/leases/told/list" };

/** Files of it; nothing of them can be written by it. */
function filesOf(folder: string) {
	return {
		/** Bound as a folder: what replaces the list in it is seen inside too. */
		told: join(folder, "told"),
		list: join(folder, "told", "list"),
		record: join(folder, "leases.json"),
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
	/** What it has opened, and the numbers of those interfaces: one that is made anew is another. */
	bridges: readonly string[];
	indexes: readonly number[];
	/** SHA-256 of the program that it was started from: a daemon with another one begins that. */
	program: string;
}

/**
 * Has guests told exactly this: adopts the process that an earlier daemon started by the same plan, or starts another in
 * its place. New servers are read by the one that runs; for another bridge it is begun again, which guests do not notice.
 * @returns true when one was started
 * @throws RangeError for what cannot be told, BulkheadError or Error when it could not be started; then nothing runs
 */
export async function ensureGiver(plan: GiverPlan, leases: Leases): Promise<boolean> {
	const [list, bridges] = [listOf(leases), bridgesOf(leases)];
	const files = filesOf(plan.folder);
	const program = await programDigest();
	const indexes = await indexesOf(plan.namespace, bridges);
	const wanted = { ...plan, bridges, indexes, program };
	const old = await runningIn(plan.folder);
	const stays = old !== undefined && (await isAsPlanned(old, wanted));
	if (!stays) await endGiver(plan.folder);
	await mkdir(files.told, { recursive: true, mode: 0o755 });
	await chmod(plan.folder, 0o700);
	if ((await readIfThere(files.list)) !== list) {
		await writeFileAtomic(files.list, list, 0o644);
		if (stays) sendSignal(old.process, "SIGHUP");
	}
	if (stays) return false;
	await begin(wanted);
	return true;
}

async function programDigest(): Promise<string> {
	const texts = await Promise.all([opener, answerer].map(async (file) => (await readIfThere(file)) ?? ""));
	return createHash("sha256").update(texts.join("")).digest("hex");
}

/** @throws CommandError when there is no such namespace */
async function indexesOf(namespace: string, bridges: readonly string[]): Promise<number[]> {
	const names = bridges.map((bridge) => bridge.replace(/,.*/, ""));
	return (await links(namespace)).flatMap(({ ifname, ifindex }) => (names.includes(ifname) ? ifindex : []));
}

type Wanted = GiverPlan & Pick<Record, "bridges" | "indexes" | "program">;

async function begin({ namespace, uid, groups, folder, ...more }: Wanted): Promise<void> {
	const files = filesOf(folder);
	await rm(files.run, { recursive: true, force: true });
	await mkdir(files.run, { mode: 0o500 });
	await chown(files.run, uid, uid);
	const { identity } = await launchConfined(
		{
			...{ namespace, uid, groups, devices: [], writable: [] },
			opener: ["perl", opener, ...more.bridges, "--"],
			readable: [
				[answerer, inside.program],
				[files.told, inside.folder],
				[files.run, "/leases/run"],
			],
			workingFolder: "/leases/run",
		},
		["/usr/bin/perl", inside.program, inside.list],
		{ status: files.status, output: files.output },
	);
	try {
		const record: Record = { process: identity, namespace, uid, groups, ...more };
		await writeFileAtomic(files.record, `${JSON.stringify(record, null, "\t")}\n`);
	} catch (error) {
		await endProcess(identity, 0);
		throw error;
	}
}

/** @returns the process that a folder tells of, when it runs */
export async function giverProcess(folder: string): Promise<ProcessIdentity | undefined> {
	return (await runningIn(folder))?.process;
}

/** @returns what it wrote last, in one line */
export async function lastWordsOf(folder: string): Promise<string> {
	const said = (await readIfThere(filesOf(folder).output))?.trim().split("\n").at(-1)?.slice(-300);
	return said ? `the program ends; it says: ${said}` : "the program ends, and says nothing";
}

/** Ends whatever a folder tells of. @throws BulkheadError when it does not end */
export async function endGiver(folder: string): Promise<void> {
	const process = (await giverProcess(folder)) ?? (await unrecordedIn(folder));
	if (process && !(await endProcess(process, 0))) {
		const message = `what tells guests their addresses (process ${process.pid}) does not end, even when killed`;
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
	const [seen, own] = [await inodeOf(`/proc/${process.pid}/root/leases/run`), await inodeOf(files.run)];
	return seen !== undefined && seen === own && isAlive(process) ? process : undefined;
}

async function isAsPlanned(record: Record, plan: Wanted): Promise<boolean> {
	const known = ({ namespace, uid, groups, bridges, indexes, program }: Omit<Record, "process">) =>
		JSON.stringify([namespace, uid, groups, bridges, indexes, program]);
	if (known(record) !== known(plan)) return false;
	const [lives, named] = await Promise.all([
		readlink(`/proc/${record.process.pid}/ns/net`).catch(() => ""),
		stat(`/run/netns/${plan.namespace}`).catch(() => undefined),
	]);
	return named !== undefined && lives === `net:[${named.ino}]`;
}
