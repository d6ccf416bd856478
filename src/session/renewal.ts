import { BulkheadError, explain } from "../api/errors.ts";
import { formatDuration } from "../api/units.ts";
import type { Doorman } from "./doorman.ts";
import type { Door, Env } from "./env.ts";
import type { Holder } from "./holder.ts";
import type { Ledger } from "./ledger.ts";
import type { Recoverer } from "./recoverer.ts";
import { refusal } from "./refusal.ts";
import type { Reserve, ReserveNews, WarmPolicy } from "./reserve.ts";
import type { SessionRecord } from "./state.ts";
import type { TakeOver } from "./take-over.ts";

/** New requests wait meanwhile: a server that is busy for longer is left alone. */
const drainMs = 5000;
/** A renewal that did not work, because users were busy, is tried again after this long. */
const againMs = 600_000;

/** What came of holding users back. */
export interface Drained {
	drained: boolean;
	/** Why they could not be held back; undefined else. */
	error: unknown;
}

interface UnderWay {
	/** The session that is to be replaced. */
	session: number;
	deadlineMs: number;
	/** Whether users are being held back; before that, the next session is waited for. */
	drains: boolean;
	/** Resolves when the front door has been told to hold users back, and nothing more of that comes. */
	drained: Promise<void>;
	stop: AbortController;
	done: (error?: unknown) => void;
}

interface Parts {
	ledger: Ledger;
	clock: Env["clock"];
	door: Door;
	doorman: Doorman;
	holder: Holder;
	reserve: Reserve;
	takeOver: TakeOver;
	recoverer: Recoverer;
	policy: () => WarmPolicy | null;
	/** Comes back through the inbox to `take in`. */
	onDrained(drained: Drained): void;
}

/** Puts a new session in the place of one that is well, with nobody cut off. */
export class Renewal {
	private readonly ledger: Ledger;
	private readonly clock: Env["clock"];
	private readonly door: Door;
	private readonly doorman: Doorman;
	private readonly holder: Holder;
	private readonly reserve: Reserve;
	private readonly takeOver: TakeOver;
	private readonly recoverer: Recoverer;
	private readonly policy: () => WarmPolicy | null;
	private readonly onDrained: Parts["onDrained"];
	private current: UnderWay | undefined;
	/** By the monotonic clock. */
	private notBefore = 0;
	/** How old a session was when it was first seen, and when that was by the monotonic clock. */
	private seen = { number: 0, at: 0, ageMs: 0 };

	constructor(parts: Parts) {
		this.ledger = parts.ledger;
		this.clock = parts.clock;
		this.door = parts.door;
		this.doorman = parts.doorman;
		this.holder = parts.holder;
		this.reserve = parts.reserve;
		this.takeOver = parts.takeOver;
		this.recoverer = parts.recoverer;
		this.policy = parts.policy;
		this.onDrained = (drained) => parts.onDrained(drained);
	}

	get isUnderWay(): boolean {
		return this.current !== undefined;
	}

	/**
	 * Begins to load a session where none stands by, and then to hold users back.
	 * @param done called when it is over
	 * @throws BulkheadError not-allowed-now
	 */
	begin(deadlineMs: number, done: (error?: unknown) => void): void {
		const policy = this.policy();
		if (!policy)
			throw this.refusal(
				"recovers cold and cannot be renewed unnoticed; `bulkhead restart` shuts it down and boots it",
			);
		if (this.current) throw this.refusal("is being renewed already");
		if (policy.standby > 0 && !this.reserve.hasStandby)
			throw this.refusal("has no next session standing by yet; try again in a moment");
		const session = this.ledger.record.session?.number ?? 0;
		const drained = Promise.resolve();
		this.current = { session, deadlineMs, drains: false, drained, stop: new AbortController(), done };
		this.reserve.setAwaited(true);
		this.goOn();
	}

	/** Something has come of loading the next session: when it stands by, users are held back. */
	goOn(news?: ReserveNews): void {
		const { current } = this;
		if (!current || current.drains) return;
		if (!this.isOfNow(current)) this.end(this.overtaken());
		else if (this.reserve.hasStandby) this.drain(current);
		else if (!this.reserve.isLoading) this.end(this.noNextSession(news));
	}

