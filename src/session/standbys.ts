import type { Machines, Standby } from "./env.ts";
import type { Ledger } from "./ledger.ts";

/** The next sessions of a server: loaded from its seal, paused, without disks and address. */
export class Standbys {
	private readonly ledger: Ledger;
	private readonly machines: Machines;
	private readonly onLost: (number: number, why: string) => void;
	private waiting: Standby[] = [];

	/** @param onLost called when one fails while it waits, or while it is being loaded */
	constructor(ledger: Ledger, machines: Machines, onLost: (number: number, why: string) => void) {
		this.ledger = ledger;
		this.machines = machines;
		this.onLost = onLost;
	}

	/** How many stand by. */
	get count(): number {
		return this.waiting.length;
	}

	/** Loads one. @param awaited whether users wait for it. @throws Error in words, also when there is no seal */
	async load(number: number, awaited: boolean, signal: AbortSignal): Promise<Standby> {
		return await this.machines.load(number, awaited, (why) => this.onLost(number, why), signal);
	}

	/** From here on it stands by. */
	add(standby: Standby): void {
		this.waiting.push(standby);
		this.ledger.say("session", `Session ${standby.session.number} stands by`);
	}

	/** @returns a session that can take over at once, if there is one; it is the caller's from here on */
	take(): Standby | undefined {
		return this.waiting.shift();
	}

	/** Takes one away that has failed. @returns undefined when it does not stand by (any more) */
	takeLost(number: number): Standby | undefined {
		const lost = this.waiting.find(({ session }) => session.number === number);
		this.waiting = this.waiting.filter((standby) => standby !== lost);
		return lost;
	}

	/** Ends in the background what stands by beyond that many. */
	discardBeyond(count: number): void {
		for (const standby of this.waiting.splice(count)) this.discard(standby);
	}

	discard(standby: Standby): void {
		void this.end(standby);
	}

	async endAll(): Promise<void> {
		await Promise.all(this.waiting.splice(0).map(async (standby) => await this.end(standby)));
	}

	private async end(standby: Standby): Promise<void> {
		const { number } = standby.session;
		const ended = await standby.close().catch(() => false);
		if (ended) return this.forget(number);
		// It has no disks and no address; the next daemon tries again.
		this.ledger.say("session", `The process of session ${number}, which stood by, does not end`);
	}

	/** Nothing of a session that stood by, or was to, lives any more. */
	forget(number: number): void {
		const standbys = this.ledger.record.standbys.filter((other) => other !== number);
		this.ledger.set({ standbys });
	}
}
