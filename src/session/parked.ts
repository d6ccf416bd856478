import { explain } from "../api/errors.ts";
import type { Env, Machine } from "./env.ts";
import type { IncidentBook } from "./incident-book.ts";
import type { Ledger } from "./ledger.ts";
import { stuckWords } from "./stuck.ts";

const restsMs = 700;

/** A session whose disks have gone to the next one: what was learned from it, and whether its process has ended. */
export interface ParkedEnd {
	number: number;
	/** Empty when it did not fail. */
	incident: string;
	evidence: { files: string[]; details: Record<string, string> } | { failed: string };
	ended: boolean;
}

/** Sessions that were taken over from, and wait for their evidence to be read. */
export class Parked {
	private readonly ledger: Ledger;
	private readonly env: Env;
	private readonly book: IncidentBook;
	private readonly onEnd: (end: ParkedEnd) => void;

	/** @param onEnd comes back as a call of `takeIn` */
	constructor(ledger: Ledger, env: Env, book: IncidentBook, onEnd: (end: ParkedEnd) => void) {
		this.ledger = ledger;
		this.env = env;
		this.book = book;
		this.onEnd = onEnd;
	}

	/** Remembers a session as parked, with the next save of the record. */
	note({ session: { number } }: Machine): void {
		this.ledger.set({ parked: [...this.ledger.record.parked, number] });
	}

	/** What takes its time is done in the background; the supervisor takes in what came of it. */
	end(machine: Machine): void {
		void this.endInBackground(machine, this.book.open?.id ?? "");
	}

	private async endInBackground(machine: Machine, incident: string): Promise<void> {
		const { number } = machine.session;
		// The new session has the processors to itself first: those who waited are with it.
		if (incident) await this.env.clock.sleep(restsMs);
		const evidence = incident
			? await machine.collectEvidence(incident).catch((error: unknown) => ({ failed: explain(error) }))
			: { files: [], details: {} };
		const closed = (await machine.close(true)) === "ended";
		const ended = closed && (await this.env.machines.cleanUp(number));
		this.onEnd({ number, incident, evidence, ended });
	}

	/** Takes in what became of a parked session. */
	async takeIn({ number, incident, evidence, ended }: ParkedEnd): Promise<void> {
		if (ended) {
			this.ledger.set({ parked: this.ledger.record.parked.filter((other) => other !== number) });
			await this.ledger.save();
		} else this.ledger.say("session", stuckWords(number));
		if (!incident) return;
		if ("failed" in evidence) this.ledger.say("session", `Evidence could not be kept: ${evidence.failed}`);
		const found = "failed" in evidence ? { files: [], details: {} } : evidence;
		const closed = ended ? `session ${number} closed` : `session ${number} does not end`;
		await this.book.amend(incident, found, closed);
	}
}
