import { realpath, stat } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { BulkheadError, explain } from "../../api/errors.ts";
import { type WindowsIso, windowsIsoView } from "../../api/windows.ts";
import { run } from "../../host/command.ts";

/**
 * Reading of installation media. They are UDF, which no Debian program reads in part without mounting it: 7-Zip would unpack
 * the 5 GB before the list of editions that stands at the end. So a small reader of our own does, in TypeScript, where a crafted
 * file finds no memory to break, and in a process that sees neither the host's files, nor its network, nor anybody else.
 */
const deadlineMs = 20_000;
/** No user of the host's. */
const nobody = "65534";

const answer = z.union([
	z.strictObject({ medium: windowsIsoView }),
	z.strictObject({ bad: z.string().max(300) }),
]);

/**
 * Which Windows an ISO installs, and its editions. The ISO is only read.
 * @throws BulkheadError bad-input, when there is no such file or it is no medium of Windows
 */
export async function inspectWindowsIso(path: string, signal?: AbortSignal): Promise<WindowsIso> {
	const real = await realpath(path).catch((cause: unknown) => {
		throw new BulkheadError("bad-input", `${path}: there is no such file`, { cause });
	});
	if (!(await stat(real)).isFile())
		throw new BulkheadError("bad-input", `${path} is no file; name the ISO itself`);
	const result = answer.parse(JSON.parse(await readConfined(real, signal)));
	if ("bad" in result) throw new BulkheadError("bad-input", `${path}: ${result.bad}`);
	return result.medium;
}

async function readConfined(path: string, signal?: AbortSignal): Promise<string> {
	// The image is the reader's standard input: it is opened here, and nothing else can be opened there.
	const script = 'iso=$1; shift; exec "$@" < "$iso"';
	const options = { deadlineMs, ...(signal ? { signal } : {}) };
	try {
		return (await run("sh", ["-c", script, "sh", path, ...confined(program)], options)).stdout;
	} catch (cause) {
		signal?.throwIfAborted();
		const message = `${path} could not be looked at: ${explain(cause)}`;
		throw new BulkheadError("internal", message, { cause });
	}
}

const reader = fileURLToPath(new URL("iso", import.meta.url));

const program = [
	"/reader/node",
	"--max-old-space-size=128",
	"--disable-warning=ExperimentalWarning",
	"/reader/iso/main.ts",
];

/** A command line within the reader's limits: a root file system with /usr and the reader alone, no network, no rights. */
export function confined(command: readonly string[]): string[] {
	const asNobody = [
		...["setpriv", "--reuid", nobody, "--regid", nobody, "--clear-groups", "--no-new-privs"],
		...["--bounding-set=-all", "--inh-caps=-all", "--ambient-caps=-all", "--"],
	];
	return [
		...["prlimit", "--cpu=15", "--fsize=0", "--core=0", "--nofile=64", "--data=1073741824", "--"],
		...[
			"bwrap",
			"--unshare-ipc",
			"--unshare-uts",
			"--unshare-net",
			"--unshare-pid",
			"--die-with-parent",
			"--clearenv",
		],
		...["--ro-bind", "/usr", "/usr"],
		...["bin", "sbin", "lib", "lib64"].flatMap((name) => ["--symlink", `usr/${name}`, `/${name}`]),
		...["--dev", "/dev"],
		...["--perms", "0755", "--dir", "/reader"],
		...["--ro-bind", process.execPath, "/reader/node", "--ro-bind", reader, "/reader/iso"],
		...["--chdir", "/reader", "--"],
		...(process.getuid?.() === 0 ? asNobody : []),
		...command,
	];
}
