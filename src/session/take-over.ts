import { explain } from "../api/errors.ts";
import { attach } from "./attach.ts";
import type { Closing } from "./closing.ts";
import type { Doorman } from "./doorman.ts";
import type { Env, Machine, Standby } from "./env.ts";
import type { Holder } from "./holder.ts";
import type { IncidentBook } from "./incident-book.ts";
import type { Ledger } from "./ledger.ts";
import type { Parked } from "./parked.ts";
import { StuckError, stuckWords } from "./stuck.ts";

/**
 * `failed`: it does not get going, and nothing of it lives; where a session is held still, ending that sees to it.
 * `given-up`: a process does not end that may have the disks, and a person was called.
 */
export type TakenOver = "runs" | "failed" | "given-up";

interface Parts {
	ledger: Ledger;
	clock: Env["clock"];
	holder: Holder;
	book: IncidentBook;
	doorman: Doorman;
	closing: Closing;
	parked: Parked;
}

/** Hands the server's disks, its address and its users from the session that is held to one that stands by. */
export class TakeOver {
	private readonly ledger: Ledger;
	private readonly clock: Env["clock"];
	private readonly holder: Holder;
	private readonly book: IncidentBook;
	private readonly doorman: Doorman;
	private readonly closing: Closing;
	private readonly parked: Parked;

	constructor(parts: Parts) {
		this.ledger = parts.ledger;
		this.clock = parts.clock;
		this.holder = parts.holder;
		this.book = parts.book;
		this.doorman = parts.doorman;
		this.closing = parts.closing;
		this.parked = parts.parked;
	}

	/**
	 * Lets a standby take the server's disks and address, and run. The order is that of DESIGN's failover: whatever does
	 * not depend on another is done at the same time, because users wait.
	 * @param noted that it takes over is on disk: it gets no disks and no packets before
	 * @param failed whether users' requests are with a session that has failed
	 */
	async by(
		standby: Standby,
		noted: Promise<void> = this.note(standby, () => this.ledger.save()),
		failed = false,
	): Promise<TakenOver> {
		const { number } = standby.session;
		this.holder.stopLooking();
		const handing = this.handOver(standby, failed);
		try {
			await Promise.all([handing, noted, standby.wake()]);
			const [machine] = await Promise.all([standby.run(this.holder.listenTo(number)), this.doorman.expect()]);
			await this.becomeSession(machine);
			return "runs";
		} catch (error) {
			// Whatever is still under way must be over before anything else begins.
			const held = await handing.then(
				() => undefined,
				(cause: unknown) => cause,
			);
			const why = held instanceof StuckError ? held : error;
			this.tellFailure(number, why);
			const closed = await standby.close().catch(() => false);
			if (closed) this.ledger.set({ planned: null });
			if (why instanceof StuckError) await this.closing.giveUp(why.message);
			else if (closed || this.holder.machine) return "failed";
			else await this.closing.giveUp(stuckWords(number));
			return "given-up";
		}
	}

	/** For the next daemon: one session may have the disks, or the other. */
	async note({ session: { number } }: Standby, write: () => Promise<void>): Promise<void> {
		const standbys = this.ledger.record.standbys.filter((other) => other !== number);
		this.ledger.set({ planned: number, standbys });
		await write();
	}

	/** A session from the seal does not get going. */
	tellFailure(number: number, error: unknown): void {
		const words = `session ${number} could not be started from the seal: ${explain(error)}`;
		this.book.note(words);
		this.ledger.say("session", words);
	}

	/** Takes disks and address from the session that is held, and the users' connections with them when it has failed. */
	private async handOver(standby: Standby, failed: boolean): Promise<void> {
		const old = this.holder.machine;
		const [gone] = await Promise.all([
			old?.letGo() ?? "ended",
			standby.takeAddress(),
			failed ? this.doorman.dropHopeless() : undefined,
		]);
		if (gone === "stuck") throw new StuckError(old?.session.number ?? 0);
		if (old) this.book.note(`session ${old.session.number} has let go of its disks and its address`);
		if (failed) await this.doorman.cut();
	}

	/** It runs: from here on it is the server's session, and the one before waits for its evidence to be read. */
	private async becomeSession(machine: Machine): Promise<void> {
		const { number } = machine.session;
		const old = this.holder.exchange(machine);
		this.book.note(`session ${number} runs, from the seal`);
		if (old) this.parked.note(old);
		const { state } = this.ledger.record;
		if (state !== "starting")
			await this.ledger.become("starting", this.book.open ? `recovering from ${this.book.open.id}` : "");
		const session = { ...machine.session, startedAt: this.clock.now(), readyAt: null };
		await attach(session, this.ledger, this.holder);
		this.ledger.say("session", `Session ${number} runs as process ${machine.session.pid}, from the seal`);
		if (old) this.parked.end(old);
	}
}
