import { type ChildProcess, spawn } from "node:child_process";
import { longestTimerMs } from "./clock.ts";

const outputLimit = 16 * 1024 * 1024;
/** Characters. */
const longestLine = 64 * 1024;
/** How long what was killed may take to be gone: on a disk that hangs nothing ends. */
const goneWithinMs = 2000;

export interface RunOptions {
	/** Milliseconds until the command is killed; 24 days are the most. */
	deadlineMs: number;
	signal?: AbortSignal;
	/** Written to the command's standard input. */
	input?: string | Uint8Array;
	env?: Record<string, string>;
	cwd?: string;
	/**
	 * Called with each whole line of standard output as it comes; a carriage return ends one, too. One of more than 64 KiB
	 * is left out.
	 */
	onLine?: (line: string) => void;
}

/** Thrown when a command could not be started, ended with a non-zero code, or ran out of time. */
export class CommandError extends Error {
	override readonly name = "CommandError";
	readonly command: string;
	readonly code: number | null;
	readonly stderr: string;
	constructor(command: string, why: string, code: number | null, stderr: string, cause?: unknown) {
		const said = stderr.trim().split("\n").slice(-3).join(" | ");
		super(`${command}: ${why}${said ? `: ${said}` : ""}`, { cause });
		this.command = command;
		this.code = code;
		this.stderr = stderr;
	}
}

/**
 * Runs a command to its end. Killed, with everything in its process group, at the deadline or when aborted.
 * @returns what it wrote to standard output and standard error; with `onLine` at most 16 MiB of it, as the rest was heard
 * @throws CommandError, also when it wrote more to standard output: a part of it would be taken for the whole
 */
export async function run(
	file: string,
	args: readonly string[],
	options: RunOptions,
): Promise<{ stdout: string; stderr: string }> {
	options.signal?.throwIfAborted();
	const name = [file, ...args.slice(0, 4)].join(" ");
	const child = spawn(file, args, {
		stdio: ["pipe", "pipe", "pipe"],
		detached: true,
		...(options.env ? { env: { ...process.env, ...options.env } } : {}),
		...(options.cwd ? { cwd: options.cwd } : {}),
	});
	const out = collect(child.stdout, options.onLine);
	const err = collect(child.stderr);
	const { promise, resolve, reject } = Promise.withResolvers<number | null>();
	let why: string | undefined;
	let giveUp: NodeJS.Timeout | undefined;
	const stop = (reason: string) => {
		if (why !== undefined) return;
		why = reason;
		killGroup(child.pid);
		giveUp = setTimeout(() => {
			letGo(child);
			reject(new CommandError(name, `${reason}, and does not end even when killed`, null, err()));
		}, goneWithinMs);
	};
	const onAbort = () => stop("was cancelled");
	options.signal?.addEventListener("abort", onAbort, { once: true });
	const late = () => stop(`did not finish within ${options.deadlineMs} ms`);
	const timer = setTimeout(late, Math.min(options.deadlineMs, longestTimerMs));
	// A command may end without reading its input; its exit code tells, not the broken pipe.
	child.stdin.on("error", () => {});
	child.stdin.end(options.input ?? "");
	try {
		child.once("error", (cause) => reject(new CommandError(name, "could not be started", null, "", cause)));
		child.once("close", (code) => resolve(code));
		const code = await promise;
		if (why !== undefined) throw new CommandError(name, why, code, err());
		if (code !== 0) throw new CommandError(name, `ended with code ${code}`, code, err());
		if (!options.onLine && out().length >= outputLimit)
			throw new CommandError(name, "wrote more than can be kept (16 MiB)", code, err());
		return { stdout: out(), stderr: err() };
	} finally {
		clearTimeout(timer);
		clearTimeout(giveUp);
		options.signal?.removeEventListener("abort", onAbort);
	}
}

/** Nothing more is heard of it, and this program may end without it. */
function letGo(child: ChildProcess): void {
	for (const stream of child.stdio) stream?.destroy();
	child.unref();
}

function killGroup(pid: number | undefined): void {
	if (pid === undefined) return;
	try {
		process.kill(-pid, "SIGKILL");
	} catch {
		// The group has ended by itself in the meantime.
	}
}

function collect(stream: NodeJS.ReadableStream, onLine?: (line: string) => void): () => string {
	let text = "";
	const hear = onLine && cutIntoLines(onLine);
	stream.setEncoding("utf8");
	stream.on("data", (chunk: string) => {
		if (text.length < outputLimit) text += chunk;
		hear?.(chunk);
	});
	return () => text;
}

/** Each character is looked at once, and never more than one line is kept, whoever writes without ending any. */
function cutIntoLines(onLine: (line: string) => void): (chunk: string) => void {
	let partial: string | undefined = "";
	const add = (part: string) => {
		const fits = partial !== undefined && partial.length + part.length <= longestLine;
		partial = fits ? partial + part : undefined;
	};
	return (chunk) => {
		const ended = chunk.split(/[\r\n]/);
		const last = ended.pop() ?? "";
		for (const part of ended) {
			add(part);
			if (partial !== undefined) onLine(partial);
			partial = "";
		}
		add(last);
	};
}
