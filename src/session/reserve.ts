import { explain } from "../api/errors.ts";
import type { Env, Standby } from "./env.ts";
import type { Ledger } from "./ledger.ts";

/** What a server that recovers warm keeps ready. */
export interface WarmPolicy {
	/** How many next sessions stand by. */
	standby: number;
	/** A session that has run this long is replaced by a new one; null for never. Milliseconds. */
	renewAfterMs: number | null;
	/** So long nobody has to have used the server until it is put to sleep; null for never. Milliseconds. */
	sleepAfterMs: number | null;
}

/** What became of something that was done in the background. */
export type ReserveNews =
	| { kind: "prepared"; why: string | undefined }
	| { kind: "sealed"; number: number; error: unknown }
	| { kind: "loaded"; number: number; standby: Standby | undefined; error: unknown }
	| { kind: "lost"; number: number; why: string };

export interface ReserveReports {
	/** Comes back through the inbox to `take in`. */
	news(news: ReserveNews): void;
	/** Comes back through the inbox as a call of `tend`. */
	tendLater(afterMs: number): void;
}

const firstPauseMs = 30_000;
const longestPauseMs = 3_600_000;
/** A seal grows too old while the server runs. */
const checkEveryMs = 3_600_000;
const memoryPauseMs = 300_000;
const preparedWithinMs = 120_000;

/**
 * Keeps a server's seal and its next sessions ready, in the background and one thing at a time. What comes of it is
 * taken in by the supervisor, between two inputs.
 */
export class Reserve {
	private readonly ledger: Ledger;
	private readonly env: Env;
	private readonly policy: () => WarmPolicy | null;
	private readonly reports: ReserveReports;
	private seal: "unknown" | "missing" | "ready" = "unknown";
	private why = "";
	private waiting: Standby[] = [];
	private job: { what: "prepare" | "seal" | "load"; done: Promise<void> } | undefined;
	private stop = new AbortController();
	private stale = false;
	private failures = 0;
	private notBefore = 0;
	private checkAt = 0;

	constructor(ledger: Ledger, env: Env, policy: () => WarmPolicy | null, reports: ReserveReports) {
		this.ledger = ledger;
		this.env = env;
		this.policy = policy;
		this.reports = reports;
	}

	/** How it stands, for people. */
	get view(): { seal: "none" | "making" | "ready"; why: string; standbys: number; wanted: number } {
		const making = this.job?.what === "seal";
		const seal = this.seal === "ready" ? "ready" : making ? "making" : "none";
		return {
			seal,
			why: this.seal === "ready" ? "" : this.why,
			standbys: this.waiting.length,
			wanted: this.policy()?.standby ?? 0,
		};
	}

	/** Whether a session can be loaded, as far as that is known. */
	get sealed(): boolean {
		return this.wanted !== null && this.seal !== "missing";
	}

	/** Brings seal and standbys to what is wanted; goes on by itself until they are. */
	tend(): void {
		const policy = this.wanted;
		const { record } = this.ledger;
		if (policy === null) {
			this.disbandSoon();
			return;
		}
		if (record.state !== "running" || record.maintenance || this.job) return;
		if (this.stale) this.lookAnew();
		const now = this.env.clock.now();
		if (now < this.notBefore) return;
		if (this.seal === "ready" && now >= this.checkAt) this.seal = "unknown";
		if (this.seal === "unknown") this.begin("prepare", async () => await this.prepare());
		else if (this.seal === "missing") this.begin("seal", async () => await this.makeSeal());
		else if (this.waiting.length < policy.standby) this.begin("load", async () => await this.loadNext());
		else if (this.waiting.length > policy.standby) this.discard(this.waiting.splice(policy.standby));
	}

	/** The definition has changed: the seal may not fit any more, nor one that is being made. */
	recheck(): void {
		this.stale = true;
		this.tend();
	}

	takeIn(news: ReserveNews): void {
		switch (news.kind) {
			case "prepared":
				this.onPrepared(news.why);
				break;
			case "sealed":
				this.forget(news.number);
				this.onSealed(news.number, news.error);
				break;
			case "loaded":
				this.onLoaded(news);
				break;
			case "lost":
				this.onLost(news.number, news.why);
				break;
			default:
				news satisfies never;
		}
		this.tend();
	}

