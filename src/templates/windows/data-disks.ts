import type { Problem } from "../../api/problem.ts";
import type { Answers, Role } from "../../api/windows.ts";

/** A data disk of the server, as far as it matters to roles that make a volume of one. */
export interface DataDisk {
	name: string;
	/** Whether it comes from an image, with what is on it. */
	filled: boolean;
}

type DiskRole = Extract<Role, { role: "exchange-disk" | "sql-server-disk" }>;

export function isDiskRole(role: Role): role is DiskRole {
	return role.role === "exchange-disk" || role.role === "sql-server-disk";
}

/** Roles in the order in which they are done: what takes any disk comes after those that want one of their own. */
export function inOrder(roles: readonly Role[]): Role[] {
	const takesAny = (role: Role) => isDiskRole(role) && role.disk === undefined;
	return [...roles.filter((role) => !takesAny(role)), ...roles.filter(takesAny)];
}

/**
 * Which data disk each of these roles takes: the one that it names, else the first that has nothing on it. The scripts of
 * newer Windows decide the same by what they see (scripts/disks.ps1).
 * @returns positions in `data`; a role without one has no disk that it may take
 */
export function diskChoices(roles: readonly Role[], data: readonly DataDisk[]): Map<DiskRole, number> {
	const chosen = new Map<DiskRole, number>();
	const taken = new Set<number>();
	for (const role of inOrder(roles).filter(isDiskRole)) {
		const position = data.findIndex(
			({ name, filled }, at) => !filled && !taken.has(at) && (role.disk === undefined || role.disk === name),
		);
		if (position < 0) continue;
		taken.add(position);
		chosen.set(role, position);
	}
	return chosen;
}

/**
 * What would have a role format a disk that something is on, or none. For a server that is about to be made: later its
 * disks may be others.
 * @returns problems with paths relative to `answers:`
 */
export function dataDiskProblems({ roles = [] }: Answers, data: readonly DataDisk[]): Problem[] {
	const chosen = diskChoices(roles, data);
	return roles.flatMap((role, index) => {
		if (!isDiskRole(role)) return [];
		const message = diskProblem(role, chosen.has(role), data);
		return message === undefined ? [] : [{ path: ["roles", index, "disk"], message }];
	});
}

function diskProblem({ disk }: DiskRole, hasOne: boolean, data: readonly DataDisk[]): string | undefined {
	const filled = data.filter((one) => one.filled).map(({ name }) => name);
	if (disk !== undefined && filled.includes(disk))
		return `${disk} comes from an image, and what is on it would be lost; name a data disk without \`image:\`, or leave the role out`;
	if (!hasOne) return "there is no empty data disk for it; add one under `data:`, and name it here";
	// Windows takes one without partitions for empty, whatever else is on it.
	if (disk === undefined && filled.length > 0)
		return `is missing: ${filled[0]} comes from an image, and Windows might take it for empty; name the data disk that is meant`;
	return undefined;
}
