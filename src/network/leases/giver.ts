import { createHash } from "node:crypto";
import { chmod, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { readIfThere, writeFileAtomic } from "../../host/files.ts";
import { sendSignal } from "../../host/process.ts";
import { isStartedAs, type LaunchRecord, type OnDamage, Recorded } from "../../host/recorded.ts";
import { links } from "../namespace.ts";
import { bridgesOf, listOf } from "./list.ts";
import type { GiverPlan, Leases } from "./plan.ts";

/**
 * Who tells guests their addresses: one process for all segments of a sandbox. Not dnsmasq, whose version 2.90 serves DHCP
 * only with CAP_NET_ADMIN, by which whoever gets hold of it could change the sandbox's firewall, and which keeps leases:
 * what one installation of a server has said could stand in the way of the next, which names itself anew. This one opens
 * its sockets first, and has no privilege and keeps nothing when the first guest speaks to it.
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
		run: join(folder, "run"),
		seen: "/leases/run",
	};
}

/** Recorded too. */
interface Opened {
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
export async function ensureGiver(plan: GiverPlan, leases: Leases, onDamage?: OnDamage): Promise<boolean> {
	const [list, bridges] = [listOf(leases), bridgesOf(leases)];
	const [files, giver] = [filesOf(plan.folder), giverIn(plan.folder)];
	const indexes = await indexesOf(plan.namespace, bridges);
	const wanted: Opened = { bridges, indexes, program: await programDigest() };
	const old = await giver.running();
	const stays = old !== undefined && isSame(old, wanted) && (await isStartedAs(old, plan));
	if (!stays) await giver.end(onDamage);
	await mkdir(files.told, { recursive: true, mode: 0o755 });
	await chmod(plan.folder, 0o700);
	if ((await readIfThere(files.list)) !== list) {
		await writeFileAtomic(files.list, list, 0o644);
		if (stays) sendSignal(old.process, "SIGHUP");
	}
	if (stays) return false;
	await begin(plan, wanted);
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

async function begin({ namespace, uid, groups, folder }: GiverPlan, wanted: Opened): Promise<void> {
	const files = filesOf(folder);
	const confinement = {
		...{ namespace, uid, groups },
		opener: ["perl", opener, ...wanted.bridges, "--"],
		readable: [[answerer, inside.program] as const, [files.told, inside.folder] as const],
	};
	await giverIn(folder).begin(confinement, ["/usr/bin/perl", inside.program, inside.list], wanted);
}

/** Whoever a folder tells of. */
export function giverIn(folder: string): Recorded {
	return new Recorded(filesOf(folder), "the program that tells addresses");
}

function isSame(record: LaunchRecord & { [key in keyof Opened]?: unknown }, wanted: Opened): boolean {
	const known = ({ bridges, indexes, program }: { [key in keyof Opened]?: unknown }) =>
		JSON.stringify([bridges, indexes, program]);
	return known(record) === known(wanted);
}
