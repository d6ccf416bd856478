import { readFile } from "node:fs/promises";
import { posix } from "node:path";
import { run } from "../../../host/command.ts";
import type { ProcessIdentity } from "../../../host/process.ts";
import { insideShares } from "./plan.ts";

/**
 * Folders are shown to smbd, and taken away, while it runs: started again for that it would cut off whoever uses another.
 * What is done in its view is done by a program that came from outside, and begins none there: all in it may be a captured
 * smbd's. Numbers of x86-64: 428 open_tree, 429 move_mount, 442 mount_setattr (the same everywhere), 308 setns,
 * 166 umount2; -100 is AT_FDCWD, 0x20000 CLONE_NEWNS.
 */
const enter = `open(my $ns, "<", "/proc/$pid/ns/mnt") or die "$pid: $!\\n"; syscall(308, fileno($ns), 0x20000) == 0 or die "setns: $!\\n"; -d "${insideShares.at}" or die "$pid is another process by now\\n";`;

/** OPEN_TREE_CLONE | AT_SYMLINK_NOFOLLOW; MOUNT_ATTR_RDONLY is 1, NOSUID 2, NODEV 4, NOEXEC 8; AT_EMPTY_PATH; MOVE_MOUNT_F_EMPTY_PATH. 1 << 18 is MS_PRIVATE: else what is
 * mounted on the host appears in the view, and what is taken from the view is unmounted on the host. */
const showScript = `my ($pid, $from, $to, $attributes) = @ARGV; my $none = ""; my $set = pack("Q4", $attributes, 0, 1 << 18, 0);
my $tree = syscall(428, -100, $from, 0x80101); die "open_tree: $!\\n" if $tree < 0;
syscall(442, $tree, $none, 0x1000, $set, 32) == 0 or die "mount_setattr: $!\\n";
${enter} mkdir $to, 0700; syscall(429, $tree, $none, -100, $to, 4) == 0 or die "move_mount: $!\\n";`;

/** MNT_DETACH | UMOUNT_NOFOLLOW: who has a file in it open keeps that one. */
const hideScript = `my ($pid, $to) = @ARGV; ${enter} syscall(166, $to, 10) == 0 or die "umount2: $!\\n"; rmdir $to;`;

const deadlineMs = 5000;

/**
 * Shows a folder of the host to a process: that one alone, without what is mounted below it.
 * @param from on the host; links are not followed. @throws CommandError
 */
export async function show(
	{ pid }: ProcessIdentity,
	from: string,
	to: string,
	{ readOnly }: { readOnly: boolean },
): Promise<void> {
	const attributes = 2 + 4 + 8 + (readOnly ? 1 : 0);
	await run("perl", ["-e", showScript, `${pid}`, from, to, `${attributes}`], { deadlineMs });
}

/** @throws CommandError */
export async function hide({ pid }: ProcessIdentity, to: string): Promise<void> {
	await run("perl", ["-e", hideScript, `${pid}`, to], { deadlineMs });
}

/** @returns where a process sees shared folders, each as often as one is mounted there */
export async function shownTo({ pid }: ProcessIdentity): Promise<string[]> {
	return mountPoints(await readFile(`/proc/${pid}/mountinfo`, "utf8")).filter((path) =>
		path.startsWith(`${insideShares.at}/`),
	);
}

/** @param mountinfo proc(5); pure */
export function mountPoints(mountinfo: string): string[] {
	return mountsIn(mountinfo).map(({ at }) => at);
}

/**
 * Where a folder is in its file system, whatever way leads there: what is mounted in two places is in one.
 * @param mountinfo proc(5); pure
 */
export function placeOf(path: string, mountinfo: string): { device: string; path: string } {
	const above = mountsIn(mountinfo).filter(
		({ at }) => at === "/" || path === at || path.startsWith(`${at}/`),
	);
	// Of two in the same place the later one is seen.
	const mount = above.reduce((best, one) => (one.at.length >= best.at.length ? one : best), {
		...{ device: "", root: "/", at: "/" },
	});
	return { device: mount.device, path: posix.join(mount.root, posix.relative(mount.at, path)) };
}

/** Space, tab, line break and backslash are octal in it: proc(5). */
function mountsIn(mountinfo: string): { device: string; root: string; at: string }[] {
	const plain = (text: string) =>
		text.replace(/\\([0-7]{3})/g, (_, code: string) => String.fromCharCode(Number.parseInt(code, 8)));
	return mountinfo.split("\n").flatMap((line) => {
		const [, , device, root, at] = line.split(" ");
		if (device === undefined || root === undefined || at === undefined) return [];
		return [{ device, root: plain(root), at: plain(at) }];
	});
}
