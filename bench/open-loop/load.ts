import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { hostNow } from "./clock.ts";
import type { FromGenerator, LoadPlan, RequestRecord, ToGenerator } from "./request.ts";

const program = fileURLToPath(new URL("generator.ts", import.meta.url));
const preparedWithinMs = 120_000;

/** A load that is under way, made by a process of its own; see generator.ts. */
export class Load implements AsyncDisposable {
	/** Requests that are over, in the order of their ends. */
	readonly records: RequestRecord[] = [];
	private readonly plan: LoadPlan;
	private readonly child: ChildProcess;
	private readonly gone: Promise<unknown>;
	private readonly waiting = new Set<(record: RequestRecord) => void>();
	/** Requests that are due and not over, as of a tenth of a second ago. */
	private openNow = 0;
	private failure: Error | undefined;
	private done = false;

	/** @param namespace network namespace that it is sent from; the bench's own when left out */
	private constructor(plan: LoadPlan, namespace: string | undefined) {
		this.plan = plan;
		const command = [process.execPath, "--disable-warning=ExperimentalWarning", program];
		const [file = "", ...args] = namespace
			? ["nsenter", `--net=/run/netns/${namespace}`, ...command]
			: command;
		this.child = spawn(file, args, { stdio: ["ignore", "inherit", "inherit", "ipc"] });
		this.gone = once(this.child, "close");
		this.gone.catch(() => {});
	}

	/** Starts a load, and waits until its first request is due. */
	static async start(plan: LoadPlan, namespace?: string): Promise<Load> {
		const load = new Load(plan, namespace);
		const { promise, resolve, reject } = Promise.withResolvers<void>();
		const timer = setTimeout(
			() => reject(new Error("the load generator did not begin in time")),
			preparedWithinMs,
		);
		load.child.on("message", (message: FromGenerator) => {
			if (message.kind === "started") resolve();
			load.hear(message);
		});
		load.child.once("error", reject);
		load.child.once("close", () => {
			if (!load.done) load.failure ??= new Error("the load generator ended by itself");
			reject(load.failure ?? new Error("the load generator ended before it began"));
		});
		load.tell({ kind: "start", plan });
		try {
			await promise;
			return load;
		} catch (error) {
			await load[Symbol.asyncDispose]();
			throw load.failure ?? error;
		} finally {
			clearTimeout(timer);
		}
	}

	/** Calls back for every request that ends from now on. */
	onRecord(listener: (record: RequestRecord) => void): Disposable {
		this.waiting.add(listener);
		return { [Symbol.dispose]: () => this.waiting.delete(listener) };
	}

	/**
	 * Waits for the end of a request that is as wanted.
	 * @throws Error after `deadlineMs`, when the load failed, or when aborted
	 */
	async next(
		what: string,
		wanted: (record: RequestRecord) => boolean,
		deadlineMs: number,
		signal: AbortSignal,
	): Promise<RequestRecord> {
		const { promise, resolve, reject } = Promise.withResolvers<RequestRecord>();
		const limit = AbortSignal.any([signal, AbortSignal.timeout(deadlineMs)]);
		const give = () =>
			reject(signal.aborted ? signal.reason : new Error(`not within ${deadlineMs} ms: ${what}`));
		limit.addEventListener("abort", give, { once: true });
		using _listening = this.onRecord((record) => {
			if (wanted(record)) resolve(record);
		});
		this.check();
		const past = this.records.find(wanted);
		return past ?? (await promise);
	}

	/**
	 * Waits until few requests are open: what had waited for an outage to end has been served.
	 * @returns false when that did not come about
	 */
	async untilDrained(most: number, deadlineMs: number, signal: AbortSignal): Promise<boolean> {
		const end = hostNow() + deadlineMs;
		while (this.openNow > most) {
			this.check();
			if (hostNow() > end) return false;
			await delay(50, undefined, { signal });
		}
		return true;
	}

	/** @throws Error when the generator has failed */
	check(): void {
		if (this.failure) throw this.failure;
	}

	/** Sends nothing more, waits for what is under way, and returns everything. */
	async stop(): Promise<readonly RequestRecord[]> {
		this.check();
		if (!this.done) this.tell({ kind: "stop" });
		await Promise.race([this.gone, timeout(this.plan.deadlineMs + 10_000)]);
		this.check();
		return this.records;
	}

	async [Symbol.asyncDispose](): Promise<void> {
		if (this.child.exitCode === null && this.child.signalCode === null) {
			this.child.kill("SIGKILL");
			await this.gone.catch(() => {});
		}
	}

	private hear(message: FromGenerator): void {
		if (message.kind === "failed") this.failure = new Error(`the load failed: ${message.why}`);
		if (message.kind === "done") this.done = true;
		if (message.kind !== "records") return;
		this.openNow = message.open;
		for (const record of message.records) {
			this.records.push(record);
			for (const listener of this.waiting) listener(record);
		}
	}

	private tell(message: ToGenerator): void {
		if (this.child.connected) this.child.send(message, () => {});
	}
}

async function timeout(ms: number): Promise<never> {
	const { promise, reject } = Promise.withResolvers<never>();
	setTimeout(() => reject(new Error("the load did not come to its end")), ms).unref();
	return await promise;
}