	private drain(current: UnderWay): void {
		current.drains = true;
		current.drained = this.door.drain(current.deadlineMs, current.stop.signal).then(
			(drained) => this.onDrained({ drained, error: undefined }),
			(error) => this.onDrained({ drained: false, error: error ?? "it was broken off" }),
		);
	}

	async takeIn({ drained, error }: Drained): Promise<void> {
		const { current } = this;
		if (!current) return;
		try {
			if (!this.isOfNow(current)) throw this.overtaken();
			if (error !== undefined) throw new Error(`the front door could not hold users back: ${explain(error)}`);
			if (!drained) throw this.refusal(busyWords(current.deadlineMs));
			await this.replace();
			this.ledger.say("session", `Session ${current.session} was replaced, as planned`);
			this.end();
		} catch (cause) {
			this.end(cause);
		} finally {
			await this.doorman.release();
		}
	}

	private isOfNow(current: UnderWay): boolean {
		const { state, session } = this.ledger.record;
		return state === "running" && session?.number === current.session;
	}

	private end(error?: unknown): void {
		const { current } = this;
		this.current = undefined;
		this.reserve.setAwaited(false);
		current?.done(error);
	}

	/**
	 * Nothing is with the session that runs any more: the front door has seen to it.
	 * @throws Error in words; then the server is recovered as after a failure, was given up, or runs on
	 */
	private async replace(): Promise<void> {
		const standby = this.reserve.take();
		// It was lost meanwhile, or the server is defined otherwise. Users do not wait until another is loaded.
		if (!standby) throw this.noNextSession();
		await this.holder.machine?.settle();
		const over = await this.takeOver.by(standby);
		if (over === "runs") return;
		const summary = `Session ${standby.session.number} could not take over in a planned change of sessions`;
		if (over === "failed") await this.recoverer.changeFailed(summary);
		const { state, reason } = this.ledger.record;
		if (state === "failed") throw new Error(`${summary}, and the server has failed: ${reason}`);
		throw new Error(`${summary}; the server is recovered as after a failure`);
	}

	/** Users are let through at once: a failure has come first. */
	async breakOff(): Promise<void> {
		const { current } = this;
		if (!current) return;
		current.stop.abort();
		if (current.drains) await this.doorman.release();
		else this.end(this.overtaken());
	}

	/** The server is let go of: its users are not to wait for the next daemon. */
	async leave(): Promise<void> {
		const { current } = this;
		if (!current) return;
		this.current = undefined;
		current.stop.abort();
		await current.drained;
		if (current.drains) await this.doorman.release();
		current.done(new BulkheadError("not-allowed-now", "the daemon ends"));
	}

	/** Begins it when the session has run for as long as it is to. */
	beginWhenOld(): void {
		const policy = this.policy();
		const { session, state, maintenance } = this.ledger.record;
		if (!policy?.renewAfterMs || !session || state !== "running" || maintenance || this.current) return;
		const now = this.clock.monotonic();
		const isDue = this.ageOf(session, now) >= policy.renewAfterMs && now >= this.notBefore;
		if (!isDue || !this.reserve.hasStandby) return;
		this.notBefore = now + againMs;
		this.begin(drainMs, (error) => {
			if (error !== undefined)
				this.ledger.say("session", `It could not be renewed as planned: ${explain(error)}`);
		});
	}

	/** Only what has passed before this daemon saw it is told by the host's clock, which may be set. */
	private ageOf({ number, startedAt }: SessionRecord, now: number): number {
		if (this.seen.number !== number)
			this.seen = { number, at: now, ageMs: Math.max(0, this.clock.now() - startedAt) };
		return this.seen.ageMs + now - this.seen.at;
	}

	private overtaken() {
		return this.refusal("failed or was stopped while it was to be renewed");
	}

	private noNextSession(news?: ReserveNews) {
		const { seal, why } = this.reserve.view;
		const failed = news?.kind === "loaded" && news.error !== undefined ? explain(news.error) : "";
		const words = seal === "ready" ? failed : `there is no seal: ${why}`;
		return this.refusal(
			`has no next session standing by${words && ` (${words})`}; nothing was changed; try again in a moment`,
		);
	}

	private refusal(words: string) {
		return refusal(this.ledger.server, words);
	}
}

function busyWords(deadlineMs: number): string {
	return `is in use: requests or connections did not end within ${formatDuration(deadlineMs)}; nothing was changed`;
}
