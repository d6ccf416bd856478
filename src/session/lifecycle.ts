import { BulkheadError, explain } from "../api/errors.ts";
import type { Closing } from "./closing.ts";
import type { Failure } from "./detection.ts";
import type { Env } from "./env.ts";
import type { Holder } from "./holder.ts";
import type { Incidents } from "./incidents.ts";
import type { Ledger } from "./ledger.ts";
import { waitWords } from "./others.ts";
import type { Recoverer } from "./recoverer.ts";
import type { Reserve } from "./reserve.ts";
import { isUpdating } from "./screens.ts";
import type { Starter } from "./starter.ts";
import type { GraceRecord } from "./state.ts";
import type { Timers } from "./timers.ts";

/** A press of the power button is lost on a guest that does not listen yet. */
const pressEveryMs = 5000;
const turnEveryMs = 500;
const forceAgainMs = 10_000;
/** What a guest has of which it is not known. */
const usualStopMs = 60_000;
const sparedWords =
	"Windows installs updates before it shuts down: it is not switched off meanwhile, but for a second stop";

interface Parts {
	ledger: Ledger;
	clock: Env["clock"];
	holder: Holder;
	incidents: Incidents;
	closing: Closing;
	reserve: Reserve;
	starter: Starter;
	recoverer: Recoverer;
	timers: Timers;
	others: Env["others"];
}

/** Begins and ends the sessions of one server as it is asked to. */
export class Lifecycle {
	private readonly ledger: Ledger;
	private readonly clock: Env["clock"];
	private readonly holder: Holder;
	private readonly incidents: Incidents;
	private readonly closing: Closing;
	private readonly reserve: Reserve;
	private readonly starter: Starter;
	private readonly recoverer: Recoverer;
	private readonly timers: Timers;
	private readonly others: Env["others"];
	private pressedAt = Number.NEGATIVE_INFINITY;
	/** A person asked for it once more. */
	private insisted = false;
	/** It was told that the guest is not switched off yet. */
	private spared = false;
	/** The cause that was told last why it may not shut down any more. */
	private doubted: Failure["cause"] | undefined;

	constructor(parts: Parts) {
		this.ledger = parts.ledger;
		this.clock = parts.clock;
		this.holder = parts.holder;
		this.incidents = parts.incidents;
		this.closing = parts.closing;
		this.reserve = parts.reserve;
		this.starter = parts.starter;
		this.recoverer = parts.recoverer;
		this.timers = parts.timers;
		this.others = parts.others;
	}

	/**
	 * Starts the server as it was asked for.
	 * @param inTurn whether it waits until those are there that it comes after
	 * @throws BulkheadError not-allowed-now, when an earlier session's process does not end
	 */
	async start(inTurn = false): Promise<void> {
		// A process that did not end when its session failed may have ended since.
		if (!(await this.closing.clear())) throw new BulkheadError("not-allowed-now", this.ledger.record.reason);
		this.ledger.set({ wanted: "running", recoveries: [] });
		this.starter.isAwaited(true);
		if (inTurn) return await this.beginInTurn();
		this.tellHurry();
		await this.begin();
	}

	/** Starts a session that nobody waits for: not while one that it comes after is on its way. */
	async beginInTurn(): Promise<void> {
		const words = waitWords(this.others());
		if (words === "") return await this.begin();
		const { state, reason } = this.ledger.record;
		// By the time it is started, whoever asked for it has gone.
		this.starter.isAwaited(false);
		if (state !== "starting" || reason !== words) await this.ledger.become("starting", words);
		this.timers.due("turn", turnEveryMs);
	}

	/** Starts a session that no failure made necessary: from the seal, or else by booting. */
	async begin(): Promise<void> {
		this.timers.cancel();
		// Changes are made in sessions that boot: a seal knows nothing of them.
		const { changing, openIncident } = this.ledger.record;
		const what = openIncident === null ? "start" : "recovery";
		if (!changing && (await this.reserve.prepareNow(what)) && (await this.starter.fromSeal())) return;
		await this.recoverer.launch();
	}

