import type { Stats } from "node:fs";
import { lstat, readFile, realpath } from "node:fs/promises";
import { dirname, isAbsolute, normalize } from "node:path";
import { BulkheadError, explain } from "../../../api/errors.ts";
import { CommandError, run } from "../../../host/command.ts";
import { errorCode } from "../../../host/files.ts";
import { groupNumber, userNumbers } from "../plan.ts";
import { mountPoints, placeOf } from "./mounts.ts";
import type { Rights, Share } from "./plan.ts";

/** Only root can read and write it: user_namespaces(7), xattr(7). */
const markName = "trusted.bulkhead.share";
const probeName = "user.bulkhead.probe";
const deadlineMs = 5000;
/** What the host itself lives by: neither these nor anything in them is for users of a domain. */
const systemFolders = [
	...["/bin", "/boot", "/dev", "/etc", "/lib", "/lib32", "/lib64", "/libx32", "/proc"],
	...["/root", "/run", "/sbin", "/sys", "/usr", "/var"],
];
/** Shared as a whole they would show what is none of the domain's business. */
const notAsAWhole = ["/", "/home", "/mnt", "/media", "/opt", "/srv", "/tmp"];

function refusal(why: string): BulkheadError {
	return new BulkheadError("bad-input", `path: ${why}`);
}

/**
 * @param own folders of Bulkhead's own. @param shares those that there are already
 * @throws BulkheadError when a folder of this name is not for sharing; pure
 */
export function refusePath(path: string, own: readonly string[], shares: readonly Share[]): void {
	if (/\p{Cc}/u.test(path)) throw refusal("it has line breaks or other control characters");
	if (!isAbsolute(path) || normalize(path) !== path || (path !== "/" && path.endsWith("/")))
		throw refusal(`${path} is not the whole path of a folder, as in /srv/documents`);
	if (notAsAWhole.includes(path))
		throw refusal(`${path} is not shared as a whole; make a folder of its own in it, as ${join1(path)}`);
	const system = systemFolders.find((one) => isIn(path, one));
	if (system !== undefined)
		throw refusal(`${system} is the system's own; share a folder elsewhere, as /srv/documents`);
	const mine = own.find((one) => isIn(path, one) || isIn(one, path));
	if (mine !== undefined)
		throw refusal(`${mine} is Bulkhead's own, with the disks of its servers; share a folder elsewhere`);
	const other = shares.find((one) => isIn(path, one.path) || isIn(one.path, path));
	if (other) throw refusal(`${other.path} is shared as ${other.name} already, and one lies in the other`);
}

const join1 = (path: string) => `${path === "/" ? "/srv" : path}/documents`;

const isIn = (path: string, folder: string) =>
	path === folder || path.startsWith(folder === "/" ? "/" : `${folder}/`);

/**
 * Nobody but root can put another folder in its place, from the root on.
 * @throws BulkheadError when it is no folder, or somebody could
 */
export async function requireFolder(path: string): Promise<void> {
	for (const one of [...parentsOf(path), path]) {
		const facts = await lstat(one).catch((error: unknown) => {
			if (errorCode(error) === "ENOENT") throw refusal(`there is no ${one}; make it first: mkdir ${path}`);
			throw refusal(`${one} cannot be looked at (${explain(error)})`);
		});
		if (facts.isSymbolicLink()) throw refusal(`${one} is a link; name the folder that it leads to`);
		if (!facts.isDirectory()) throw refusal(`${one} is no folder`);
		if (one !== path) refuseWritable(one, facts);
		else refuseOwner(one, facts);
	}
}

/**
 * What is mounted there later is not seen in the share.
 * @param own as `refusePath`. @throws BulkheadError
 */
export async function requireGoodMounts(path: string, own: readonly string[]): Promise<void> {
	const mountinfo = await readFile("/proc/self/mountinfo", "utf8");
	refuseMounts(path, mountinfo);
	const real = await Promise.all(own.map(async (one) => await realpath(one).catch(() => one)));
	refuseOwnElsewhere(path, real, mountinfo);
}

function parentsOf(path: string): string[] {
	const parent = dirname(path);
	return parent === path ? [] : [...parentsOf(parent), parent];
}

function refuseWritable(path: string, { uid, mode }: Stats): void {
	if (uid !== 0)
		throw refusal(`${path} is not root's, and whose it is could put another folder in its place`);
	// With the sticky bit, as /tmp has it, only a folder's own owner can.
	if (mode & 0o022 && !(mode & 0o1000))
		throw refusal(
			`others than root may write to ${path}, and put another folder in its place; chmod go-w ${path}`,
		);
}

/** Somebody of the domain owns it where it was shared before, and its rights were changed from Windows. */
function refuseOwner(path: string, { uid, mode }: Stats): void {
	const [first, last] = userNumbers;
	if (uid !== 0 && (uid < first || uid > last))
		throw refusal(`${path} is not root's; make a folder of its own for the share, or chown root ${path}`);
	if (mode & 0o002) throw refusal(`everybody on this host may write to ${path}; chmod o-w ${path}`);
}

