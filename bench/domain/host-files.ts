import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { CommandError, run } from "../../src/host/command.ts";

const readyWithinMs = 300_000;
const entersWithinMs = 60_000;

/** Whether somebody got in, and how long that took. */
export interface Entrance {
	ok: boolean;
	ms: number;
}

/**
 * Files of the story's host: this machine's with packages and changes of its own on top, in a mount namespace. So users of
 * the domain log in to it by SSH, and nothing of that is on this machine.
 */
export class HostFiles implements AsyncDisposable {
	/** Network namespaces of the host, and of who comes from the LAN. */
	private readonly places: { host: string; desk: string };
	private readonly folder: string;
	private readonly holder: ChildProcess;
	private sshd: ChildProcess | undefined;

	private constructor(places: { host: string; desk: string }, folder: string, holder: ChildProcess) {
		this.places = places;
		this.folder = folder;
		this.holder = holder;
	}

	/** They are there when this returns, and what is installed in them is under way. @param kept folders that stay this machine's */
	static async make(
		places: { host: string; desk: string },
		kept: readonly string[],
		signal: AbortSignal,
	): Promise<HostFiles> {
		const folder = await mkdtemp(join(tmpdir(), "bulkhead-host-"));
		const script = join(import.meta.dirname, "host-files.sh");
		// What it installs with ends with it.
		const own = ["--mount", "--pid", "--fork", "--kill-child"];
		const holder = spawn("unshare", [...own, "sh", script, folder, ...kept], { stdio: "ignore" });
		const files = new HostFiles(places, folder, holder);
		try {
			await files.reached("mounted", signal);
			return files;
		} catch (error) {
			await files[Symbol.asyncDispose]();
			throw error;
		}
	}

	/** The process whose mount namespace they are. */
	get pid(): number {
		return this.holder.pid ?? 0;
	}

	/** Runs a program on the host. @returns what it wrote. @throws CommandError */
	async run(command: readonly string[], signal?: AbortSignal): Promise<string> {
		const bounds = { deadlineMs: entersWithinMs, ...(signal ? { signal } : {}) };
		return (await run("nsenter", [...this.enter(this.places.host), ...command], bounds)).stdout;
	}

	/** All packages are there. */
	async installed(signal: AbortSignal): Promise<void> {
		await this.reached("ready", signal);
	}

	startSshd(): void {
		const words = [...this.enter(this.places.host), "/usr/sbin/sshd", "-D"];
		this.sshd = spawn("nsenter", words, { stdio: "ignore" });
	}

	/** Somebody at the desk logs in to the host by SSH, with a password, as any client does. */
	async ssh(user: string, password: string, address: string): Promise<Entrance> {
		const options = ["StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "PubkeyAuthentication=no"];
		const client = ["ssh", ...options.flatMap((one) => ["-o", one]), "-l", user, address, "true"];
		const from = performance.now();
		const words = [...this.enter(this.places.desk), "sshpass", "-p", password, ...client];
		const ok = await run("nsenter", words, { deadlineMs: entersWithinMs }).then(
			() => true,
			(error: unknown) => {
				// sshpass(1): 5 is a wrong password; ssh(1): 255 is any error of its own.
				if (error instanceof CommandError && (error.code === 5 || error.code === 255)) return false;
				throw error;
			},
		);
		return { ok, ms: Math.round(performance.now() - from) };
	}

	async [Symbol.asyncDispose](): Promise<void> {
		this.sshd?.kill("SIGKILL");
		this.holder.kill("SIGKILL");
		await rm(this.folder, { recursive: true, force: true });
	}

	private enter(namespace: string): string[] {
		return [`--mount=/proc/${this.pid}/ns/mnt`, `--net=/run/netns/${namespace}`, "--"];
	}

	private async reached(what: "mounted" | "ready", signal: AbortSignal): Promise<void> {
		const end = performance.now() + readyWithinMs;
		while (!existsSync(`/proc/${this.pid}/root${this.folder}/${what}`)) {
			if (this.holder.exitCode !== null)
				throw new Error(`the host's files could not be made: ended with ${this.holder.exitCode}`);
			if (performance.now() > end) throw new Error(`the host's files are not ${what}`);
			await delay(100, undefined, { signal });
		}
	}
}
