import { CommandError, run } from "../../host/command.ts";

/** Samba takes 5 to 10 s, on a slow or busy host more. */
const withinMs = 180_000;
/** Exit code of the template's program when the password will not do; what it wrote says why. */
const refusedPassword = 3;

/** One of a new domain's controllers. */
export interface NewController {
	/** Its name in the domain. */
	host: string;
	address: string;
	address6: string | null;
	/** An empty folder, for what its data disk begins with. */
	folder: string;
}

export interface NewDomain {
	realm: string;
	workgroup: string;
	/** The first one, and others that replicate with it. */
	controllers: readonly [NewController, ...NewController[]];
	/** The Administrator's. */
	password: string;
}

/** Thrown when Samba finds the password too weak, with its words. */
export class PasswordRefused extends Error {
	override readonly name = "PasswordRefused";
}

/**
 * Makes a new domain: what its controllers' data disks begin with. Samba of the guest's own files does it, on the host, where
 * it takes seconds and not a minute of emulation, and out of sight of any network: it would write the host's addresses
 * into the domain. It sees nothing of the host but the folders.
 * @param root the guest's files; nothing of them is changed
 * @throws PasswordRefused; CommandError; RangeError for what is no name or address
 */
export async function provisionDomain(
	root: string,
	{ realm, workgroup, controllers, password }: NewDomain,
	signal?: AbortSignal,
): Promise<void> {
	const words = [
		realm.toUpperCase(),
		workgroup.toUpperCase(),
		...controllers.flatMap(({ host, address, address6 }) => [host, address, address6 ?? "-"]),
	];
	for (const word of words)
		if (!/^(-|[A-Za-z0-9][A-Za-z0-9.:-]*)$/.test(word)) throw new RangeError(`no name or address: ${word}`);
	const command = [...bubble(root, controllers), "/usr/lib/domain/provision", ...words];
	try {
		await run("bwrap", command, {
			deadlineMs: withinMs,
			input: `${password}\n`,
			...(signal ? { signal } : {}),
		});
	} catch (error) {
		const refused = error instanceof CommandError && error.code === refusedPassword;
		throw refused ? new PasswordRefused(error.stderr.trim(), { cause: error }) : error;
	}
}

/** Root in it stays root, without what only a whole machine's has: it owns and marks files as Samba wants them. */
function bubble(root: string, [first, ...others]: NewDomain["controllers"]): string[] {
	const kept = ["CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "SETUID", "SETGID", "KILL"];
	// They replicate with each other, within a network of nobody else's.
	if (others.length > 0) kept.push("NET_ADMIN", "NET_BIND_SERVICE");
	return [
		...["--die-with-parent", "--new-session"],
		...["--unshare-net", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--hostname", first.host],
		...["--cap-drop", "ALL"],
		// What it writes beside a file about who may use it (security.NTACL) takes the right to administer.
		...[...kept, "SYS_ADMIN"].flatMap((name) => ["--cap-add", `CAP_${name}`]),
		...["--ro-bind", root, "/", "--dev", "/dev", "--proc", "/proc"],
		...["/run", "/tmp", "/var/cache/samba", "/var/log/samba"].flatMap((path) => ["--tmpfs", path]),
		...["--bind", first.folder, "/data/domain", "--tmpfs", "/mnt"],
		...others.flatMap(({ host, folder }) => ["--bind", folder, `/mnt/${host}`]),
		...["--clearenv", "--setenv", "PATH", "/usr/sbin:/usr/bin", "--setenv", "LC_ALL", "C.UTF-8", "--"],
	];
}
