import { readdir, readFile, readlink, stat } from "node:fs/promises";
import { basename } from "node:path";
import { groupRoot, namespaceOf } from "../../src/daemon/context.ts";
import { ControlGroup, detectGroupSupport, listGroups } from "../../src/host/cgroup.ts";
import { inside, ip, links } from "../../src/network/namespace.ts";
import { type Paths, paths } from "../../src/store/paths.ts";
import { field, isGone, memoryOfProcess, type ProcessMemory, readProc } from "./memory.ts";
import { filesBelow, type Stored, sessionsOf, storedBelow } from "./stored.ts";

/** How many there are, by name; a session's number is left out of the name. */
export type Counts = Record<string, number>;

/** Everything that the daemon of one state directory has on the host. */
export interface Inventory {
	/** What has to be the same whenever the same servers run and the same number of sessions stands by. */
	same: {
		/** Those in its control groups, those that it has started, and whoever works on its folders. */
		processes: Counts;
		/** Interfaces in the sandbox by kind. */
		interfaces: Counts;
		/** Entries of the bridges' forwarding tables, of the neighbour table, and rules of the firewall. */
		network: Counts;
		controlGroups: Counts;
		/** Of the daemon, by kind. */
		descriptors: Counts;
		/** Below /run: sockets and the front doors' files. */
		run: Counts;
		/** On the host, outside of the confinements, which end with their processes. */
		mounts: Counts;
		/** Memory in files that any of the processes holds, each counted once, and throw-away disks. */
		memoryFiles: Counts;
		disks: Counts;
	};
	/** What may change: by design, or with the weather. Sizes in bytes. */
	stored: Record<string, Stored>;
	/** The most session folders that a server has: records of 20 sessions are kept. */
	sessionFolders: number;
	daemon: ProcessMemory;
	/** Sum of `pss` of all other processes. */
	processesPss: number;
	/** Of memory in files: what it takes. */
	memoryFileBytes: number;
	/** Of the host: shared memory (the kernel's Shmem), and what is available to programs. */
	host: { shared: number; available: number };
}

/** @param servers all of the site. @throws Error when the daemon does not run */
export async function takeInventory(
	state: string,
	site: string,
	servers: readonly string[],
	daemon: number,
): Promise<Inventory> {
	const own = paths(state, "");
	const namespace = namespaceOf(own, site);
	const pids = await processesOf(own, daemon);
	const memoryFiles = await memoryFilesOf([daemon, ...pids]);
	const ofDaemon = await memoryOfProcess(daemon);
	if (!ofDaemon) throw new Error("the daemon does not run any more");
	const others = await Promise.all(pids.map(memoryOfProcess));
	const meminfo = await readFile("/proc/meminfo", "latin1");
	const sessions = await Promise.all(servers.map((server) => sessionsOf(state, server)));
	return {
		same: {
			processes: count(await Promise.all(pids.map(nameOf))),
			...(await networkOf(namespace)),
			controlGroups: count(await groupsOf(own)),
			descriptors: count((await descriptorsOf(daemon)).map(kindOfDescriptor)),
			run: count((await filesBelow(own.run)).map(withoutNumbers)),
			mounts: await mountsOf(daemon, own, namespace),
			memoryFiles: count([...memoryFiles.values()].map(({ name }) => name)),
			disks: Object.fromEntries(servers.map((server, i) => [server, sessions[i]?.disks ?? 0])),
		},
		stored: await storedBelow(state),
		sessionFolders: Math.max(...sessions.map(({ folders }) => folders)),
		daemon: ofDaemon,
		processesPss: others.reduce((sum, memory) => sum + (memory?.pss ?? 0), 0),
		memoryFileBytes: [...memoryFiles.values()].reduce((sum, { bytes }) => sum + bytes, 0),
		host: { shared: field(meminfo, "Shmem"), available: field(meminfo, "MemAvailable") },
	};
}

function count(names: readonly (string | undefined)[]): Counts {
	const counts: Counts = {};
	for (const name of names) if (name !== undefined) counts[name] = (counts[name] ?? 0) + 1;
	return Object.fromEntries(Object.entries(counts).sort(([a], [b]) => (a < b ? -1 : 1)));
}

export function withoutNumbers(name: string): string {
	return name.replace(/-\d+(?=\/|$)/g, "-N");
}

// ---- processes

