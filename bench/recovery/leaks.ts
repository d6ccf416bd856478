import { median } from "../median.ts";
import type { Inventory } from "./inventory.ts";
import type { Verdict } from "./judge.ts";

/** Folders of sessions that are kept, as src/daemon/parts/launcher.ts has it. */
const sessionsKept = 20;

/** @returns each count that is not what it was, in words */
export function differences(before: Inventory["same"], after: Inventory["same"]): string[] {
	return (Object.keys(before) as (keyof Inventory["same"])[]).flatMap((what) => {
		const names = new Set([...Object.keys(before[what]), ...Object.keys(after[what])]);
		return [...names].flatMap((name) => {
			const [was, is] = [before[what][name] ?? 0, after[what][name] ?? 0];
			return was === is ? [] : [`${what}: ${name} ${was}, now ${is}`];
		});
	});
}

/**
 * How much a row of samples grew: the median of its last quarter less that of its second. The first quarter is left out:
 * programs take what they need as they begin.
 * @returns undefined for fewer than eight samples, which show no trend
 */
export function growthOf(samples: readonly number[]): number | undefined {
	const quarter = Math.floor(samples.length / 4);
	if (quarter < 2) return undefined;
	return median(samples.slice(-quarter)) - median(samples.slice(quarter, 2 * quarter));
}

export interface Memories {
	/** In the order of their taking, bytes: what the daemon's JavaScript holds after a collection of garbage (see Heap), `pss` of the daemon right after that, and `pss` of all other processes. */
	heap: readonly number[];
	daemon: readonly number[];
	processes: readonly number[];
}

/**
 * What the daemon's JavaScript, the whole daemon, and all processes of its sessions and front doors together, may grow by: see growthOf. */
export const mostGrowth = { heap: 2 * 2 ** 20, daemon: 16 * 2 ** 20, processes: 64 * 2 ** 20 } as const;

export function judgeLeaks(before: Inventory, after: Inventory, memories: Memories): Verdict[] {
	const { same } = after;
	const only = (...whats: (keyof Inventory["same"])[]) => {
		const found = differences(before.same, same).filter((text) =>
			whats.some((what) => text.startsWith(`${what}:`)),
		);
		return found.length === 0 ? null : found.join("; ");
	};
	return [
		{ promise: "no process and no control group is left", broken: only("processes", "controlGroups") },
		{
			promise: "no tap, forwarding entry, neighbour or rule is left",
			broken: only("interfaces", "network"),
		},
		{ promise: "the daemon has no more open files than before", broken: only("descriptors") },
		{ promise: "no socket below /run and no mount is left", broken: only("run", "mounts") },
		{ promise: "no memory in files and no throw-away disk is left", broken: only("memoryFiles", "disks") },
		{
			promise: `records of ${sessionsKept} sessions a server are kept, and no more`,
			broken: after.sessionFolders <= sessionsKept ? null : `${after.sessionFolders}`,
		},
		...(["heap", "daemon", "processes"] as const).map((whose) => grown(whose, memories[whose])),
	];
}

function grown(whose: keyof typeof mostGrowth, samples: readonly number[]): Verdict {
	const most = mostGrowth[whose];
	const growth = growthOf(samples);
	return {
		promise: `${grownWords[whose]} grows by less than ${inMiB(most)}`,
		broken: growth === undefined ? undefined : growth < most ? null : inMiB(growth),
	};
}

const grownWords = {
	heap: "what the daemon's JavaScript holds",
	daemon: "the memory of the daemon",
	processes: "the memory of its processes together",
} as const;

export function inMiB(bytes: number): string {
	return `${(bytes / 2 ** 20).toFixed(1)} MB`;
}
