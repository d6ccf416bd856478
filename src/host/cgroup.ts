import { readFileSync } from "node:fs";
import { mkdir, readdir, readFile, rmdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

/** Hard limits for everything inside one control group. */
export interface GroupLimits {
	memoryBytes: number;
	/** Processors' worth of time, 1.5 being one and a half. */
	cpus: number;
	/** Processes and threads. */
	tasks: number;
	/**
	 * Share against other groups beside it when processors are short: 100 is the kernel's own default. `idle` yields at
	 * once to whoever else wants to run (cpu.idle, from Linux 5.15 on; before it the smallest share).
	 */
	cpuWeight: number | "idle";
}

type Controller = "memory" | "cpu" | "pids";
const controllers: readonly Controller[] = ["memory", "cpu", "pids"];

interface Hierarchy {
	version: 1 | 2;
	root: string;
}

/** Where each controller can be reached on this host; a missing one means that its limit cannot be kept. */
export type GroupSupport = Partial<Record<Controller, Hierarchy>>;

/** Looks through the mounted hierarchies: cgroup v2 where it has the controller, else v1. */
export function detectGroupSupport(mounts = readFileSync("/proc/self/mounts", "utf8")): GroupSupport {
	const support: GroupSupport = {};
	for (const line of mounts.split("\n")) {
		const [, root = "", type, options = ""] = line.split(" ");
		const offered = type === "cgroup" ? options.split(",") : type === "cgroup2" ? offeredBy(root) : [];
		for (const controller of controllers) {
			if (!offered.includes(controller)) continue;
			if (type === "cgroup2") support[controller] = { version: 2, root };
			else support[controller] ??= { version: 1, root };
		}
	}
	return support;
}

function offeredBy(root: string): string[] {
	try {
		return readFileSync(join(root, "cgroup.controllers"), "utf8").trim().split(" ");
	} catch {
		return [];
	}
}

/** A control group with hard limits; processes that enter it, and all their children, are held by them. */
export class ControlGroup {
	readonly folders: readonly string[];
	private constructor(folders: readonly string[]) {
		this.folders = folders;
	}

	/** @param path below the hierarchy's root, such as `bulkhead/office/dc1-7` */
	static async create(path: string, limits: GroupLimits, support: GroupSupport): Promise<ControlGroup> {
		const folders = new Set<string>();
		for (const controller of controllers) {
			const hierarchy = support[controller];
			if (!hierarchy) continue;
			const folder = await makeFolder(hierarchy, path, controller);
			await applyLimits(controller, hierarchy.version, folder, limits);
			folders.add(folder);
		}
		return new ControlGroup([...folders]);
	}

	/** The group as it may have been left by an earlier daemon. */
	static at(path: string, support: GroupSupport): ControlGroup {
		const roots = new Set(controllers.flatMap((c) => support[c]?.root ?? []));
		return new ControlGroup([...roots].map((root) => join(root, path)));
	}

	/** Changes the share of a group alone; nothing happens where there is no such group (any more). */
	static async weigh(
		path: string,
		cpuWeight: GroupLimits["cpuWeight"],
		support: GroupSupport,
	): Promise<void> {
		const hierarchy = support.cpu;
		if (!hierarchy) return;
		for (const [file, value, optional] of shareOf(hierarchy.version, cpuWeight))
			await writeFile(join(hierarchy.root, path, file), value).catch((error: NodeJS.ErrnoException) => {
				if (!optional && error.code !== "ENOENT") throw error;
			});
	}

	/** Files to which a process writes `0` to enter the group. */
	get entries(): string[] {
		return this.folders.map((folder) => join(folder, "cgroup.procs"));
	}

	/** @returns the pids inside, of all hierarchies */
	async pids(): Promise<number[]> {
		const found = new Set<number>();
		for (const entry of this.entries) {
			const text = await readFile(entry, "utf8").catch(() => "");
			for (const line of text.split("\n")) if (line) found.add(Number(line));
		}
		return [...found];
	}

	/** Ends everything inside and removes the group. @returns the pids that would not end within 5 s */
	async destroy(): Promise<number[]> {
		const end = performance.now() + 5000;
		for (;;) {
			const pids = await this.pids();
			for (const pid of pids) killNow(pid);
			if (pids.length === 0 && (await this.remove())) return [];
			if (performance.now() > end) return await this.pids();
			await delay(5);
		}
	}

	private async remove(): Promise<boolean> {
		let gone = true;
		for (const folder of this.folders) {
			await rmdir(folder).catch((error: NodeJS.ErrnoException) => {
				if (error.code !== "ENOENT") gone = false;
			});
		}
		return gone;
	}
}

/** @returns the names of the groups directly below a path, in whichever hierarchy they are */
export async function listGroups(path: string, support: GroupSupport): Promise<string[]> {
	const names = new Set<string>();
	for (const folder of ControlGroup.at(path, support).folders) {
		const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
		for (const entry of entries) if (entry.isDirectory()) names.add(entry.name);
	}
	return [...names].sort();
}

function killNow(pid: number): void {
	try {
		process.kill(pid, "SIGKILL");
	} catch {
		// It ended between the listing and the signal.
	}
}

async function makeFolder(hierarchy: Hierarchy, path: string, controller: Controller): Promise<string> {
	let folder = hierarchy.root;
	for (const part of path.split("/")) {
		// In version 2 a group may only use a controller that its parent passes on.
		if (hierarchy.version === 2) await writeFile(join(folder, "cgroup.subtree_control"), `+${controller}`);
		folder = join(folder, part);
		await mkdir(folder, { recursive: true });
	}
	return folder;
}

async function applyLimits(
	controller: Controller,
	version: 1 | 2,
	folder: string,
	limits: GroupLimits,
): Promise<void> {
	for (const [file, value, optional] of settings(controller, version, limits)) {
		try {
			await writeFile(join(folder, file), value);
		} catch (error) {
			// Swap accounting is a kernel option; without it memory alone is limited. And cpu.idle is new.
			if (!optional) throw error;
		}
	}
}

type Setting = [file: string, value: string, optional?: boolean];

/** An idle group takes no share: it has to be made an ordinary one before. */
function shareOf(version: 1 | 2, weight: GroupLimits["cpuWeight"]): Setting[] {
	const number = weight === "idle" ? 1 : weight;
	const ordinary: Setting[] = [
		["cpu.idle", "0", true],
		version === 2
			? ["cpu.weight", String(number)]
			: ["cpu.shares", String(Math.max(2, Math.round(number * 10.24)))],
	];
	return weight === "idle" ? [...ordinary, ["cpu.idle", "1", true]] : ordinary;
}

function settings(controller: Controller, version: 1 | 2, limits: GroupLimits): Setting[] {
	const period = 100_000;
	const quota = String(Math.round(limits.cpus * period));
	const memory = String(limits.memoryBytes);
	switch (controller) {
		case "memory":
			return version === 2
				? [
						["memory.max", memory],
						["memory.swap.max", "0", true],
					]
				: [
						["memory.limit_in_bytes", memory],
						["memory.memsw.limit_in_bytes", memory, true],
					];
		case "cpu":
			return version === 2
				? [["cpu.max", `${quota} ${period}`], ...shareOf(version, limits.cpuWeight)]
				: [
						["cpu.cfs_period_us", String(period)],
						["cpu.cfs_quota_us", quota],
						...shareOf(version, limits.cpuWeight),
					];
		case "pids":
			return [["pids.max", String(limits.tasks)]];
	}
}