/** @returns the pids of all of its processes but the daemon itself */
export async function processesOf(own: Paths, daemon: number): Promise<number[]> {
	const all = (await readdir("/proc")).map(Number).filter((pid) => pid > 0);
	const parents = new Map<number, number>();
	const named: number[] = [];
	for (const pid of all) {
		parents.set(pid, Number(/\) \S (\d+)/.exec((await readProc(pid, "stat")) ?? "")?.[1] ?? 0));
		const command = (await readProc(pid, "cmdline")) ?? "";
		if (command.includes(`${own.state}/`) || command.includes(`${own.run}/`)) named.push(pid);
	}
	const startedBy = (pid: number): boolean => {
		const parent = parents.get(pid) ?? 0;
		return parent === daemon || (parent > 1 && startedBy(parent));
	};
	const found = new Set([...(await pidsInGroups(own)), ...all.filter(startedBy), ...named]);
	found.delete(daemon);
	return [...found];
}

async function pidsInGroups(own: Paths): Promise<number[]> {
	const groups = detectGroupSupport();
	const root = groupRoot(own);
	const all = [root, ...(await listGroups(root, groups)).map((name) => `${root}/${name}`)];
	return (await Promise.all(all.map((path) => ControlGroup.at(path, groups).pids()))).flat();
}

/** Whose it is, by its control group, and which program: `warm-N/bwrap`. */
export async function nameOf(pid: number): Promise<string | undefined> {
	const name = (await readProc(pid, "comm"))?.trim();
	if (name === undefined) return undefined;
	const group = /:[^:]*\/bulkhead[^/\n]*\/([^/\n]+)$/m.exec((await readProc(pid, "cgroup")) ?? "");
	return `${withoutNumbers(group?.[1] ?? "the daemon's")}: ${withoutNumbers(name)}`;
}

export async function groupsOf(own: Paths): Promise<string[]> {
	const groups = detectGroupSupport();
	return (await listGroups(groupRoot(own), groups)).map(withoutNumbers);
}

// ---- descriptors and memory in files

export async function descriptorsOf(pid: number): Promise<{ path: string; target: string }[]> {
	const folder = `/proc/${pid}/fd`;
	const names = await readdir(folder).catch((error: unknown) => {
		if (isGone(error)) return [];
		throw error;
	});
	const found = names.map(async (name) => {
		const path = `${folder}/${name}`;
		// One of them was the listing itself.
		return { path, target: await readlink(path).catch(() => "") };
	});
	return (await Promise.all(found)).filter(({ target }) => target !== "");
}

export function kindOfDescriptor({ target }: { target: string }): string {
	if (target.startsWith("/memfd:")) return "memory in a file";
	if (target.startsWith("/")) return `file ${basename(target)}`;
	return target.replace(/:\[\d+\]$/, "");
}

/** @returns by inode; the same memory is counted once, whoever holds it */
export async function memoryFilesOf(
	pids: readonly number[],
): Promise<Map<number, { name: string; bytes: number }>> {
	const found = new Map<number, { name: string; bytes: number }>();
	for (const pid of pids) {
		for (const { path, target } of await descriptorsOf(pid)) {
			if (!target.startsWith("/memfd:")) continue;
			const file = await stat(path).catch(() => undefined);
			const name = target.replace(/^\/memfd:/, "").replace(/[0-9a-f]{8}-[0-9a-f-]{27} \(deleted\)$/, "ID");
			if (file) found.set(file.ino, { name, bytes: file.blocks * 512 });
		}
	}
	return found;
}

// ---- network and mounts

async function networkOf(namespace: string): Promise<{ interfaces: Counts; network: Counts }> {
	const all = await links(namespace);
	const rules = JSON.parse(await inside(namespace, ["nft", "-j", "list", "ruleset"])) as {
		nftables: object[];
	};
	const lines = (text: string) => text.split("\n").filter(Boolean).length;
	const forwarding = await inside(namespace, ["bridge", "fdb", "show"]);
	const neighbours = await ip(namespace, "neigh", "show", "nud", "permanent");
	return {
		interfaces: count(all.map(({ linkinfo }) => linkinfo?.info_kind ?? "other")),
		network: {
			"rules of the firewall": rules.nftables.filter((entry) => "rule" in entry).length,
			"forwarding entries": lines(forwarding),
			"permanent neighbours": lines(neighbours),
		},
	};
}

/** Mounts below the daemon's folders, and those that keep its network namespaces; others come and go with other programs. */
export async function mountsOf(daemon: number, own: Paths, namespace: string): Promise<Counts> {
	const lines = ((await readProc(daemon, "mounts")) ?? "").split("\n");
	const among = (begins: readonly string[]) =>
		lines.filter((line) => begins.some((begin) => line.includes(` ${begin}`))).length;
	return {
		"below its folders": among([`${own.state}/`, `${own.run}/`]),
		"of its network": among([`/run/netns/${namespace}`]),
	};
}
