import type { ChildProcess } from "node:child_process";
import { mkdir, rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { BulkheadError, explain } from "../src/api/errors.ts";
import type { Progress } from "../src/api/plan.ts";
import { defaultState, socketPath } from "../src/api/routes.ts";
import type { ServerView } from "../src/api/server.ts";
import type { Site } from "../src/api/site.ts";
import { Client } from "../src/client/http.ts";
import { identify, waitForEnd } from "../src/host/process.ts";
import { startDetached } from "./detached.ts";
import { LeftBehind, leftBehind, tellsOfRemains } from "./remains.ts";
import { withResult } from "./result.ts";

export const root = fileURLToPath(new URL("..", import.meta.url));

/** A daemon of its own on a state directory of its own, for demos and benchmarks. */
export class Lab {
	readonly state: string;
	readonly client: Client;
	private readonly host: string | undefined;
	/** A process whose files are to be the host's: the daemon begins among them. */
	files: number | undefined;
	private daemon: ChildProcess | undefined;

	/**
	 * @param state of no daemon that people use: all in it is destroyed
	 * @param host network namespace that is to be the host's network; the real one when left out
	 */
	constructor(state: string, host?: string) {
		if (resolve(state) === defaultState)
			throw new Error(`${state} is where servers are that people use: no lab is made of it`);
		this.state = state;
		this.host = host;
		this.client = new Client(socketPath(state));
	}

	/** Starts the daemon, and waits until it answers. @throws Error when another one works on the same state */
	async startDaemon(): Promise<number> {
		await this.refuseOthers();
		await mkdir(this.state, { recursive: true, mode: 0o755 });
		const env = { ...process.env, BULKHEAD_STATE: this.state };
		const files = this.files === undefined ? [] : [`--mount=/proc/${this.files}/ns/mnt`];
		const enter = this.host === undefined ? [] : ["nsenter", `--net=/run/netns/${this.host}`, ...files, "--"];
		const words = [...enter, join(root, "bin/bulkhead"), "daemon"];
		this.daemon = startDetached(words, env, join(this.state, "daemon.log"));
		try {
			await this.answer();
			await this.refuseOthers();
		} catch (error) {
			this.daemon.kill("SIGKILL");
			throw error;
		}
		return this.daemon.pid ?? 0;
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

	/**
	 * Ends and removes everything: servers, disks, sandbox, daemon, state.
	 * @throws LeftBehind when something is left, or a daemon works there that this lab did not start
	 */
	async dispose(): Promise<void> {
		try {
			await this.refuseOthers();
			await this.removeAll();
		} catch (error) {
			if (error instanceof LeftBehind) throw error;
			throw new LeftBehind(`${this.state} could not be put away`, { cause: error });
		}
	}

	/** As `dispose`, where an earlier lab that was kept, or did not come to its end, may have left its daemon. */
	async disposeKept(): Promise<void> {
		await this.removeAll();
	}

	private async removeAll(): Promise<void> {
		if (!(await this.answers())) await this.startDaemon();
		const member = await this.leaveDomain();
		const { site } = await this.client.call("status", {}, null);
		for (const { name, state } of await this.client.call("list", {}, null)) {
			if (state !== "stopped" && state !== "failed")
				await this.client.call("stop", { server: name }, { deadlineMs: 0 });
		}
		if (site !== null) await this.apply({ name: site });
		await this.endDaemon("SIGTERM");
		await rm(this.state, { recursive: true, force: true });
		const left = [...member, ...(await leftBehind(this.state))];
		if (left.length > 0) throw new LeftBehind(`left behind: ${left.join(", ")}`);
	}

	/** @returns what kept the host from leaving, where it is a member of a domain */
	private async leaveDomain(): Promise<string[]> {
		try {
			await this.client.call("leaveDomain", {}, { account: null }, { deadlineMs: 60_000 });
		} catch (error) {
			if (error instanceof BulkheadError && error.code === "not-found") return [];
			return [`membership of a domain (${explain(error)})`];
		}
		return [];
	}

	/** @throws Error when a daemon answers that this lab did not start: what it has is not ours to destroy */
	private async refuseOthers(): Promise<void> {
		const answer = await this.client.call("status", {}, null).catch(() => null);
		if (answer === null || answer.pid === this.daemon?.pid) return;
		throw new Error(
			`daemon ${answer.pid} works on ${this.state} already: wait for the run that started it, or, where that was killed, end it (kill ${answer.pid}) and try again`,
		);
	}

	private async endDaemon(signal: NodeJS.Signals): Promise<void> {
		const { pid } = await this.client.call("status", {}, null);
		const daemon = identify(pid);
		process.kill(pid, signal);
		while (await this.answers()) await delay(20);
		// One that another bench started has things to put away after its last answer.
		if (daemon && !(await waitForEnd(daemon, 30_000))) throw new Error(`daemon ${pid} does not end`);
		if (this.daemon?.pid === pid && this.daemon.exitCode === null && this.daemon.signalCode === null) {
			// Or this process would be over when nothing else keeps it.
			this.daemon.ref();
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

	private async answer(): Promise<void> {
		for (let tries = 0; ; tries++) {
			try {
				await this.client.call("status", {}, null);
				return;
			} catch (cause) {
				if (this.daemon?.exitCode != null)
					throw new Error(`the daemon ended at once; see ${this.state}/daemon.log`, { cause });
				if (tries > 600) throw new Error("the daemon did not answer within a minute", { cause });
				await delay(100);
			}
		}
	}
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
 * @param name of its result below out/
 */
export async function runBench(
	name: string,
	lab: Lab,
	bench: (signal: AbortSignal) => Promise<boolean>,
): Promise<void> {
	await runPlain(name, async (signal) => {
		await lab.startDaemon();
		try {
			return await bench(signal);
		} finally {
			await lab.dispose();
		}
	});
}

/**
 * Runs a benchmark that cleans up by itself, also when it is interrupted; ends as `runBench` does.
 * @param name of its result below out/; null when it has none
 */
export async function runPlain(
	name: string | null,
	bench: (signal: AbortSignal) => Promise<boolean>,
): Promise<void> {
	const signal = untilInterrupted();
	let ok = false;
	// What outlives us on purpose does not keep this process alive, and nor does waiting for its end.
	const alive = setInterval(() => {}, 60_000);
	const work = async () => await bench(signal);
	try {
		ok = name === null ? await work() : await withResult(name, work);
	} catch (error) {
		if (!signal.aborted || tellsOfRemains(error)) throw error;
		console.error("interrupted");
	} finally {
		clearInterval(alive);
	}
	process.exitCode = ok ? 0 : 1;
}
