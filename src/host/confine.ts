import { spawn } from "node:child_process";
import { closeSync, openSync, readFileSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { identify, type ProcessIdentity } from "./process.ts";

/** What a confined process may see and use; everything else of the host is out of its sight. */
export interface Confinement {
	/** Name of the network namespace below /run/netns. */
	namespace: string;
	/** Numeric user and group that it runs as. */
	uid: number;
	/** `cgroup.procs` files that it enters first. */
	groups: readonly string[];
	/** Host folders or files, as `[host path, path inside]`. */
	writable: readonly (readonly [string, string])[];
	readable: readonly (readonly [string, string])[];
	/** Folders of its own in memory, which end with it; others find them below /proc/PID/root. */
	inMemory?: readonly { inside: string; bytes: number }[];
	/** Device nodes, as `[host path, path inside]`. */
	devices: readonly (readonly [string, string])[];
	/** Working folder inside. */
	workingFolder: string;
	environment?: Record<string, string>;
	/** It gets a /proc that shows itself and no other process: for what opens files by /proc/self/fd. */
	ownProc?: boolean;
	/**
	 * False: the kernel backs none of its memory with pages of 2 MiB (PR_SET_THP_DISABLE), of which what uses a few KiB here
	 * and there would take a whole one each.
	 */
	hugePages?: boolean;
	/**
	 * A command that runs with privileges inside the network namespace, before any confinement, and goes on with the words
	 * that follow it: it may open what the confined program could not, and add words at the end.
	 */
	opener?: readonly string[];
	/** How many files it may have open, or as many as this host lets anybody; as many as its parent when left out. */
	openFiles?: number;
	/** How much sooner than others it is ended when memory is short, 0 to 1000 (oom_score_adj); 200 when left out. */
	expendable?: number;
}

/** 157 is prctl on x86-64, 41 PR_SET_THP_DISABLE: prctl(2). No program of Debian's base system sets it for another. */
const smallPagesScript = `syscall(157, 41, 1, 0, 0, 0) == 0 or die "prctl: $!\n"; exec { $ARGV[0] } @ARGV or die "$ARGV[0]: $!\n"`;

/**
 * The command line that confines `command`: it may be ended before others when memory is short, enters the control groups and the network namespace, gets a root
 * file system with /usr and its own folders only (bubblewrap), and drops to its user without any privilege left.
 * bubblewrap stays as its parent and reports its pid on descriptor 3.
 */
export function confinedCommand(confinement: Confinement, command: readonly string[]): string[] {
	const { namespace, uid, groups, writable, readable, devices, workingFolder } = confinement;
	const expendable = confinement.expendable ?? 200;
	const files =
		confinement.openFiles === undefined
			? ""
			: `ulimit -n ${confinement.openFiles} 2> /dev/null || ulimit -n "$(ulimit -Hn)"; `;
	const enter = `while [ "$1" != -- ]; do echo 0 > "$1" || exit 125; shift; done; shift; ulimit -c 0; ${files}echo ${expendable} > /proc/self/oom_score_adj; exec "$@"`;
	return [
		...["sh", "-c", enter, "sh", ...groups, "--"],
		...["nsenter", `--net=/run/netns/${namespace}`],
		...(confinement.opener ?? []),
		...(confinement.hugePages === false ? ["perl", "-e", smallPagesScript] : []),
		...["bwrap", "--json-status-fd", "3", "--unshare-ipc", "--unshare-uts", "--clearenv"],
		// As process 1 of its own process namespace, without an init above it: its pid stays the one that bubblewrap tells.
		...(confinement.ownProc ? ["--unshare-pid", "--as-pid-1", "--proc", "/proc"] : []),
		...Object.entries(confinement.environment ?? {}).flatMap(([name, value]) => ["--setenv", name, value]),
		...["--ro-bind", "/usr", "/usr"],
		...["bin", "sbin", "lib", "lib64"].flatMap((name) => ["--symlink", `usr/${name}`, `/${name}`]),
		...["--dev", "/dev"],
		...parents([...readable, ...writable, ...devices]).flatMap((folder) => [
			"--perms",
			"0755",
			"--dir",
			folder,
		]),
		// Made by root, and used by nobody but the program: nobody else is here.
		...(confinement.inMemory ?? []).flatMap(({ inside, bytes }) => [
			...["--perms", "0777", "--size", `${bytes}`, "--tmpfs", inside],
		]),
		...devices.flatMap(([from, to]) => ["--dev-bind", from, to]),
		...readable.flatMap(([from, to]) => ["--ro-bind", from, to]),
		...writable.flatMap(([from, to]) => ["--bind", from, to]),
		...["--chdir", workingFolder, "--"],
		...["setpriv", "--reuid", `${uid}`, "--regid", `${uid}`, "--clear-groups", "--no-new-privs"],
		...["--bounding-set=-all", "--inh-caps=-all", "--ambient-caps=-all", "--"],
		...command,
	];
}

/** Folders above what is bound; bubblewrap would make them for root alone. */
function parents(binds: readonly (readonly [string, string])[]): string[] {
	return [...new Set(binds.map(([, to]) => dirname(to)))].filter((folder) => !["/", "/dev"].includes(folder));
}

export interface ConfinedProcess {
	/** The confined program itself, not bubblewrap above it. */
	readonly identity: ProcessIdentity;
	/** Resolves when the program has ended: its exit code, 128 + signal number when it was killed. */
	readonly ended: Promise<number>;
}

export interface LaunchFiles {
	/** Gets bubblewrap's status as JSON lines; the next daemon finds the pid there. */
	status: string;
	/** Gets standard output and standard error. */
	output: string;
}

/**
 * Starts a confined program that lives on when its parent dies.
 * @param descriptors passed on as 4, 5, …
 * @throws Error with what the program wrote when it ended before it had begun
 */
export async function launchConfined(
	confinement: Confinement,
	command: readonly string[],
	files: LaunchFiles,
	descriptors: readonly number[] = [],
): Promise<ConfinedProcess> {
	return await launchInBubble(confinedCommand(confinement, command), files, descriptors);
}

/**
 * Starts a command line whose bubblewrap reports on descriptor 3; as `launchConfined`.
 * @throws Error with what the program wrote when it ended before it had begun
 */
export async function launchInBubble(
	command: readonly string[],
	files: LaunchFiles,
	descriptors: readonly number[] = [],
): Promise<ConfinedProcess> {
	const [file = "", ...args] = command;
	const status = openSync(files.status, "w", 0o640);
	rmSync(files.output, { force: true });
	// For appending, so that it can be emptied while the program goes on writing.
	const output = openSync(files.output, "a", 0o640);
	let child: ReturnType<typeof spawn>;
	try {
		child = spawn(file, args, {
			stdio: ["ignore", output, output, status, ...descriptors],
			detached: true,
		});
	} finally {
		closeSync(status);
		closeSync(output);
	}
	const { promise: ended, resolve, reject } = Promise.withResolvers<number>();
	child.once("error", reject);
	child.once("exit", (code, signal) => resolve(code ?? (signal === "SIGKILL" ? 137 : 143)));
	child.unref();
	return { identity: await firstIdentity(files, ended), ended };
}

async function firstIdentity(files: LaunchFiles, ended: Promise<number>): Promise<ProcessIdentity> {
	let code: number | undefined;
	ended.then(
		(value) => {
			code = value;
		},
		() => {
			code = 127;
		},
	);
	const end = performance.now() + 10_000;
	while (code === undefined && performance.now() < end) {
		const identity = launchedProcess(files.status);
		if (identity) return identity;
		await delay(2);
	}
	const said = readFileSync(files.output, "utf8").trim().slice(-500);
	throw new Error(`could not be started (code ${code ?? "none within 10 s"})${said ? `: ${said}` : ""}`);
}

/** @returns the confined program that a status file tells of, when it still runs */
export function launchedProcess(statusFile: string): ProcessIdentity | undefined {
	let text: string;
	try {
		text = readFileSync(statusFile, "utf8");
	} catch {
		return undefined;
	}
	const pid = /"child-pid"\s*:\s*(\d+)/.exec(text)?.[1];
	return pid === undefined ? undefined : identify(Number(pid));
}
