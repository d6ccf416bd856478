import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { Progress } from "../src/api/plan.ts";
import { socketPath } from "../src/api/routes.ts";
import type { ServerView } from "../src/api/server.ts";
import type { Site } from "../src/api/site.ts";
import { Client } from "../src/client/http.ts";
import { ControlGroup, detectGroupSupport, listGroups } from "../src/host/cgroup.ts";
import { identify, waitForEnd } from "../src/host/process.ts";
import { instanceTag } from "../src/store/paths.ts";

export const root = fileURLToPath(new URL("..", import.meta.url));

/** A daemon of its own on a state directory of its own, for demos and benchmarks. */
export class Lab {
	readonly state: string;
	readonly client: Client;
	private readonly host: string | undefined;
	/** A process whose files are to be the host's: the daemon begins among them. */
	files: number | undefined;
	private daemon: ChildProcess | undefined;

	/** @param host network namespace that is to be the host's network; the real one when left out */
	constructor(state: string, host?: string) {
		this.state = state;
		this.host = host;
		this.client = new Client(socketPath(state));
	}

	/** Starts the daemon, and waits until it answers. */
	async startDaemon(): Promise<number> {
		await mkdir(this.state, { recursive: true, mode: 0o755 });
		const log = openSync(join(this.state, "daemon.log"), "a");
		const env = { ...process.env, BULKHEAD_STATE: this.state };
		const files = this.files === undefined ? [] : [`--mount=/proc/${this.files}/ns/mnt`];
		const enter = this.host === undefined ? [] : ["nsenter", `--net=/run/netns/${this.host}`, ...files, "--"];
		const [file = "", ...args] = [...enter, join(root, "bin/bulkhead"), "daemon"];
		const daemon = spawn(file, args, {
			env,
			stdio: ["ignore", log, log],
			detached: true,
		});
		closeSync(log);
		this.daemon = daemon;
		const { pid } = await this.answer();
		return pid;
	}

	/** Ends the daemon without a chance to tidy up. Sessions run on. */
	async killDaemon(): Promise<void> {
		await this.endDaemon("SIGKILL");
	}

	/** Applies a site; what it destroys is confirmed. */
	async apply(site: Site, onProgress: (progress: Progress) => void = () => {}): Promise<void> {
		const text = JSON.stringify(site);
		const { fingerprint } = await this.client.call("plan", {}, { text });
		await this.client.apply({ text, fingerprint, confirmed: true }, onProgress);
	}

	/** Waits until a server is as wanted. @throws Error with what it was instead */
	async until(
		server: string,
		wanted: (view: ServerView) => boolean,
		deadlineMs: number,
		signal?: AbortSignal,
	): Promise<ServerView> {
		const end = performance.now() + deadlineMs;
		for (;;) {
			const view = await this.client.call("show", { server }, null);
			if (wanted(view)) return view;
			if (performance.now() > end)
				throw new Error(`${server} is ${view.state} (${view.reason}) after ${deadlineMs} ms`);
			await delay(50, undefined, signal ? { signal } : {});
		}
	}

	/** Waits until all servers run. */
	async allRun(deadlineMs: number, signal?: AbortSignal): Promise<void> {
		const servers = await this.client.call("list", {}, null);
		await Promise.all(
			servers.map(({ name }) => this.until(name, ({ state }) => state === "running", deadlineMs, signal)),
		);
	}

	/** Ends and removes everything: servers, disks, sandbox, daemon, state. Also what an earlier one left behind. */
	async dispose(): Promise<void> {
		if (!(await this.answers())) await this.startDaemon();
		const { site } = await this.client.call("status", {}, null);
		for (const { name, state } of await this.client.call("list", {}, null)) {
			if (state !== "stopped" && state !== "failed")
				await this.client.call("stop", { server: name }, { deadlineMs: 0 });
		}
		if (site !== null) await this.apply({ name: site });
		await this.endDaemon("SIGTERM");
		await rm(this.state, { recursive: true, force: true });
		const left = await leftBehind(this.state);
		if (left.length > 0) throw new Error(`left behind: ${left.join(", ")}`);
	}

