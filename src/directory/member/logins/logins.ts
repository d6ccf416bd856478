import { access, chmod, mkdir, readFile, rm, rmdir, symlink } from "node:fs/promises";
import { join } from "node:path";
import { BulkheadError } from "../../../api/errors.ts";
import { accepts } from "../../../host/accepts.ts";
import { readIfThere } from "../../../host/files.ts";
import { processSeeing } from "../../../host/recorded.ts";
import { memberFiles } from "../plan.ts";
import {
	type AllowedGroup,
	editsFor,
	ownFiles,
	refuseLentNumber,
	refuseOtherStack,
	refuseTakenNumbers,
} from "./edits.ts";
import { change, putBack } from "./kept.ts";
import { makeTicketsFolder, removeTicketsFolder } from "./tickets.ts";

/** Where libnss_winbind and pam_winbind look for winbindd, each compiled in; neither follows a link there. */
const socketFolder = "/run/samba/winbindd";
const socket = join(socketFolder, "pipe");

const modules = {
	"libnss-winbind": "libnss_winbind.so.2",
	"libpam-winbind": "security/pam_winbind.so",
	"libpam-modules": "security/pam_mkhomedir.so",
};
const libraries = ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib"];

/** @throws BulkheadError host-lacks, not-allowed-now: the domain's users could not log in here, or its own users not for sure */
export async function requireLogins(): Promise<void> {
	const lacking: string[] = [];
	for (const [name, file] of Object.entries(modules)) if (!(await isInstalled(file))) lacking.push(name);
	if (lacking.length > 0)
		throw new BulkheadError(
			"host-lacks",
			`logins: needs Debian's ${lacking.join(" and ")}; as root: apt-get install --no-install-recommends ${lacking.join(" ")}`,
		);
	refuseOtherStack(await readIfThere("/etc/pam.d/common-auth"));
	await refuseTaken();
	await refuseAnotherWinbind();
	for (const { path, apply } of editsFor(null)) apply(await readFile(path, "utf8").catch(() => null));
}

/** @throws BulkheadError when somebody of the host's own would be taken for a member of this group of the domain */
export async function requireOwnNumber(gid: number): Promise<void> {
	await refuseTaken();
	refuseLentNumber((await readIfThere("/etc/subgid")) ?? "", gid);
}

async function refuseTaken(): Promise<void> {
	for (const path of ownFiles) refuseTakenNumbers(path, await readFile(path, "utf8"));
}

async function isInstalled(file: string): Promise<boolean> {
	const found = await Promise.all(
		libraries.map(async (folder) =>
			access(join(folder, file)).then(
				() => true,
				() => false,
			),
		),
	);
	return found.includes(true);
}

/** Has the host's files ask the member that is in this folder. @throws BulkheadError; `closeLogins` undoes what was half done */
export async function openLogins(folder: string, group: AllowedGroup | null): Promise<void> {
	const { sockets, loginsRecord } = memberFiles(folder);
	await symlink(socketFolder, sockets);
	await change(loginsRecord, editsFor(group));
}

/** Puts the host's files back, of a member with logins and of any other. @returns those that somebody else had changed since */
export async function closeLogins(folder: string): Promise<string[]> {
	// What is retracted is the same with any group.
	const { sockets, loginsRecord } = memberFiles(folder);
	const edited = await putBack(loginsRecord, editsFor({ name: "", sid: "" }));
	const had = await access(sockets).then(
		() => true,
		() => false,
	);
	if (had && !(await accepts({ path: socket }, 1000))) {
		await rm(socket, { force: true });
		await rmdir(socketFolder).catch(() => {});
		await removeTicketsFolder();
	}
	return edited;
}

/** Makes the folders for winbindd's socket and for tickets, which are gone after each boot. @throws BulkheadError when another winbindd is there */
export async function makeLoginFolders(): Promise<void> {
	await refuseAnotherWinbind();
	await mkdir(socketFolder, { recursive: true, mode: 0o755 });
	// Whatever the daemon's umask: winbindd insists on it.
	await chmod(socketFolder, 0o755);
	await makeTicketsFolder();
}

/** Whether a member's winbindd has its socket where the host's programs look for it. */
export async function isReachable(folder: string): Promise<boolean> {
	const { status } = memberFiles(folder);
	return (await processSeeing(status, socketFolder, socketFolder)) !== undefined;
}

async function refuseAnotherWinbind(): Promise<void> {
	if (!(await accepts({ path: socket }, 1000))) return;
	throw new BulkheadError(
		"not-allowed-now",
		`logins: another winbindd answers at ${socket}; as root: systemctl disable --now winbind`,
	);
}
