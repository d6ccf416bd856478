import { readdir } from "node:fs/promises";
import { run } from "../host/command.ts";

const folder = "/run/netns";
/** Milliseconds; each of these commands takes a few, more on a host that swaps. */
const deadlineMs = 10_000;

/** @returns the names of this host's network namespaces, sorted */
export async function namespaces(): Promise<string[]> {
	return (await readdir(folder).catch(() => [])).sort();
}

/** `ip ARGS` for a namespace. @throws CommandError */
export async function ip(namespace: string, ...args: string[]): Promise<string> {
	return (await run("ip", ["-n", namespace, ...args], { deadlineMs })).stdout;
}

/** Several commands of `ip`, a line each, in one process. @throws CommandError; the lines before the wrong one stay done */
export async function ipBatch(namespace: string, lines: readonly string[]): Promise<void> {
	await run("ip", ["-n", namespace, "-batch", "-"], { deadlineMs, input: `${lines.join("\n")}\n` });
}

/** Runs a command inside a namespace. @throws CommandError */
export async function inside(
	namespace: string,
	command: readonly string[],
	input = "",
	withinMs = deadlineMs,
	signal?: AbortSignal,
): Promise<string> {
	const args = [`--net=${pathOf(namespace)}`, "--", ...command];
	return (await run("nsenter", args, { deadlineMs: withinMs, input, ...(signal ? { signal } : {}) })).stdout;
}

/** @returns where a namespace can be entered */
export function pathOf(namespace: string): string {
	return `${folder}/${namespace}`;
}

/** @returns the command that starts a shell inside a namespace */
export function shellInside(namespace: string): [string, ...string[]] {
	return ["nsenter", `--net=${pathOf(namespace)}`, "--", "sh"];
}

export async function addNamespace(namespace: string): Promise<void> {
	await run("ip", ["netns", "add", namespace], { deadlineMs });
}

export async function deleteNamespace(namespace: string): Promise<void> {
	await run("ip", ["netns", "del", namespace], { deadlineMs });
}

/** One interface as `ip -j -d addr` tells of it; only what we look at. */
export interface Link {
	ifname: string;
	ifindex: number;
	address?: string;
	flags?: string[];
	linkinfo?: { info_kind?: string };
	addr_info?: { family: string; local: string; prefixlen: number }[];
}

/** @returns all interfaces of a namespace */
export async function links(namespace: string): Promise<Link[]> {
	return JSON.parse(await ip(namespace, "-j", "-d", "addr", "show")) as Link[];
}

/** Writes kernel settings below /proc/sys of a namespace; those that this kernel does not have are left out. */
export async function setKernel(namespace: string, settings: KernelSettings): Promise<void> {
	await inside(namespace, settingCommand(settings));
}

export type KernelSettings = Readonly<Record<string, number | string>>;

/** The command of `setKernel`, for the network that it is run in. */
export function settingCommand(settings: KernelSettings): string[] {
	const script = 'while [ $# -gt 0 ]; do [ ! -e "$1" ] || echo "$2" > "$1" || exit 1; shift 2; done';
	const pairs = Object.entries(settings).flatMap(([name, value]) => [`/proc/sys/${name}`, `${value}`]);
	return ["sh", "-c", script, "sh", ...pairs];
}
