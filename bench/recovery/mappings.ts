import { field } from "./memory.ts";

/** What a mapping of a QEMU process is for. */
export const mappingKinds = {
	seal: "pages of the seal's memory that it has read and not changed: shared with every session of the seal",
	changed: "pages of the guest's memory that it has written since it was loaded: copies of its own",
	translated: "TCG's translations of the guest's code (executable memory that no file stands behind)",
	heap: "QEMU's own heap, stacks, screen memory and tables",
	programs: "the program and its libraries: shared with every other QEMU",
} as const;
export type MappingKind = keyof typeof mappingKinds;

/** Bytes by what they are for; see `pss` of ProcessMemory. */
export type PssByKind = Record<MappingKind, number>;

/** @param smaps text of /proc/PID/smaps, see proc_pid_smaps(5). @throws Error for a text of another shape */
export function pssByKind(smaps: string): PssByKind {
	const sums: PssByKind = { seal: 0, changed: 0, translated: 0, heap: 0, programs: 0 };
	// Every mapping begins with its addresses: `7f00-7f10 rw-p 00000000 00:01 1027 /memfd:x (deleted)`.
	for (const mapping of smaps.split(/^(?=[0-9a-f]+-[0-9a-f]+ )/m)) {
		const head = /^\S+ (\S{4}) \S+ \S+ \d+ *(.*)$/m.exec(mapping);
		if (!head) continue;
		const [, permissions = "", name = ""] = head;
		const pss = field(mapping, "Pss");
		// Nobody else has a page that was copied for this process, unless it has forked, which QEMU does not.
		const copied = field(mapping, "Anonymous");
		if (name.startsWith("/memfd:bulkhead-seal-")) {
			sums.changed += copied;
			sums.seal += pss - copied;
		} else if (name.startsWith("/") && !name.startsWith("/memfd:")) sums.programs += pss;
		else if (permissions.includes("w") && permissions.includes("x")) sums.translated += pss;
		else sums.heap += pss;
	}
	return sums;
}

export function sumOf(pss: PssByKind): number {
	return Object.values(pss).reduce((sum, bytes) => sum + bytes, 0);
}