/** @param mountinfo proc(5); pure */
export function refuseMounts(path: string, mountinfo: string): void {
	const below = mountPoints(mountinfo).find((one) => one.startsWith(`${path}/`));
	if (below !== undefined)
		throw refusal(
			`${below} is mounted in it, which would not be seen there; share that by itself, or unmount it`,
		);
}

/** @param own of real paths. @throws BulkheadError when one of them is mounted there too, or it in one of them; pure */
export function refuseOwnElsewhere(path: string, own: readonly string[], mountinfo: string): void {
	const here = placeOf(path, mountinfo);
	const same = own.find((one) => {
		const place = placeOf(one, mountinfo);
		return place.device === here.device && (isIn(here.path, place.path) || isIn(place.path, here.path));
	});
	if (same !== undefined)
		throw refusal(`what is there is what ${same} has, which is Bulkhead's own; share another`);
}

/** @returns what `closeFolder` puts back. @throws BulkheadError when its file system keeps no access lists */
export async function rightsOf(path: string): Promise<Rights> {
	try {
		const acl = await attr("getfacl", "--absolute-names", "--numeric", "--omit-header", path);
		return { acl, inode: (await lstat(path)).ino };
	} catch (error) {
		throw lacking(path, error);
	}
}

/**
 * Marks a folder, and lets groups of the domain into it and into all that will be made in it; what is in it already is left
 * as it is. When that was interrupted or fails, `closeFolder` undoes it.
 * @throws BulkheadError when its file system cannot keep that
 */
export async function openFolder({ path, groups, readOnly, mark }: Share): Promise<void> {
	try {
		// The first of all: by it `closeFolder` knows that there is something to undo.
		await attr("setfattr", "-n", markName, "-v", mark, path);
		await attr("setfattr", "-n", probeName, "-v", "1", path);
		await attr("setfattr", "-x", probeName, path);
		const rights = readOnly ? "r-x" : "rwx";
		const entries = groups.flatMap(({ sid }) => {
			const entry = `g:${groupNumber(sid)}:${rights}`;
			return [entry, `d:${entry}`];
		});
		// What is made by users is not for others of the host's own.
		await attr("setfacl", "-m", [...entries, "d:u::rwx", "d:g::---", "d:o::---"].join(","), path);
	} catch (error) {
		throw lacking(path, error);
	}
}

/**
 * Undoes what `openFolder` has done, or begun. May be called again when it was interrupted.
 * @param before what `rightsOf` said then
 * @throws Error when the folder is another one, which may be that its disk is not mounted; CommandError
 */
export async function closeFolder({ path, mark }: Share, before: Rights): Promise<void> {
	if ((await lstat(path)).ino !== before.inode) throw new Error(`${path} is another folder now`);
	if ((await markOf(path)) !== mark) return;
	await attr("setfattr", "-x", probeName, path).catch(ignoreMissing);
	// Entries for what will be made in it stay when none are given.
	await attr("setfacl", "--remove-default", path);
	await run("setfacl", ["--set-file=-", "--", path], { deadlineMs, input: before.acl });
	await attr("setfattr", "-x", markName, path);
}

function lacking(path: string, error: unknown): unknown {
	if (!(error instanceof CommandError)) return error;
	const said = error.stderr.trim().split("\n").at(-1) || error.message;
	return refusal(
		`the file system of ${path} keeps no access lists or attributes of files (${said}), which Windows' rights need; take one of ext4, XFS or Btrfs`,
	);
}

/** It is not there. */
function ignoreMissing(error: unknown): void {
	if (!(error instanceof CommandError) || !/No such attribute/.test(error.stderr)) throw error;
}

async function attr(program: string, ...words: readonly string[]): Promise<string> {
	const name = words.at(-1) ?? "";
	return (await run(program, [...words.slice(0, -1), "--", name], { deadlineMs })).stdout;
}

/** @returns what a folder is marked with; undefined when it is not. @throws CommandError */
async function markOf(path: string): Promise<string | undefined> {
	try {
		return (await attr("getfattr", "--only-values", "--absolute-names", "-n", markName, path)).trim();
	} catch (error) {
		if (error instanceof CommandError && /No such attribute|not supported/.test(error.stderr))
			return undefined;
		throw error;
	}
}

/**
 * @returns why a share's folder is not the one that was shared; null when it is
 * @throws CommandError when that cannot be told: a busy host is no reason to shut anybody out
 */
export async function folderTrouble({ name, path, mark }: Share): Promise<string | null> {
	try {
		await requireFolder(path);
		if ((await markOf(path)) === mark) return null;
	} catch (error) {
		if (error instanceof BulkheadError) return error.message;
		throw error;
	}
	return `${path} is not the folder that was shared; is its disk mounted? Where it was restored from a copy: bulkhead domain share remove ${name}, and add it again`;
}

/** Takes the mark away; rights stay, as what is in the folder may depend on them. @throws CommandError */
export async function unmark(share: Share): Promise<void> {
	if ((await folderTrouble(share)) === null) await attr("setfattr", "-x", markName, share.path);
}
