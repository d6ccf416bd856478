import { explain } from "../api/errors.ts";
import { formatDuration } from "../api/units.ts";
import type { Aftermath } from "./aftermath.ts";
import type { Closing } from "./closing.ts";
import type { Failure } from "./detection.ts";
import type { Doorman } from "./doorman.ts";
import type { Standby } from "./env.ts";
import type { IncidentBook } from "./incident-book.ts";
import type { Incidents } from "./incidents.ts";
import type { Ledger } from "./ledger.ts";
import type { Recoveries } from "./recoveries.ts";
import type { Step } from "./recovery.ts";
import type { Reserve } from "./reserve.ts";
import type { FailedStart, Starter } from "./starter.ts";
import type { TakeOver } from "./take-over.ts";
import type { Timers } from "./timers.ts";

interface Parts {
	ledger: Ledger;
	book: IncidentBook;
	incidents: Incidents;
	doorman: Doorman;
	closing: Closing;
	reserve: Reserve;
	takeOver: TakeOver;
	starter: Starter;
	recoveries: Recoveries;
	timers: Timers;
	aftermath: Aftermath;
}

/** Recovers a server from the failures of its sessions: does what recovery.ts decides. */
export class Recoverer {
	private readonly ledger: Ledger;
	private readonly book: IncidentBook;
	private readonly incidents: Incidents;
	private readonly doorman: Doorman;
	private readonly closing: Closing;
	private readonly reserve: Reserve;
	private readonly takeOver: TakeOver;
	private readonly starter: Starter;
	private readonly recoveries: Recoveries;
	private readonly timers: Timers;
	private readonly aftermath: Aftermath;

	constructor(parts: Parts) {
		this.ledger = parts.ledger;
		this.book = parts.book;
		this.incidents = parts.incidents;
		this.doorman = parts.doorman;
		this.closing = parts.closing;
		this.reserve = parts.reserve;
		this.takeOver = parts.takeOver;
		this.starter = parts.starter;
		this.recoveries = parts.recoveries;
		this.timers = parts.timers;
		this.aftermath = parts.aftermath;
	}

	/** Opens an incident, ends the failed session, and goes on as the budget allows. */
	async fail(failure: Failure, at: number): Promise<void> {
		const told = this.incidents.begin(failure, at);
		this.recoveries.countYoungDeath(at);
		const standby = this.recoveries.nextStep().kind === "warm" ? this.reserve.take() : undefined;
		if (standby) return await this.failOver(standby, failure, told);
		await told;
		this.aftermath.plan(failure);
		await this.beginRecovering(failure.summary);
		if (!(await this.aftermath.begin())) await this.endFailed();
	}

	/** Goes on with a session that has crashed, or else ends it; the daemon before was ended meanwhile. */
	async resume(): Promise<void> {
		if (!(await this.aftermath.begin())) await this.endFailed();
	}

	/** A crashed session has had its time. @param words why that is over */
	async afterwards(words: string): Promise<void> {
		await this.aftermath.end(words);
		await this.endFailed();
	}

	private async endFailed(): Promise<void> {
		if (await this.closing.closeFailed()) await this.recover();
	}

	/** The next session is there already. That the failure is written down is waited for together with the rest. */
	private async failOver(standby: Standby, failure: Failure, told: Promise<void>): Promise<void> {
		this.book.note(`session ${standby.session.number} takes over`);
		const { open } = this.book;
		this.recoveries.count("warm", open?.drill === null);
		const noted = this.takeOver.note(standby, () => this.ledger.become("recovering", failure.summary));
		const over = await this.takeOver.by(standby, noted, true);
		await told;
		if (over !== "failed") return;
		if (await this.closing.closeFailed()) await this.recover(true);
	}

	/** A session fails that had lived on although its server was given up: that incident is over. */
	async failAgain(failure: Failure): Promise<void> {
		this.ledger.say("session", failure.summary);
		await this.beginRecovering(failure.summary);
		if (await this.closing.closeFailed()) await this.recover(true);
	}

	/** A change of sessions that no failure made necessary has failed, and the session before may have lost its disks. */
	async changeFailed(summary: string): Promise<void> {
		await this.incidents.beginStartFailure(summary);
		if (await this.closing.closeFailed()) await this.recover(true);
	}

	/** Users do not wait for the failed session any longer. */
	async beginRecovering(reason: string): Promise<void> {
		await this.ledger.become("recovering", reason);
		await this.doorman.dropHopeless();
		await this.doorman.cut();
	}

	/** Takes the next step; nothing of the failed session lives any more. */
	async recover(counts = this.book.open?.drill === null): Promise<void> {
		this.starter.isAwaited(false);
		// It may have begun while a crashed session had its time, or in the pause before this attempt.
		if (this.ledger.record.maintenance) return await this.closing.leaveToMaintenance();
		const step = await this.nextStep();
		if (step.kind === "give-up") return await this.closing.giveUp(step.reason);
		this.recoveries.count(step.kind, counts);
		if (step.kind === "warm") {
			if (!(await this.starter.fromSeal())) await this.recover(true);
			return;
		}
		if (step.afterMs === 0) return await this.launch();
		const words = `attempt ${step.attempt} begins in ${formatDuration(step.afterMs)}`;
		this.book.note(words);
		await this.ledger.become("recovering", words);
		this.timers.due("relaunch", step.afterMs);
	}

	/** A seal that cannot be used, or not in time, is no way; and no attempt is lost on it. */
	private async nextStep(): Promise<Step> {
		const step = this.recoveries.nextStep();
		if (step.kind !== "warm" || this.reserve.hasStandby) return step;
		if (await this.reserve.prepareNow("recovery")) return step;
		this.book.note("no session can be loaded from the seal now");
		return this.recoveries.nextStep(false);
	}

	/** Maintenance begins: an attempt that is waited for is not made. What a crashed session has time for goes on. */
	async suspend(): Promise<void> {
		const { state, session, planned } = this.ledger.record;
		// Without an incident nothing has failed: it waits for room.
		if (state === "recovering" && session === null && planned === null && this.book.open)
			await this.closing.leaveToMaintenance();
	}

	/** Boots a session. */
	async launch(): Promise<void> {
		const failed = await this.starter.boot();
		if (failed && (await this.closing.clear())) await this.couldNotStart(failed);
	}

	private async couldNotStart({ number, error, byHand }: FailedStart): Promise<void> {
		const summary = `Session ${number} could not be started: ${explain(error)}`;
		this.ledger.say("session", summary);
		if (this.book.open) this.book.note(summary);
		else if (byHand) return await this.ledger.become("failed", summary);
		else await this.incidents.beginStartFailure(summary);
		await this.recover(true);
	}
}
