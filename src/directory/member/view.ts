import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { type RunOptions, run } from "../../host/command.ts";
import { readIfThere, writeFileAtomic } from "../../host/files.ts";
import type { ProcessIdentity } from "../../host/process.ts";
import { etcOf, folders, inside, type Member, memberFiles } from "./plan.ts";

/** What Samba's programs need of root: to own the files of users whose tickets they keep, and to be them. */
const privileges = ["CHOWN", "DAC_OVERRIDE", "FOWNER", "SETUID", "SETGID"];

/**
 * The command line that runs one of Samba's programs as the member whose folder this is: it sees /usr, the folder's inner
 * ones below /domain, an /etc of its own, and nothing else of the host's files; its sockets, which are below /run/samba, are
 * in the folder too. What root believes of the membership it does not see: a captured one would have files of the host
 * written, or folders of the host shown to the next one. The network is the host's.
 */
export function viewCommand(
	folder: string,
	command: readonly string[],
	options: readonly string[] = [],
	binds: readonly string[] = [],
	without: readonly string[] = [],
): string[] {
	const { etc, sockets } = memberFiles(folder);
	return [
		...bareView(
			options,
			privileges.filter((name) => !without.includes(name)),
		),
		...["--ro-bind", etc, "/etc", "--ro-bind", etc, `${inside}/etc`],
		...folders.flatMap((name) => ["--bind", join(folder, name), `${inside}/${name}`]),
		...["--dir", "/run", "--bind", join(folder, "run"), "/run/samba"],
		// With logins its socket is the host's.
		...["--bind-try", sockets, "/run/samba/winbindd"],
		// Where Samba looks although it is told where its files are.
		...["lib", "cache", "log"].flatMap((name) => ["--tmpfs", `/var/${name}/samba`]),
		...binds,
		"--",
		...command,
	];
}

/** What all views have: /usr, /proc, devices, and no more of root than these privileges. */
export function bareView(options: readonly string[], privileges: readonly string[]): string[] {
	const environment = { PATH: "/usr/sbin:/usr/bin", HOME: "/tmp", LC_ALL: "C.UTF-8" };
	return [
		...["bwrap", ...options, "--cap-drop", "ALL"],
		...privileges.flatMap((name) => ["--cap-add", `CAP_${name}`]),
		...["--unshare-ipc", "--unshare-uts", "--clearenv"],
		...Object.entries(environment).flatMap(([name, value]) => ["--setenv", name, value]),
		...["--ro-bind", "/usr", "/usr"],
		...["bin", "sbin", "lib", "lib64"].flatMap((name) => ["--symlink", `usr/${name}`, `/${name}`]),
		...["--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp"],
	];
}

/** Enters control groups first. @param groups `cgroup.procs` files */
export function entering(groups: readonly string[]): string[] {
	const enter =
		'while [ "$1" != -- ]; do echo 0 > "$1" || exit 125; shift; done; shift; ulimit -c 0; exec "$@"';
	return ["sh", "-c", enter, "sh", ...groups, "--"];
}

/** Makes the folder's inner folders and files. @param controllers in the order in which they are tried */
export async function furnish(folder: string, member: Member, controllers: readonly string[]): Promise<void> {
	await mkdir(folder, { recursive: true, mode: 0o700 });
	for (const name of folders) await mkdir(join(folder, name), { recursive: true, mode: 0o700 });
	// winbindd insists on a folder for its socket that everybody may enter; the one around it is root's alone.
	await mkdir(memberFiles(folder).etc, { recursive: true, mode: 0o755 });
	await arrange(folder, member, controllers);
}

/**
 * Has controllers tried in this order from now on: what runs reads the name servers and Kerberos' file again when they have
 * changed. @param controllers none leaves it as it is
 */
export async function arrange(folder: string, member: Member, controllers: readonly string[]): Promise<void> {
	if (controllers.length === 0) return;
	const files = { ...etcOf({ ...member, controllers: [...controllers] }), ...users };
	for (const [name, content] of Object.entries(files)) {
		const path = join(memberFiles(folder).etc, name);
		if ((await readIfThere(path)) !== content) await writeFileAtomic(path, content, 0o644);
	}
}

/** Of the host's users only root is known there; and nobody, without whom winbindd cannot tell the groups of a user. */
const users = {
	passwd: "root:x:0:0:root:/:/usr/sbin/nologin\nnobody:x:65534:65534:nobody:/:/usr/sbin/nologin\n",
	group: "root:x:0:\nnogroup:x:65534:\n",
};

/**
 * Runs one of Samba's programs as the member. All of it ends at the deadline and when it is cancelled.
 * @param alone in a process namespace of its own: all of it ends when the daemon is killed, too
 * @throws CommandError
 */
export async function asMember(
	folder: string,
	command: readonly string[],
	options: RunOptions & { alone?: boolean },
): Promise<{ stdout: string; stderr: string }> {
	const [own, binds] = options.alone ? [["--unshare-pid"], apart] : [[], []];
	const [file = "", ...args] = viewCommand(folder, command, ["--die-with-parent", ...own], binds);
	return await run(file, args, options);
}

/**
 * Samba's programs lock files that they share, and call each other, by their pids, which are the same ones in every process
 * namespace: what is in one of its own must not meet winbindd there.
 */
const apart = ["lock", "cache"].flatMap((name) => ["--tmpfs", `${inside}/${name}`]);

/**
 * What has a daemon that may become any user in a process namespace of its own: by the processes of a user of the host it
 * would get at all files. As process 1, so that the pid stays the one that bubblewrap tells, and all ends with it.
 */
export const ownProcesses = ["--unshare-pid", "--as-pid-1"];

/**
 * Runs one of Samba's programs among the processes of a daemon, which it speaks with by its pid.
 * @param view its command line. @throws CommandError
 */
export async function runBeside(
	daemon: ProcessIdentity,
	view: readonly string[],
	options: RunOptions,
): Promise<void> {
	// bubblewrap looks for its own process in /proc.
	const there = [`--pid=/proc/${daemon.pid}/ns/pid`, "--", "unshare", "--mount-proc"];
	await run("nsenter", [...there, ...view], options);
}

/** What `-A /dev/stdin` reads, so that a password is in no command line, environment or file. */
export function credentials({ user, password }: { user: string; password: string }): string {
	return `username = ${user}\npassword = ${password}\n`;
}