	/**
	 * Asks the guest to shut down.
	 * @param deadlineMs after this long it is switched off
	 * @param byHand whether a person waits for the session that comes after it, if one does
	 */
	async stop(deadlineMs: number, startAgain: boolean, byHand = true): Promise<void> {
		this.starter.isAwaited(byHand && startAgain);
		// Who gives it no time at all means it, and so does who says it twice.
		this.insisted = deadlineMs === 0 || (byHand && this.ledger.record.state === "stopping");
		this.spared = false;
		this.doubted = undefined;
		const grace = { withinMs: deadlineMs, until: this.clock.now() + deadlineMs };
		this.ledger.set({ wanted: startAgain ? "running" : "stopped", grace });
		await this.ledger.become("stopping", startAgain ? "restarting" : "");
		if (!this.holder.machine || this.ledger.record.aftermath) {
			// No machine is held, and yet a process may live: one that does not end, or whose monitor is mute. And what has
			// crashed hears no button.
			if (await this.closeAndStop("")) return;
			throw new BulkheadError("not-allowed-now", this.ledger.record.reason);
		}
		await this.pressPowerButton();
		this.timers.due("force", deadlineMs);
	}

	/** Goes on with a stop that an earlier daemon began: the guest has what is left of its time. */
	async stopOn(): Promise<void> {
		const { wanted, grace } = this.ledger.record;
		await this.stop(grace ? this.leftOf(grace) : usualStopMs, wanted === "running", false);
	}

	/** The host's clock may have been set meanwhile; and what the guest is at is to be seen before it is switched off. */
	private leftOf({ withinMs, until }: GraceRecord): number {
		return Math.min(withinMs, Math.max(forceAgainMs, until - this.clock.now()));
	}

	/** The guest did not shut down in time. */
	async force(): Promise<void> {
		// Switched off in the midst of its updates, it may not start again.
		if (isUpdating(this.holder.seen) && !this.insisted) return this.spare();
		this.ledger.say("session", "The guest did not shut down in time; it is switched off");
		await this.closeAndStop("");
	}

	/** Whether it stops, and will not be switched off in the midst of its updates unless a person insists. */
	get spares(): boolean {
		return this.ledger.record.state === "stopping" && !this.insisted && isUpdating(this.holder.seen);
	}

	private spare(): void {
		if (!this.spared) this.ledger.say("session", sparedWords);
		this.spared = true;
		this.timers.due("force", forceAgainMs);
	}

	/** It looks failed, and may be shutting down all the same: whoever stops it has said how long that may take. */
	waitOn({ cause, summary }: Failure): void {
		if (cause !== this.doubted)
			this.ledger.say("session", `${summary}; it is switched off when its time to shut down is over`);
		this.doubted = cause;
	}

	/** The guest was seen to run on. */
	async pressAgain(): Promise<void> {
		if (this.clock.monotonic() - this.pressedAt >= pressEveryMs) await this.pressPowerButton();
	}

	private async pressPowerButton(): Promise<void> {
		this.pressedAt = this.clock.monotonic();
		await this.holder.machine
			?.pressPowerButton()
			.catch((error) => this.ledger.say("session", `The power button did not work: ${explain(error)}`));
	}

	/** @returns false when its process does not end: then the server has failed */
	async closeAndStop(reason: string): Promise<boolean> {
		const cleared = await this.closing.clear(true);
		if (cleared) await this.stopped(reason);
		return cleared;
	}

	/** Nothing of the session lives any more. */
	async stopped(reason: string): Promise<void> {
		const { state, wanted } = this.ledger.record;
		this.timers.cancel();
		await this.incidents.end("stopped");
		this.ledger.set({ session: null, grace: null });
		// What is stopping and wanted is being restarted, whichever daemon began it.
		if (state === "stopping" && wanted === "running") return await this.beginAgain();
		await this.reserve.disband();
		await this.ledger.become("stopped", reason);
	}

	private async beginAgain(): Promise<void> {
		if (!this.starter.awaited) return await this.beginInTurn();
		this.tellHurry();
		await this.begin();
	}

	/** A person may know better than to wait for others; what comes of it is to be understood later. */
	private tellHurry(): void {
		const words = waitWords(this.others());
		if (words) this.ledger.say("session", `It is started at once; by itself it ${words}`);
	}
}
