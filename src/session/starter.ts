import { explain } from "../api/errors.ts";
import { attach } from "./attach.ts";
import type { Doorman } from "./doorman.ts";
import type { Standby } from "./env.ts";
import type { Holder } from "./holder.ts";
import type { IncidentBook } from "./incident-book.ts";
import type { Ledger } from "./ledger.ts";
import type { Reserve } from "./reserve.ts";
import type { TakeOver } from "./take-over.ts";
import type { Timers } from "./timers.ts";

/** How often a session is tried whose number cannot be written. */
const roomEveryMs = 10_000;

export interface FailedStart {
	number: number;
	error: unknown;
	/** A person waited for it, and decides what to do. */
	byHand: boolean;
}

interface Parts {
	ledger: Ledger;
	holder: Holder;
	book: IncidentBook;
	doorman: Doorman;
	reserve: Reserve;
	takeOver: TakeOver;
	timers: Timers;
}

/** Begins sessions, by booting or from the seal. What is done when one could not be started is not decided here. */
export class Starter {
	private readonly ledger: Ledger;
	private readonly holder: Holder;
	private readonly book: IncidentBook;
	private readonly doorman: Doorman;
	private readonly reserve: Reserve;
	private readonly takeOver: TakeOver;
	private readonly timers: Timers;
	/** A person waits for this start, and decides what to do when it fails. */
	private byHand = false;

	constructor(parts: Parts) {
		this.ledger = parts.ledger;
		this.holder = parts.holder;
		this.book = parts.book;
		this.doorman = parts.doorman;
		this.reserve = parts.reserve;
		this.takeOver = parts.takeOver;
		this.timers = parts.timers;
	}

	/** @param byHand whether a person waits for the next start */
	isAwaited(byHand: boolean): void {
		this.byHand = byHand;
	}

	/** Whether a person waits for the next start. */
	get awaited(): boolean {
		return this.byHand;
	}

	// ---- by booting

	/** @returns how it failed; its process may live then. Undefined also when it waits for room on the host's disk */
	async boot(): Promise<FailedStart | undefined> {
		const { byHand } = this;
		this.byHand = false;
		this.timers.cancel();
		const number = await this.plan(byHand);
		if (number === undefined) return undefined;
		this.book.note(`session ${number} starts`);
		try {
			await this.doorman.expect();
			const machine = await this.holder.start(number, this.ledger.record.changing);
			await attach({ ...machine.session, readyAt: null }, this.ledger, this.holder);
			this.ledger.say("session", `Session ${number} runs as process ${machine.session.pid}`);
			return undefined;
		} catch (error) {
			return { number, error, byHand };
		}
	}

	// ---- from the seal

	/**
	 * @returns false when that does not work; then nothing of it is left. True also when it waits for room on the host's disk,
	 * and when the server was given up
	 */
	async fromSeal(): Promise<boolean> {
		const standby = await this.loaded();
		if (standby === "waits") return true;
		if (!standby) return false;
		const users = this.book.open !== undefined;
		if ((await this.takeOver.by(standby, undefined, users)) === "failed") return false;
		this.byHand = false;
		return true;
	}

	/** A session that can take over: one that stands by, or one that is loaded now; `waits` when its number cannot be written. */
	private async loaded(): Promise<Standby | "waits" | undefined> {
		const ready = this.reserve.take();
		if (ready || !(await this.reserve.prepareNow("recovery"))) return ready;
		this.timers.cancel();
		const number = await this.plan(this.byHand);
		if (number === undefined) return "waits";
		this.book.note(`session ${number} is loaded from the seal`);
		try {
			return await this.reserve.loadNow(number);
		} catch (error) {
			this.takeOver.tellFailure(number, error);
			this.ledger.set({ planned: null });
			return undefined;
		}
	}

	// ---- numbers

	/** Takes the session's number. @returns undefined when it cannot be written: then it is tried again later */
	private async plan(byHand: boolean): Promise<number | undefined> {
		try {
			return await this.ledger.plan(this.book.open ? `recovering from ${this.book.open.id}` : "");
		} catch (error) {
			const { state } = this.ledger.record;
			if (byHand && (state === "stopped" || state === "failed"))
				throw new Error(`the new session's number cannot be written: ${explain(error)}`, { cause: error });
			await this.waitForRoom(error);
			return undefined;
		}
	}

	/** That the host cannot write is no failure of the session: it costs none of the budget. */
	private async waitForRoom(error: unknown): Promise<void> {
		const { state, reason } = this.ledger.record;
		const words = `the next session waits until its number can be written: ${explain(error)}`;
		if (state !== "recovering" || reason !== words) {
			this.book.note(words);
			await this.ledger.become("recovering", words);
		}
		this.timers.due("relaunch", roomEveryMs);
	}
}
