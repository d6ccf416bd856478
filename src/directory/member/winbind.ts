import { existsSync } from "node:fs";
import { readdir, readlink } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { CommandError, run } from "../../host/command.ts";
import { launchInBubble } from "../../host/confine.ts";
import { endProcess, isAlive, type ProcessIdentity } from "../../host/process.ts";
import { lastWords, processSeeing } from "../../host/recorded.ts";
import { withoutSetId } from "../../host/set-id.ts";
import { ticketsFolder, ticketsGroup } from "./logins/tickets.ts";
import { inside, memberFiles } from "./plan.ts";
import { asMember, entering, ownProcesses, runBeside, viewCommand } from "./view.ts";

const config = `${inside}/etc/smb.conf`;
const answersWithinMs = 10_000;

/**
 * winbindd must not be process 1 itself: its children tell a parent of that number nothing (`set_domain_online` takes it for
 * the system's own, which has taken over orphans), and it would never know a controller. So a shell is, and ends with it.
 */
const underFirst = [
	...["sh", "-c"],
	'trap "kill \\$child" TERM; "$@" & child=$!; while kill -0 $child 2> /dev/null; do wait $child; done',
	"sh",
];

/**
 * Has winbindd run for a member: the one that an earlier daemon started, or another. It lives on when the daemon ends.
 * @param groups `cgroup.procs` files that it enters
 * @returns true when one was started
 * @throws Error with its last words when it could not be started
 */
export async function ensureWinbind(folder: string, groups: readonly string[]): Promise<boolean> {
	if (await winbindProcess(folder)) return false;
	const { status, output, sockets } = memberFiles(folder);
	const command = [...underFirst, "winbindd", "--foreground", "--no-process-group", `--configfile=${config}`];
	const logins = existsSync(sockets);
	const binds = logins ? ["--bind", ticketsFolder, "/tmp"] : [];
	const group = logins ? ["setpriv", "--groups", `${ticketsGroup}`] : [];
	const { identity } = await withoutSetId(join(folder, "filter"), async (filter, descriptor) => {
		const options = ["--new-session", "--json-status-fd", "3", ...filter, ...ownProcesses];
		// What it opens as root is root's, and tickets it makes as their users.
		const view = viewCommand(folder, command, options, binds, ["DAC_OVERRIDE"]);
		const files = { status, output };
		return await launchInBubble([...entering(groups), ...group, ...view], files, [descriptor]);
	});
	const end = performance.now() + answersWithinMs;
	while (!(await isAnswering(folder))) {
		if (!isAlive(identity)) throw new Error(await lastWordsOf(folder));
		if (performance.now() > end)
			throw new Error(`winbindd does not answer within ${answersWithinMs / 1000} s`);
		await delay(50);
	}
	return true;
}

/** Whether it can be asked, and told. */
async function isAnswering(folder: string): Promise<boolean> {
	return await asMember(folder, ["wbinfo", "--ping"], { deadlineMs: answersWithinMs }).then(
		() => true,
		(error: unknown) => {
			if (error instanceof CommandError) return false;
			throw error;
		},
	);
}

/** @returns its process, when it runs; a pid alone may be another program's by now */
export async function winbindProcess(folder: string): Promise<ProcessIdentity | undefined> {
	return await processSeeing(memberFiles(folder).status, `${inside}/private`, memberFiles(folder).secrets);
}

/** Ends winbindd, if it runs; its children end with it. @returns false when it does not end */
export async function endWinbind(folder: string): Promise<boolean> {
	const process = await winbindProcess(folder);
	return process === undefined || (await endProcess(process, 3000));
}

/**
 * Tells it that no controller can be reached, or that one can again. Without being told it finds out itself: the first
 * logon in between takes half a minute.
 * @throws CommandError, Error when it does not run
 */
export async function tellWinbind(
	folder: string,
	what: "offline" | "online",
	signal: AbortSignal,
): Promise<void> {
	const winbindd = await winbindProcess(folder);
	if (!winbindd) throw new Error("winbindd does not run");
	const command = ["smbcontrol", `--configfile=${config}`, "winbindd", what];
	const view = viewCommand(folder, command, ["--die-with-parent"]);
	await runBeside(winbindd, view, { deadlineMs: 5000, signal });
}

/**
 * Ends its connections to controllers that do not answer, and nobody else's: whoever logs in at that moment would wait
 * half a minute for the answer. Needs a kernel with CONFIG_INET_DIAG_DESTROY; without it this does nothing.
 * @param pids winbindd and its children
 * @returns with which of them there were any
 * @throws CommandError
 */
export async function cutWinbind(
	pids: readonly number[],
	controllers: readonly string[],
): Promise<Set<string>> {
	const cut = new Set<string>();
	const own = new Set((await Promise.all(pids.map(socketsOf))).flat());
	for (const controller of controllers) {
		const filter = ["--numeric", "dst", controller];
		const words = ["--no-header", "--extended", "--tcp", "--udp", ...filter];
		const { stdout } = await run("ss", words, { deadlineMs: 5000 });
		for (const line of stdout.split("\n")) {
			const protocol = /^(tcp|udp)\b/.exec(line)?.[1];
			const inode = /\bino:(\d+)/.exec(line)?.[1];
			const port = /:(\d+)\s/.exec(line)?.[1];
			if (protocol === undefined || inode === undefined || port === undefined || !own.has(inode)) continue;
			await run("ss", ["--kill", `--${protocol}`, ...filter, "sport", "=", `:${port}`], { deadlineMs: 5000 });
			cut.add(controller);
		}
	}
	return cut;
}

/** @returns inodes of the sockets that a process has open; none when it has ended */
async function socketsOf(pid: number): Promise<string[]> {
	const folder = `/proc/${pid}/fd`;
	const links = await readdir(folder).catch(() => []);
	const targets = await Promise.all(links.map((name) => readlink(`${folder}/${name}`).catch(() => "")));
	return targets.flatMap((target) => /^socket:\[(\d+)\]$/.exec(target)?.[1] ?? []);
}

/** @returns whether it has a connection to the domain. @throws CommandError when it does not answer */
export async function isConnected(folder: string, workgroup: string, signal: AbortSignal): Promise<boolean> {
	const { stdout } = await asMember(folder, ["wbinfo", "--online-status"], { deadlineMs: 10_000, signal });
	return (
		stdout.includes(`\n${workgroup} : active connection`) ||
		stdout.startsWith(`${workgroup} : active connection`)
	);
}

/** @returns why the domain does not believe the host's password, in Samba's words; null when it does */
export async function trustTrouble(folder: string): Promise<string | null> {
	try {
		await asMember(folder, ["wbinfo", "--check-secret"], { deadlineMs: 15_000 });
		return null;
	} catch (error) {
		if (!(error instanceof CommandError)) throw error;
		return error.stderr.trim().split("\n").at(0) || error.message;
	}
}

/**
 * Has it change the host's password in the domain, which it does in steps that can be taken up again, whatever ends it
 * (trust_pw_change in trusts_util.c). Who has a ticket for the host goes on with it: the password before counts as well.
 * @throws CommandError
 */
export async function changeSecret(folder: string, workgroup: string, signal: AbortSignal): Promise<void> {
	const command = ["wbinfo", "--change-secret", `--domain=${workgroup}`];
	await asMember(folder, command, { deadlineMs: 30_000, signal });
}

/** @returns what winbindd wrote last, in one line */
export async function lastWordsOf(folder: string): Promise<string> {
	return await lastWords("winbindd", memberFiles(folder).output);
}
