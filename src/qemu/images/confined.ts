import { basename } from "node:path";
import { CommandError, run } from "../../host/command.ts";
import { ImageError } from "../image.ts";

/**
 * qemu-img reads images that strangers have made, and a crafted one may take it over: it runs as a user of its own,
 * without network and without anybody else's processes in view, and sees /usr, the files of that image to read, and the
 * one file to write. It may read these whatever their modes (CAP_DAC_READ_SEARCH); what else that right would open, files
 * outside of its view by their handles, a filter of system calls forbids.
 */
export interface ImageWork {
	/** Files that it may read, as it finds them: see `inside`. */
	readable: readonly string[];
	/** Whether these are block devices. */
	devices?: boolean;
	/** The one file that it may write; it has to be there and to be the user's. */
	writable?: string;
	/** User that it runs as. */
	uid: number;
	/** The most that it may write to one file. */
	mostBytes?: number;
	/** Milliseconds until it is ended. */
	deadlineMs: number;
	/** Called with how far it is, from 0 to 1. */
	onProgress?: (fraction: number) => void;
	signal?: AbortSignal;
}

const memoryBytes = 2 * 2 ** 30;
/** Exit codes from here on tell of a signal: it went beyond one of its limits. */
const killed = 129;
/** Longest words of qemu-img that are passed on. */
const longestWords = 300;

/** Where qemu-img finds a file. */
export const inside = (path: string) => `/images/${basename(path)}`;
export const written = "/written/image";

/**
 * Runs qemu-img.
 * @returns what it wrote to standard output
 * @throws ImageError with its own words; CommandError when it was cancelled or ran out of time
 */
export async function qemuImg(args: readonly string[], work: ImageWork): Promise<string> {
	const { onProgress, signal, deadlineMs } = work;
	const [file = "", ...words] = confinedCommand(args, work);
	try {
		const { stdout } = await run(file, words, {
			deadlineMs,
			input: systemCallFilter(),
			...(signal ? { signal } : {}),
			...(onProgress ? { onLine: (line) => report(line, onProgress) } : {}),
		});
		return stdout;
	} catch (error) {
		signal?.throwIfAborted();
		if (!(error instanceof CommandError) || error.code === null) throw error;
		if (error.code >= killed)
			throw new ImageError("was given up: reading it takes more memory, time or space than it should", {
				cause: error,
			});
		throw new QemuImgError(error);
	}
}

/** What qemu-img said of an image. */
export class QemuImgError extends ImageError {
	readonly code: number;
	constructor(cause: CommandError) {
		const said = cause.stderr
			.split("\n")
			.map((line) =>
				line
					.trim()
					.replace(/^qemu-img: /, "")
					.replaceAll("/images/", ""),
			)
			.filter((line) => line !== "")
			.slice(0, 2)
			.join("; ");
		// The image may be made so that it says what it likes.
		super(
			[...said]
				.map((c) => (c >= " " && c !== "\x7f" ? c : "?"))
				.join("")
				.slice(0, longestWords),
			{ cause },
		);
		this.code = cause.code ?? 1;
	}
}

function report(line: string, onProgress: (fraction: number) => void): void {
	const percent = /\((\d+\.\d+)\/100%\)/.exec(line)?.[1];
	if (percent !== undefined) onProgress(Number(percent) / 100);
}

function confinedCommand(args: readonly string[], work: ImageWork): string[] {
	const { readable, devices, writable, uid, mostBytes = 2 ** 20, deadlineMs } = work;
	const cpuSeconds = Math.ceil(deadlineMs / 1000) * 2;
	const only = "-all,+dac_read_search";
	return [
		...["nice", "-n", "5", "prlimit"],
		...[
			`--as=${memoryBytes}`,
			`--cpu=${cpuSeconds}`,
			`--fsize=${mostBytes}`,
			"--core=0",
			"--nofile=256",
			"--",
		],
		...["bwrap", "--seccomp", "0", "--die-with-parent", "--clearenv"],
		...["ipc", "uts", "pid", "net"].map((kind) => `--unshare-${kind}`),
		...["--ro-bind", "/usr", "/usr"],
		...["bin", "sbin", "lib", "lib64"].flatMap((name) => ["--symlink", `usr/${name}`, `/${name}`]),
		...["--dev", "/dev", "--dir", "/images", "--perms", "0755", "--dir", "/written"],
		// A block device can be read through a bind that leaves it one; written it cannot be, as it is another's.
		...readable.flatMap((path) => [devices ? "--dev-bind" : "--ro-bind", path, inside(path)]),
		...(writable === undefined ? [] : ["--bind", writable, written]),
		...["--chdir", "/", "--"],
		...["setpriv", "--reuid", `${uid}`, "--regid", `${uid}`, "--clear-groups", "--no-new-privs"],
		...[`--bounding-set=${only}`, `--inh-caps=${only}`, `--ambient-caps=${only}`, "--"],
		// bubblewrap has read the filter from standard input, and closed that.
		...["sh", "-c", 'exec "$@" < /dev/null', "sh", "qemu-img", ...args],
	];
}

/** Numbers of the x86-64 system call table, and of include/uapi/linux/{audit,seccomp,filter}.h. */
const x86_64 = 0xc000003e;
const openByHandleAt = 304;
/** Calls of the x32 ABI have other numbers. */
const x32 = 0x40000000;
const verdict = { kill: 0x80000000, notPermitted: 0x00050001, allow: 0x7fff0000 } as const;

/** A program of classic BPF: `{ code, jump if true, jump if false, value }` for each step. */
function systemCallFilter(): Buffer {
	const [load, ifEqual, ifAtLeast, end] = [0x20, 0x15, 0x35, 0x06];
	const [numberAt, architectureAt] = [0, 4];
	const steps: [code: number, ifTrue: number, ifFalse: number, value: number][] = [
		[load, 0, 0, architectureAt],
		[ifEqual, 1, 0, x86_64],
		[end, 0, 0, verdict.kill],
		[load, 0, 0, numberAt],
		[ifAtLeast, 1, 0, x32],
		[ifEqual, 0, 1, openByHandleAt],
		[end, 0, 0, verdict.notPermitted],
		[end, 0, 0, verdict.allow],
	];
	const program = Buffer.alloc(steps.length * 8);
	for (const [i, [code, ifTrue, ifFalse, value]] of steps.entries()) {
		program.writeUInt16LE(code, i * 8);
		program[i * 8 + 2] = ifTrue;
		program[i * 8 + 3] = ifFalse;
		program.writeUInt32LE(value, i * 8 + 4);
	}
	return program;
}
