import { readFileSync } from "node:fs";

/** Less than this share of the host's memory is a shortage: the kernel soon ends processes. */
const shortage = 0.05;

/** Whether the host has so little memory to spare that what is not needed at once should go. */
export function isShortOfMemory(meminfo = readFileSync("/proc/meminfo", "latin1")): boolean {
	const total = field(meminfo, "MemTotal");
	const available = field(meminfo, "MemAvailable");
	return total !== undefined && available !== undefined && available < total * shortage;
}

/** Kibibytes, see proc_meminfo(5). */
function field(meminfo: string, name: string): number | undefined {
	const value = new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(meminfo)?.[1];
	return value === undefined ? undefined : Number(value);
}
