import { explain } from "../api/errors.ts";
import { Background } from "./background.ts";
import { Deadline } from "./deadline.ts";
import type { Env, Standby } from "./env.ts";
import type { Ledger } from "./ledger.ts";
import { type Looked, Seal } from "./seal.ts";
import { Standbys } from "./standbys.ts";

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
export type ReserveNews = ({ round: number } & Outcome) | { kind: "lost"; number: number; why: string };

type Outcome =
	| { kind: "prepared"; looked: Looked }
	| { kind: "sealed"; number: number; error: unknown }
	| { kind: "loaded"; number: number; standby: Standby | undefined; error: unknown }
	| { kind: "dropped"; wasThere: boolean; error: unknown };

export interface ReserveReports {
	/** Comes back through the inbox to `take in`. */
	news(news: ReserveNews): void;
	/** Comes back through the inbox as a call of `tend`. */
	tendLater(afterMs: number): void;
}

const firstPauseMs = 30_000;
const longestPauseMs = 3_600_000;
const memoryPauseMs = 300_000;
const loadedWithinMs = 120_000;
/**
 * How long a seal is waited for that is still to be read, before a server boots instead. The smallest of guests is back 7.5 s
 * after a failure when it boots: whoever has waited for a seal in vain has waited for twice as long at most.
 */
const readWithinMs = { recovery: 7500, start: 120_000 };

/**
 * Keeps a server's seal and its next sessions ready, in the background and one thing at a time. What comes of it is
 * taken in by the supervisor, between two inputs.
 */
export class Reserve {
	private readonly ledger: Ledger;
	private readonly clock: Env["clock"];
	private readonly policy: () => WarmPolicy | null;
	private readonly reports: ReserveReports;
	private readonly seal: Seal;
	private readonly standbys: Standbys;
	private readonly work = new Background<Outcome["kind"]>();
	private stale = false;
	private awaited = false;
	private failures = 0;
	/** By the monotonic clock. */
	private notBefore = 0;

	constructor(ledger: Ledger, env: Env, policy: () => WarmPolicy | null, reports: ReserveReports) {
		this.ledger = ledger;
		this.clock = env.clock;
		this.policy = policy;
		this.reports = reports;
		this.seal = new Seal(ledger, env.clock, env.machines, (ms) => reports.tendLater(ms));
		this.standbys = new Standbys(ledger, env.machines, (number, why) =>
			reports.news({ kind: "lost", number, why }),
		);
	}

	/** How it stands, for people. */
	get view(): { seal: "none" | "making" | "ready"; why: string; standbys: number; wanted: number } {
		const ready = this.seal.state === "ready";
		const making = this.work.kind === "sealed";
		return {
			seal: ready ? "ready" : making ? "making" : "none",
			why: ready ? "" : this.seal.why,
			standbys: this.standbys.count,
			wanted: this.policy()?.standby ?? 0,
		};
	}

	/** Whether a session can be loaded, as far as that is known. */
	get sealed(): boolean {
		return this.wanted !== null && this.seal.state !== "missing";
	}

	/** Whether one stands by. */
	get hasStandby(): boolean {
		return this.standbys.count > 0;
	}

	/** Whether the definition has changed since a session was taken last: that one has not what it says now. */
	get changed(): boolean {
		return this.stale;
	}

	/** A server whose system disk is being changed boots: a seal knows nothing of the changes. */
	private get wanted(): WarmPolicy | null {
		return this.ledger.record.changing ? null : this.policy();
	}

	// ---- in the background

	/** Brings seal and standbys to what is wanted; goes on by itself until they are. */
	tend(): void {
		const policy = this.wanted;
		const { record } = this.ledger;
		if (policy === null) {
			this.standbys.discardBeyond(0);
			if (this.policy() === null) this.dropForGood();
			return;
		}
		if (record.state !== "running" || this.work.kind || (record.maintenance && !this.awaited)) return;
		if (this.stale) this.lookAnew();
		if (this.clock.monotonic() < this.notBefore) return;
		if (this.seal.outdated) this.seal.doubt();
		if (this.seal.state === "unknown") this.begin("prepared", async () => await this.prepare());
		else if (this.seal.state === "missing") this.begin("sealed", async () => await this.makeSeal());
		else if (this.standbys.count < this.goal) this.begin("loaded", async () => await this.loadNext());
		else this.standbys.discardBeyond(this.goal);
	}