	/** Whether one stands by. */
	get hasStandby(): boolean {
		return this.waiting.length > 0;
	}

	/** Loads a session beside the one that runs. @throws Error in words */
	async loadBeside(): Promise<Standby> {
		if (!(await this.prepareNow())) throw new Error(`there is no seal: ${this.why}`);
		return await this.loadNow(await this.ledger.planStandby());
	}

	/** @returns a session that can take over at once, if there is one; it is the caller's from here on */
	take(): Standby | undefined {
		return this.waiting.shift();
	}

	/** Loads a session while somebody waits for it. @throws Error in words, also when there is no seal */
	async loadNow(number: number): Promise<Standby> {
		const signal = AbortSignal.timeout(preparedWithinMs);
		return await this.env.machines.load(number, (why) => this.lost(number, why), signal);
	}

	/** Makes sure that a seal can be used; waits for it. */
	async prepareNow(): Promise<boolean> {
		if (this.wanted === null) return false;
		// Sealing takes as long as a boot: nobody waits for that.
		if (this.job?.what === "prepare") await this.job.done;
		if (this.seal === "unknown")
			this.onPrepared(await this.prepareSeal(AbortSignal.timeout(preparedWithinMs)));
		return this.seal === "ready";
	}

	/** Throws the seal away in the background; nobody is to wait for that. */
	distrust(why: string): void {
		this.seal = "missing";
		void this.drop(why).catch((error) =>
			this.ledger.say("session", `The seal is still there: ${explain(error)}`),
		);
	}

	/** Throws the seal away, and what stands by from it. */
	async drop(why: string): Promise<void> {
		this.ledger.say("session", `The seal is thrown away: ${why}`);
		await this.disband();
		this.seal = "missing";
		this.why = why;
		await this.env.machines.dropSeal();
	}

	/** Makes the seal anew, as soon as the server runs. */
	async renewSeal(): Promise<void> {
		await this.drop("a new one was asked for");
		this.failures = 0;
		this.notBefore = 0;
		this.tend();
	}

	/** What stands by is ended, and nothing is loaded for a while. */
	giveBackMemory(): void {
		if (this.waiting.length === 0) return;
		this.notBefore = this.env.clock.now() + memoryPauseMs;
		this.reports.tendLater(memoryPauseMs);
		this.ledger.say("session", "The host is short of memory: what stood by is ended, and loaded again later");
		this.discard(this.waiting.splice(0));
	}

	/** Ends what is under way and what stands by. */
	async disband(): Promise<void> {
		this.stop.abort();
		await this.job?.done;
		this.stop = new AbortController();
		await Promise.all(this.waiting.splice(0).map(async (standby) => await this.end(standby)));
	}

	/** Ends what is under way; what stands by is left to the next daemon, which ends it. */
	async leave(): Promise<void> {
		this.stop.abort();
		await this.job?.done;
	}

	// ---- in the background

	private begin(what: "prepare" | "seal" | "load", work: () => Promise<ReserveNews>): void {
		const done = work()
			.then((news) => {
				this.job = undefined;
				this.reports.news(news);
			})
			.catch((error) => {
				// An end that was asked for, or a defect; the latter is told, and tried again later.
				this.job = undefined;
				if (!this.stop.signal.aborted) this.pause(`The reserve failed: ${explain(error)}`);
			});
		this.job = { what, done };
	}

	private async prepare(): Promise<ReserveNews> {
		return { kind: "prepared", why: await this.prepareSeal(this.stop.signal) };
	}

	private async prepareSeal(signal: AbortSignal): Promise<string | undefined> {
		return await this.env.machines
			.prepareSeal(signal)
			.catch((error) => `it cannot be read: ${explain(error)}`);
	}

