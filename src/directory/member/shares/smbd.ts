import { once } from "node:events";
import { mkdir, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { networkInterfaces } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { BulkheadError } from "../../../api/errors.ts";
import { accepts } from "../../../host/accepts.ts";
import { run } from "../../../host/command.ts";
import { launchInBubble } from "../../../host/confine.ts";
import { readIfThere, writeFileAtomic } from "../../../host/files.ts";
import { endProcess, isAlive, type ProcessIdentity } from "../../../host/process.ts";
import { lastWords, processSeeing } from "../../../host/recorded.ts";
import { withoutSetId } from "../../../host/set-id.ts";
import { inside, type Member, memberFiles } from "../plan.ts";
import { bareView, entering, ownProcesses, runBeside } from "../view.ts";
import { insideShares, privileged, type Shares, shareEtc, shareFiles, shareFolders } from "./plan.ts";

const config = `${insideShares.own}/etc/smb.conf`;
const listensWithinMs = 15_000;
export const smbPort = 445;

/** To be the users who come, to give them what they make, and to listen on a port below 1024. */
const privileges = ["CHOWN", "DAC_OVERRIDE", "FOWNER", "NET_BIND_SERVICE", "SETGID", "SETUID"];

/**
 * The command line that runs smbd, or who speaks with it: it sees /usr, what is its own, of the membership the secrets by
 * which it opens tickets and the sockets at which winbindd is asked, and the folders that are shown to it, and no other of
 * the host's files, nor its processes. The network is the host's.
 */
export function shareView(
	folder: string,
	command: readonly string[],
	options: readonly string[] = [],
): string[] {
	const { etc, folder: own } = shareFiles(folder);
	const { secrets, sockets } = memberFiles(folder);
	const at = (name: string) => `${insideShares.own}/${name}`;
	const winbind = join(folder, "state", privileged);
	return [
		...bareView(options, privileges),
		// The users who come have to get through it, and bubblewrap would make it for root alone.
		...["--perms", "0755", "--dir", insideShares.own],
		...["--ro-bind", etc, "/etc", "--ro-bind", etc, at("etc")],
		...shareFolders.flatMap((name) => ["--bind", join(own, name), at(name)]),
		...["--bind", join(secrets, "secrets.tdb"), `${at("private")}/secrets.tdb`],
		...["--ro-bind", winbind, `${inside}/state/${privileged}`],
		// Its socket is the host's where the domain's users log in.
		...[
			"--dir",
			"/run",
			"--dir",
			"/run/samba",
			"--ro-bind",
			join(folder, "run/winbindd"),
			"/run/samba/winbindd",
		],
		...["--bind-try", sockets, "/run/samba/winbindd"],
		// Where Samba looks although it is told where its files are.
		...["lib", "cache", "log"].flatMap((name) => ["--tmpfs", `/var/${name}/samba`]),
		...["--perms", "0755", "--tmpfs", insideShares.at],
		"--",
		...command,
	];
}

/** @returns those of these addresses that the host has at this moment */
export function presentAddresses(wanted: readonly string[]): string[] {
	const all = Object.values(networkInterfaces()).flatMap((list) =>
		(list ?? []).map(({ address }) => address),
	);
	return wanted.filter((address) => all.includes(address));
}

/** @throws BulkheadError not-allowed-now when another program has the port */
export async function requirePort(addresses: readonly string[]): Promise<void> {
	for (const address of addresses) {
		const server = createServer();
		try {
			const listening = once(server, "listening", { signal: AbortSignal.timeout(1000) });
			server.listen({ host: address, port: smbPort });
			await listening;
		} catch (cause) {
			throw new BulkheadError("not-allowed-now", await takenText(address), { cause });
		} finally {
			server.close();
		}
	}
}

async function takenText(address: string): Promise<string> {
	const words = ["--no-header", "--listening", "--tcp", "--numeric", "--processes", `sport = :${smbPort}`];
	const { stdout } = await run("ss", words, { deadlineMs: 5000 });
	const who = /users:\(\("([^"]+)",pid=(\d+)/.exec(stdout);
	const by = who ? `${who[1]} (process ${who[2]})` : "another program, or a server's published service,";
	const mend =
		who?.[1] === "smbd"
			? "systemctl disable --now smbd, where nobody needs it"
			: "end it, or listen at other addresses";
	return `listen: ${by} has port ${smbPort} of ${address}; ${mend}`;
}

/** @returns its process, when it runs and winbindd can be asked where it looks for it */
export async function smbdProcess(folder: string): Promise<ProcessIdentity | undefined> {
	const { status, lock } = shareFiles(folder);
	return await processSeeing(status, `${insideShares.own}/lock`, lock);
}

/** Whether it finds the winbindd that is there now: the folder of its socket may have been made anew. */
export async function seesWinbind(folder: string, logins: boolean): Promise<boolean> {
	const sockets = logins ? "/run/samba/winbindd" : join(folder, "run/winbindd");
	return (await processSeeing(shareFiles(folder).status, "/run/samba/winbindd", sockets)) !== undefined;
}

/**
 * Starts smbd. It lives on when the daemon ends.
 * @param groups `cgroup.procs` files that it enters
 * @throws Error with its last words when it could not be started
 */
export async function startSmbd(
	folder: string,
	addresses: readonly string[],
	groups: readonly string[],
): Promise<void> {
	const { folder: own, status, output } = shareFiles(folder);
	for (const name of shareFolders) await mkdir(join(own, name), { recursive: true, mode: 0o700 });
	// It insists on a folder that everybody may enter; the one around it is root's alone.
	await mkdir(join(own, "ncalrpc"), { recursive: true, mode: 0o755 });
	const words = ["--foreground", "--no-process-group", `--configfile=${config}`];
	// By what it makes in a folder of the host nobody there is to be root.
	const { identity } = await withoutSetId(join(own, "filter"), async (filter, descriptor) => {
		const options = ["--new-session", "--json-status-fd", "3", ...filter, ...ownProcesses];
		const view = shareView(folder, ["smbd", ...words], options);
		return await launchInBubble([...entering(groups), ...view], { status, output }, [descriptor]);
	});
	const end = performance.now() + listensWithinMs;
	for (const host of addresses)
		while (!(await accepts({ host, port: smbPort }, 1000))) {
			if (!isAlive(identity)) throw new Error(await smbdWords(folder));
			if (performance.now() > end) {
				await endProcess(identity, 0);
				throw new Error(`smbd does not listen at ${host} within ${listensWithinMs / 1000} s`);
			}
			await delay(50);
		}
}

/** What it is told, anew. @returns whether that is another than before */
export async function writeConfig(
	folder: string,
	member: Member,
	shares: Pick<Shares, "shares">,
	addresses: readonly string[],
): Promise<boolean> {
	const { etc } = shareFiles(folder);
	await mkdir(etc, { recursive: true, mode: 0o755 });
	let changed = false;
	for (const [name, content] of Object.entries(shareEtc(member, shares, addresses))) {
		const path = join(etc, name);
		if ((await readIfThere(path)) === content) continue;
		await writeFileAtomic(path, content, 0o644);
		changed = true;
	}
	return changed;
}

/** @returns the addresses at which the one that runs was told to listen */
export async function toldAddresses(folder: string): Promise<string[]> {
	const text = (await readIfThere(shareFiles(folder).config)) ?? "";
	return /^interfaces = (.+)$/m.exec(text)?.[1]?.split(" ") ?? [];
}

/** Has it read its configuration again. @throws CommandError */
export async function reloadSmbd(folder: string): Promise<void> {
	await tell(folder, "reload-config");
}

/** Ends all use of a share. @throws CommandError */
export async function closeShare(folder: string, name: string): Promise<void> {
	await tell(folder, "close-share", name);
}

async function tell(folder: string, ...words: readonly string[]): Promise<void> {
	const smbd = await smbdProcess(folder);
	if (!smbd) throw new Error("smbd does not run");
	const command = ["smbcontrol", `--configfile=${config}`, "smbd", ...words];
	await runBeside(smbd, shareView(folder, command, ["--die-with-parent"]), { deadlineMs: 5000 });
}

/** @returns false when it does not end; who is connected to it is cut off with its control group */
export async function endSmbd(folder: string): Promise<boolean> {
	const running = await smbdProcess(folder);
	return running === undefined || (await endProcess(running, 3000));
}

/** @returns what it wrote last, in one line */
export async function smbdWords(folder: string): Promise<string> {
	return await lastWords("smbd", shareFiles(folder).output);
}

/** Removes all that was smbd's. */
export async function removeSmbd(folder: string): Promise<void> {
	await rm(shareFiles(folder).folder, { recursive: true, force: true, maxRetries: 10 });
}