	/**
	 * A server that recovers cold keeps no copy of its memory: it may recover cold because of what is in that. A session that
	 * came from the seal goes on, with what it has of it.
	 */
	private dropForGood(): void {
		if (this.work.kind === "dropped" || this.work.signal.aborted) return;
		if (this.work.kind) {
			void this.work.breakOff().then(() => this.reports.tendLater(0));
			return;
		}
		if (this.seal.state === "missing" || this.clock.monotonic() < this.notBefore) return;
		this.begin("dropped", async () => await this.throwAway());
	}

	private async throwAway(): Promise<Outcome> {
		try {
			const wasThere = await this.seal.drop("the server recovers cold");
			return { kind: "dropped", wasThere, error: undefined };
		} catch (error) {
			return { kind: "dropped", wasThere: true, error: error ?? new Error("it failed") };
		}
	}

	/** How many are to stand by. */
	private get goal(): number {
		return Math.max(this.wanted?.standby ?? 0, this.awaited ? 1 : 0);
	}

	/** The definition has changed: the seal may not fit any more, nor one that is being made. */
	recheck(): void {
		this.stale = true;
		this.tend();
	}

	/** What stands by was loaded for another definition, and may lack its disks. */
	private lookAnew(): void {
		// What is under way may have been begun for the old one: then all of it is looked at once more.
		this.stale = this.work.kind !== undefined;
		this.standbys.discardBeyond(0);
		this.seal.doubt();
	}

	private begin(kind: Outcome["kind"], work: () => Promise<Outcome>): void {
		const { round } = this.work;
		this.work.begin(
			kind,
			work,
			(outcome) => this.reports.news({ ...outcome, round }),
			// A defect; it is told, and tried again later.
			(error) => this.pause(`The reserve failed: ${explain(error)}`),
		);
	}

	private async prepare(): Promise<Outcome> {
		return { kind: "prepared", looked: await this.seal.prepare(this.work.signal) };
	}

	private async makeSeal(): Promise<Outcome> {
		const number = await this.ledger.planStandby();
		return { kind: "sealed", number, error: await this.seal.make(number, this.work.signal) };
	}

	private async loadNext(): Promise<Outcome> {
		const number = await this.ledger.planStandby();
		try {
			const standby = await this.standbys.load(number, false, this.work.signal);
			return { kind: "loaded", number, standby, error: undefined };
		} catch (error) {
			return { kind: "loaded", number, standby: undefined, error };
		}
	}

	// ---- what came of it

	takeIn(news: ReserveNews): void {
		if (news.kind === "lost") this.onLost(news);
		else if (news.round === this.work.round) this.onOutcome(news);
		else this.putAway(news);
		this.tend();
	}

	private onOutcome(outcome: Outcome): void {
		if (outcome.kind === "prepared") this.onPrepared(outcome.looked);
		else if (outcome.kind === "sealed") this.onSealed(outcome);
		else if (outcome.kind === "dropped") this.onDropped(outcome);
		else this.onLoaded(outcome);
	}

	/** It was broken off: that it did not work means nothing, and that it did is too late. */
	private putAway(outcome: Outcome): void {
		if (outcome.kind === "prepared") return;
		if (outcome.kind === "dropped") {
			this.onDropped(outcome);
			return;
		}
		if (outcome.kind === "sealed") {
			this.standbys.forget(outcome.number);
			// It may have been made at the last moment, or thrown away since.
			if (outcome.error === undefined) this.seal.forget();
		} else if (outcome.standby) this.standbys.discard(outcome.standby);
		else this.standbys.forget(outcome.number);
	}

	private onPrepared(looked: Looked): void {
		this.seal.prepared(looked);
		if (looked.seal === "missing") this.standbys.discardBeyond(0);
		// What stands by was loaded when it was known to be good.
		if (looked.seal === "unknown")
			this.pause(`The seal could not be checked, and is not used until it is: ${looked.why}`);
	}

	private onSealed({ number, error }: Extract<Outcome, { kind: "sealed" }>): void {
		this.standbys.forget(number);
		if (error !== undefined) {
			this.seal.notMade(error);
			this.pause(`No seal could be made: ${explain(error)}`);
			return;
		}
		this.failures = 0;
		this.seal.made(number);
		this.standbys.discardBeyond(0);
	}