	private async endDaemon(signal: NodeJS.Signals): Promise<void> {
		const { pid } = await this.client.call("status", {}, null);
		const daemon = identify(pid);
		process.kill(pid, signal);
		while (await this.answers()) await delay(20);
		// One that another bench started has things to put away after its last answer.
		if (daemon && !(await waitForEnd(daemon, 30_000))) throw new Error(`daemon ${pid} does not end`);
		if (this.daemon?.pid === pid && this.daemon.exitCode === null && this.daemon.signalCode === null) {
			await new Promise((resolve) => this.daemon?.once("exit", resolve));
		}
		this.daemon = undefined;
	}

	private async answers(): Promise<boolean> {
		return await this.client.call("status", {}, null).then(
			() => true,
			() => false,
		);
	}

	private async answer(): Promise<{ pid: number }> {
		for (let tries = 0; ; tries++) {
			try {
				return await this.client.call("status", {}, null);
			} catch (cause) {
				if (this.daemon?.exitCode != null)
					throw new Error(`the daemon ended at once; see ${this.state}/daemon.log`, { cause });
				if (tries > 600) throw new Error("the daemon did not answer within a minute", { cause });
				await delay(100);
			}
		}
	}
}

/** Writes a result as out/NAME.json. */
export async function writeResult(name: string, result: unknown): Promise<string> {
	const folder = join(root, "out");
	await mkdir(folder, { recursive: true });
	const path = join(folder, `${name}.json`);
	await writeFile(path, `${JSON.stringify(result, null, 2)}\n`);
	return path;
}

/** @returns the middle value of a list that is not empty */
export function median(values: readonly number[]): number {
	const sorted = [...values].sort((a, b) => a - b);
	return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

/** @returns names of what daemons that worked on `state` left on the host */
async function leftBehind(state: string): Promise<string[]> {
	const tag = instanceTag(state);
	const names = async (folder: string) => await readdir(folder).catch(() => []);
	const namespaces = (await names("/run/netns")).filter((name) => name.startsWith(`bh-${tag}-`));
	const runs = (await names("/run")).filter((name) => name === `bulkhead-${tag}`);
	const groups = detectGroupSupport();
	const root = `bulkhead-${tag}`;
	const left = (await listGroups(root, groups)).map(async (name) => [
		`control group ${root}/${name}`,
		...(await ControlGroup.at(`${root}/${name}`, groups).pids()).map((pid) => `process ${pid}`),
	]);
	return [...namespaces, ...runs, ...(await Promise.all(left)).flat()];
}

const endings = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** Aborted when the process is told to end. What is told again while things are being put away changes nothing. */
export function untilInterrupted(): AbortSignal {
	const interrupted = new AbortController();
	for (const signal of endings)
		process.on(signal, () => interrupted.abort(new Error(`interrupted by ${signal}`)));
	return interrupted.signal;
}

/**
 * Runs a benchmark on a lab of its own, which is removed afterwards, also when it fails or is interrupted.
 * The process ends with 0 when the benchmark says that all is as promised.
 */
export async function runBench(lab: Lab, bench: (signal: AbortSignal) => Promise<boolean>): Promise<void> {
	await runPlain(async (signal) => {
		try {
			await lab.startDaemon();
			return await bench(signal);
		} finally {
			await lab.dispose();
		}
	});
}

/** Runs a benchmark that cleans up by itself, also when it is interrupted; ends as `runBench` does. */
export async function runPlain(bench: (signal: AbortSignal) => Promise<boolean>): Promise<void> {
	const signal = untilInterrupted();
	let ok = false;
	// What outlives us on purpose does not keep this process alive, and nor does waiting for its end.
	const alive = setInterval(() => {}, 60_000);
	try {
		ok = await bench(signal);
	} catch (error) {
		if (!signal.aborted) throw error;
		console.error("interrupted");
	} finally {
		clearInterval(alive);
	}
	process.exitCode = ok ? 0 : 1;
}