	private async makeSeal(): Promise<ReserveNews> {
		const number = await this.ledger.planStandby();
		const { signal } = this.stop;
		const error = await this.env.machines.makeSeal(number, signal).then(
			() => undefined,
			(error: unknown) => error ?? new Error("it failed"),
		);
		return { kind: "sealed", number, error };
	}

	private async loadNext(): Promise<ReserveNews> {
		const number = await this.ledger.planStandby();
		const { signal } = this.stop;
		try {
			const standby = await this.env.machines.load(number, (why) => this.lost(number, why), signal);
			return { kind: "loaded", number, standby, error: undefined };
		} catch (error) {
			return { kind: "loaded", number, standby: undefined, error };
		}
	}

	private lost(number: number, why: string): void {
		this.reports.news({ kind: "lost", number, why });
	}

	// ---- what came of it

	private onPrepared(why: string | undefined): void {
		this.seal = why === undefined ? "ready" : "missing";
		this.checkAt = this.env.clock.now() + checkEveryMs;
		if (why === undefined) return void this.reports.tendLater(checkEveryMs);
		this.why = why;
		if (why !== "there is none yet")
			this.ledger.say("session", `The seal cannot be used, and is thrown away: ${why}`);
		this.discard(this.waiting.splice(0));
	}

	private onSealed(number: number, error: unknown): void {
		if (error !== undefined) {
			if (this.stop.signal.aborted) return;
			this.why = `it could not be made: ${explain(error)}`;
			this.pause(`No seal could be made: ${explain(error)}`);
			return;
		}
		this.failures = 0;
		this.seal = "ready";
		this.checkAt = this.env.clock.now() + checkEveryMs;
		this.reports.tendLater(checkEveryMs);
		this.ledger.say("session", `The server is sealed: session ${number} was frozen when it was ready`);
		this.discard(this.waiting.splice(0));
	}

	private onLoaded({ number, standby, error }: Extract<ReserveNews, { kind: "loaded" }>): void {
		if (!standby) {
			this.forget(number);
			if (error !== undefined && !this.stop.signal.aborted)
				this.pause(`No session could be loaded from the seal: ${explain(error)}`);
			return;
		}
		const { state } = this.ledger.record;
		if (state === "stopped" || state === "failed" || this.wanted === null) {
			this.discard([standby]);
			return;
		}
		this.failures = 0;
		this.waiting.push(standby);
		this.ledger.say("session", `Session ${number} stands by`);
	}

	private onLost(number: number, why: string): void {
		const lost = this.waiting.filter(({ session }) => session.number === number);
		if (lost.length === 0) return;
		this.waiting = this.waiting.filter(({ session }) => session.number !== number);
		this.pause(`Session ${number} stands by no longer: ${why}`);
		this.discard(lost);
	}

	/** Tells what is wrong, and leaves the host in peace for a while. */
	private pause(text: string): void {
		const ms = Math.min(longestPauseMs, firstPauseMs * 2 ** this.failures++);
		this.notBefore = this.env.clock.now() + ms;
		this.ledger.say("session", text);
		this.reports.tendLater(ms);
	}

	/** What stands by was loaded for another definition, and may lack its disks. */
	private lookAnew(): void {
		this.stale = false;
		this.discard(this.waiting.splice(0));
		if (this.seal === "ready") this.seal = "unknown";
	}

	/** A server whose system disk is being changed boots: a seal knows nothing of the changes. */
	private get wanted(): WarmPolicy | null {
		return this.ledger.record.changing ? null : this.policy();
	}

	// ---- ending

	private disbandSoon(): void {
		this.discard(this.waiting.splice(0));
	}

	private discard(standbys: readonly Standby[]): void {
		for (const standby of standbys) void this.end(standby);
	}

	private async end(standby: Standby): Promise<void> {
		const { number } = standby.session;
		const ended = await standby.close().catch(() => false);
		if (ended) return this.forget(number);
		// It has no disks and no address; the next daemon tries again.
		this.ledger.say("session", `The process of session ${number}, which stood by, does not end`);
	}

	private forget(number: number): void {
		const standbys = this.ledger.record.standbys.filter((other) => other !== number);
		this.ledger.set({ standbys });
	}
}
