import { explain } from "../api/errors.ts";
import type { Closing } from "./closing.ts";
import type { Doorman } from "./doorman.ts";
import type { Door, Standby } from "./env.ts";
import type { Holder } from "./holder.ts";
import type { Ledger } from "./ledger.ts";
import type { Lifecycle } from "./lifecycle.ts";
import type { Reserve } from "./reserve.ts";
import { stuckWords } from "./stuck.ts";
import type { TakeOver } from "./take-over.ts";

const drainMs = 500;

interface Parts {
	ledger: Ledger;
	door: Door;
	doorman: Doorman;
	holder: Holder;
	reserve: Reserve;
	takeOver: TakeOver;
	closing: Closing;
	life: Lifecycle;
	/** Aborted when the server is let go of. */
	gone: AbortSignal;
	/** Comes back through the inbox as a call of `knocked`; with an error when nobody would be noticed who comes. */
	onKnock(error: unknown): void;
}

/** The sleep of a server that nobody uses: it has no session, and the next one waits with its address for somebody to come. */
export class Sleep {
	private readonly ledger: Ledger;
	private readonly door: Door;
	private readonly doorman: Doorman;
	private readonly holder: Holder;
	private readonly reserve: Reserve;
	private readonly takeOver: TakeOver;
	private readonly closing: Closing;
	private readonly life: Lifecycle;
	private readonly gone: AbortSignal;
	private readonly onKnock: (error: unknown) => void;
	/** The session that waits, with the server's address, until somebody wants the server that is asleep. */
	private sleeper: Standby | undefined;
	private knock = new AbortController();

	constructor(parts: Parts) {
		this.ledger = parts.ledger;
		this.door = parts.door;
		this.doorman = parts.doorman;
		this.holder = parts.holder;
		this.reserve = parts.reserve;
		this.takeOver = parts.takeOver;
		this.closing = parts.closing;
		this.life = parts.life;
		this.gone = parts.gone;
		this.onKnock = (error) => parts.onKnock(error);
	}

	/** Puts the server to sleep, unless somebody comes at this very moment. */
	async begin(reason: string): Promise<void> {
		try {
			if (!(await this.drained())) return;
			await this.fallAsleep(reason);
			if (this.ledger.record.state === "asleep") this.listen();
		} finally {
			await this.doorman.release();
		}
	}

	/** @returns false also when the server is let go of meanwhile: then it is not the time to fall asleep */
	private async drained(): Promise<boolean> {
		try {
			return (await this.door.drain(drainMs, this.gone)) && !this.gone.aborted;
		} catch (error) {
			if (this.gone.aborted) return false;
			throw error;
		}
	}

	/** Ends the session, and lets the next one wait with the server's address. Nothing is with the session any more. */
	private async fallAsleep(reason: string): Promise<void> {
		const standby = this.reserve.take();
		const { machine } = this.holder;
		if (!standby || !machine) return;
		try {
			await standby.takeAddress();
		} catch (error) {
			await standby.close();
			throw error;
		}
		await machine.settle();
		// The next daemon knows then that the session did not end by itself.
		this.ledger.set({ fallsAsleep: this.ledger.record.session?.number ?? null });
		await this.ledger.save();
		if (!(await this.closing.clear(true))) {
			await standby.close();
			return;
		}
		await this.doorman.rest();
		this.sleeper = standby;
		this.ledger.set({ fallsAsleep: null });
		await this.ledger.become("asleep", reason);
	}

	private listen(): void {
		this.knock = new AbortController();
		const signal = AbortSignal.any([this.knock.signal, this.gone]);
		this.door.knock(signal).then(
			() => this.onKnock(undefined),
			(error) => {
				if (!signal.aborted) this.onKnock(error ?? "it ended");
			},
		);
	}

	/** Who comes from here on changes nothing: the server is being started or stopped. */
	stopListening(): void {
		this.knock.abort();
	}

	/** Somebody has come; or, with an error, would not be noticed any more. */
	async knocked(error: unknown): Promise<void> {
		if (this.ledger.record.state !== "asleep") return;
		if (error !== undefined)
			this.ledger.say(
				"front-door",
				`Nobody would be noticed who comes (${explain(error)}): the server is woken`,
			);
		await this.wake();
	}

	/** Starts a session: the one that waits, or else another. */
	async wake(): Promise<void> {
		// What waits was loaded for the definition of before, and has its hardware.
		if (this.reserve.changed) await this.endSleeper();
		const standby = this.sleeper;
		this.sleeper = undefined;
		if (standby && (await this.takeOver.by(standby)) !== "failed") return;
		await this.life.begin();
	}

	/** Ends the session that waits to be woken, if there is one. */
	async endSleeper(): Promise<void> {
		const standby = this.sleeper;
		this.sleeper = undefined;
		if (standby && !(await standby.close())) this.ledger.say("session", stuckWords(standby.session.number));
	}
}
