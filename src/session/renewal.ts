import { explain } from "../api/errors.ts";
import { formatDuration } from "../api/units.ts";
import type { Doorman } from "./doorman.ts";
import type { Door } from "./env.ts";
import type { Holder } from "./holder.ts";
import type { Ledger } from "./ledger.ts";
import type { Recoverer } from "./recoverer.ts";
import { refusal } from "./refusal.ts";
import type { Reserve, WarmPolicy } from "./reserve.ts";
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
	stop: AbortController;
	done: (error?: unknown) => void;
}

interface Parts {
	ledger: Ledger;
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
	private readonly door: Door;
	private readonly doorman: Doorman;
	private readonly holder: Holder;
	private readonly reserve: Reserve;
	private readonly takeOver: TakeOver;
	private readonly recoverer: Recoverer;
	private readonly policy: () => WarmPolicy | null;
	private readonly onDrained: Parts["onDrained"];
	private current: UnderWay | undefined;
	private notBefore = 0;

	constructor(parts: Parts) {
		this.ledger = parts.ledger;
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
	 * Begins to hold users back.
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
		const stop = new AbortController();
		this.current = { session: this.ledger.record.session?.number ?? 0, deadlineMs, stop, done };
		this.door.drain(deadlineMs, stop.signal).then(
			(drained) => this.onDrained({ drained, error: undefined }),
			(error) => this.onDrained({ drained: false, error: error ?? "it was broken off" }),
		);
	}

	async takeIn({ drained, error }: Drained): Promise<void> {
		const { current } = this;
		this.current = undefined;
		if (!current) return;
		try {
			const { state, session } = this.ledger.record;
			if (state !== "running" || session?.number !== current.session)
				throw this.refusal("failed or was stopped while it was to be renewed");
			if (error !== undefined) throw new Error(`the front door could not hold users back: ${explain(error)}`);
			if (!drained) throw this.refusal(busyWords(current.deadlineMs));
			await this.replace();
			this.ledger.say("session", `Session ${current.session} was replaced, as planned`);
			current.done();
		} catch (cause) {
			current.done(cause);
		} finally {
			await this.doorman.release();
		}
	}

	/**
	 * Nothing is with the session that runs any more: the front door has seen to it.
	 * @throws Error in words; then the server is recovered as after a failure, or runs on
	 */
	private async replace(): Promise<void> {
		const standby = this.reserve.take() ?? (await this.reserve.loadBeside());
		await this.holder.machine?.settle();
		if (await this.takeOver.by(standby)) return;
		const summary = `Session ${standby.session.number} could not take over in a planned change of sessions`;
		await this.recoverer.changeFailed(summary);
		throw new Error(`${summary}; the server is recovered as after a failure`);
	}

	/** Users are let through at once: a failure has come first. */
	async breakOff(): Promise<void> {
		if (!this.current) return;
		this.current.stop.abort();
		await this.doorman.release();
	}

	/** Begins it when the session has run for as long as it is to. */
	beginWhenOld(now: number): void {
		const policy = this.policy();
		const { session, state, maintenance } = this.ledger.record;
		if (!policy?.renewAfterMs || !session || state !== "running" || maintenance || this.current) return;
		if (now - session.startedAt < policy.renewAfterMs || now < this.notBefore || !this.reserve.hasStandby)
			return;
		this.notBefore = now + againMs;
		this.begin(drainMs, (error) => {
			if (error !== undefined)
				this.ledger.say("session", `It could not be renewed as planned: ${explain(error)}`);
		});
	}

	private refusal(words: string) {
		return refusal(this.ledger.server, words);
	}
}

function busyWords(deadlineMs: number): string {
	return `is in use: requests or connections did not end within ${formatDuration(deadlineMs)}; nothing was changed`;
}
