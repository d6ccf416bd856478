import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { CommandError } from "./command.ts";

const outputLimit = 1024 * 1024;

interface Waiting {
	name: string;
	resolve(output: string): void;
	reject(error: CommandError): void;
}

/**
 * A shell that is kept open, for commands that users wait for: to start a process from the daemon costs several times
 * what it costs from a small shell (here 8 to 15 ms and 2 ms), the more so from one that is in the right namespace already.
 * It ends with its standard input: nobody has to end it when the daemon is killed.
 */
export class OpenShell {
	private readonly command: readonly string[];
	private child: ChildProcess | undefined;
	private token = "";
	private said = "";
	/** In the order in which they were sent; the shell runs one at a time. */
	private waiting: Waiting[] = [];

	/** @param command starts a POSIX shell that reads its standard input, such as `["nsenter", "--net=…", "--", "sh"]` */
	constructor(command: readonly [string, ...string[]]) {
		this.command = command;
	}

	/** Has it ready before it is needed. What stands in the way is told to whoever needs it. */
	open(): void {
		this.child ??= this.start();
	}

	/**
	 * Runs a command to its end, after those that were sent before. At the deadline the shell is killed, and with it all
	 * commands that wait; the next one has a new shell.
	 * @returns what it wrote to standard output and standard error
	 * @throws CommandError
	 */
	async run(file: string, args: readonly string[], deadlineMs: number): Promise<string> {
		this.open();
		const { child } = this;
		const name = [file, ...args.slice(0, 4)].join(" ");
		const { promise, resolve, reject } = Promise.withResolvers<string>();
		this.waiting.push({ name, resolve, reject });
		const timer = setTimeout(() => this.fail(child, `did not finish within ${deadlineMs} ms`), deadlineMs);
		const words = [file, ...args].map(quote).join(" ");
		child?.stdin?.write(`${words} < /dev/null 2>&1; code=$?; echo; echo ${this.token} $code\n`);
		try {
			return await promise;
		} finally {
			clearTimeout(timer);
		}
	}

	/** Ends it, and what it runs; waits until it has ended. */
	async close(): Promise<void> {
		const { child } = this;
		if (!child || child.pid === undefined) return;
		const ended = new Promise((resolve) => child.once("close", resolve));
		this.fail(child, "was cancelled");
		await ended;
	}

	private start(): ChildProcess {
		const [file = "sh", ...args] = this.command;
		const child = spawn(file, args, { stdio: ["pipe", "pipe", "inherit"], detached: true });
		this.token = randomUUID();
		this.said = "";
		child.stdout.setEncoding("utf8");
		child.stdout.on("data", (chunk: string) => this.hear(child, chunk));
		child.stdin.on("error", () => {});
		child.once("error", (error) => this.fail(child, `could not be started: ${error.message}`));
		child.once("close", () => this.fail(child, "lost its shell"));
		// It keeps nobody from ending: a command that is waited for has its deadline's timer.
		for (const part of [child, child.stdin, child.stdout]) (part as { unref?(): void }).unref?.();
		return child;
	}

	private hear(child: ChildProcess, chunk: string): void {
		if (child !== this.child) return;
		this.said += chunk;
		const end = new RegExp(`\\n?\\n${this.token} (\\d+)\\n`);
		for (let found = end.exec(this.said); found; found = end.exec(this.said)) {
			const output = this.said.slice(0, found.index);
			this.said = this.said.slice(found.index + found[0].length);
			this.answer(output, Number(found[1]));
		}
		if (this.said.length > outputLimit) this.fail(child, `wrote more than ${outputLimit} characters`);
	}

	private answer(output: string, code: number): void {
		const first = this.waiting.shift();
		if (code === 0) first?.resolve(output);
		else first?.reject(new CommandError(first.name, `ended with code ${code}`, code, output));
	}

	/** Ends the shell; all that wait for it are told why. Does nothing to one that has been replaced. */
	private fail(child: ChildProcess | undefined, why: string): void {
		if (child === undefined || child !== this.child) return;
		this.child = undefined;
		if (child.pid !== undefined) killGroup(child.pid);
		const waiting = this.waiting;
		this.waiting = [];
		for (const { name, reject } of waiting) reject(new CommandError(name, why, null, ""));
	}
}

function quote(word: string): string {
	return `'${word.replaceAll("'", "'\\''")}'`;
}

function killGroup(pid: number): void {
	try {
		process.kill(-pid, "SIGKILL");
	} catch {
		// It has ended by itself.
	}
}