	private onLoaded({ number, standby, error }: Extract<Outcome, { kind: "loaded" }>): void {
		if (!standby) {
			this.standbys.forget(number);
			this.pause(`No session could be loaded from the seal: ${explain(error)}`);
			return;
		}
		const { state } = this.ledger.record;
		if (state === "stopped" || state === "failed" || this.wanted === null) {
			this.standbys.discard(standby);
			return;
		}
		this.failures = 0;
		this.standbys.add(standby);
	}

	private onDropped({ wasThere, error }: Extract<Outcome, { kind: "dropped" }>): void {
		if (error !== undefined) {
			this.seal.forget();
			this.pause(`The seal of a server that recovers cold is still there: ${explain(error)}`);
		} else if (wasThere) this.ledger.say("session", "The seal is thrown away: the server recovers cold");
	}

	private onLost({ number, why }: Extract<ReserveNews, { kind: "lost" }>): void {
		const lost = this.standbys.takeLost(number);
		if (!lost) return;
		this.pause(`Session ${number} stands by no longer: ${why}`);
		this.standbys.discard(lost);
	}

	/** Tells what is wrong, and leaves the host in peace for a while. */
	private pause(text: string): void {
		const ms = Math.min(longestPauseMs, firstPauseMs * 2 ** this.failures++);
		this.notBefore = this.clock.monotonic() + ms;
		this.ledger.say("session", text);
		this.reports.tendLater(ms);
	}

	// ---- for whom somebody waits

	/** @returns a session that can take over at once, if there is one; it is the caller's from here on */
	take(): Standby | undefined {
		// Something else was under way when the definition changed, and nobody has tended to it since.
		if (this.stale) this.lookAnew();
		return this.standbys.take();
	}

	/** @param on whether somebody waits for a session that stands by beside the one that runs, even if none is wanted else */
	setAwaited(on: boolean): void {
		this.awaited = on;
		if (on) this.notBefore = 0;
		this.tend();
	}

	/** Whether one is being loaded, or will be as soon as the seal has been looked at. */
	get isLoading(): boolean {
		return this.work.kind === "loaded" || this.work.kind === "prepared";
	}

	/** Loads a session while somebody waits for it. @throws Error in words, also when there is no seal */
	async loadNow(number: number): Promise<Standby> {
		return await this.standbys.load(number, true, AbortSignal.timeout(loadedWithinMs));
	}

	/**
	 * Makes sure that a seal can be used; waits for that.
	 * @param what it is for: while a server recovers its users wait, and not for longer than a boot takes
	 */
	async prepareNow(what: keyof typeof readWithinMs): Promise<boolean> {
		if (this.wanted === null) return false;
		using time = new Deadline(this.clock, readWithinMs[what]);
		// Sealing takes as long as a boot: nobody waits for that.
		if (this.work.kind === "prepared") await time.orOver(this.work.settled());
		// While a server does not run, nobody tends to what its changed definition has made unfit.
		if (this.stale) this.lookAnew();
		if (this.seal.state === "unknown" && !time.isOver) {
			const looked = await this.seal.prepare(time.signal);
			if (!time.isOver) this.onPrepared(looked);
		}
		if (time.isOver) this.ledger.say("session", `The seal is not waited for: ${explain(time.signal.reason)}`);
		return this.seal.state === "ready";
	}

	// ---- ending

	/** Throws the seal away in the background; nobody is to wait for that. */
	distrust(why: string): void {
		this.seal.disown();
		void this.drop(why).catch((error) =>
			this.ledger.say("session", `The seal is still there: ${explain(error)}`),
		);
	}

	/** Throws the seal away, and what stands by from it. */
	async drop(why: string): Promise<void> {
		this.ledger.say("session", `The seal is thrown away: ${why}`);
		await this.disband();
		await this.seal.drop(why);
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
		if (!this.hasStandby) return;
		this.notBefore = this.clock.monotonic() + memoryPauseMs;
		this.reports.tendLater(memoryPauseMs);
		this.ledger.say("session", "The host is short of memory: what stood by is ended, and loaded again later");
		this.standbys.discardBeyond(0);
	}

	/** Ends what is under way and what stands by. */
	async disband(): Promise<void> {
		await this.work.breakOff();
		await this.standbys.endAll();
	}

	/** Ends what is under way; what stands by is left to the next daemon, which ends it. */
	async leave(): Promise<void> {
		await this.work.end();
	}
}
