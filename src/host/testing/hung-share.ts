import { spawn } from "node:child_process";
import { once } from "node:events";

/**
 * Mounts a file system (FUSE) of which nobody answers anything. 165 is mount(2) on x86-64. It lets go of all who wait for it
 * after 20 s at the latest, also of a test that is held up by it.
 */
const script = `$^F = 9; my ($folder) = @ARGV; open(my $fuse, "+<", "/dev/fuse") or die "$!\\n"; my $fd = fileno($fuse);
my $options = "fd=$fd,rootmode=40000,user_id=0,group_id=0"; my @words = ("none\\0", "$folder\\0", "fuse\\0", "$options\\0");
syscall(165, $words[0], $words[1], $words[2], 0, $words[3]) == 0 or die "mount: $!\\n";
$SIG{ALRM} = sub { exit }; alarm 20; $| = 1; print "mounted\\n"; <STDIN>; exit;`;

/** @returns undefined where this host has no FUSE. To be disposed of */
export async function hungShare(folder: string): Promise<AsyncDisposable | undefined> {
	const child = spawn("perl", ["-e", script, folder], { stdio: ["pipe", "pipe", "ignore"] });
	const ended = once(child, "close");
	const mounted = await Promise.race([once(child.stdout, "data"), ended.then(() => undefined)]);
	if (!mounted) return undefined;
	return {
		[Symbol.asyncDispose]: async () => {
			child.stdin.end();
			await ended;
			const unmount = spawn("umount", ["--lazy", "--internal-only", folder], { stdio: "ignore" });
			await once(unmount, "close");
		},
	};
}
