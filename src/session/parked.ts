import { explain } from "../api/errors.ts";
import type { Env, Machine } from "./env.ts";
import type { IncidentBook } from "./incident-book.ts";
import type { Ledger } from "./ledger.ts";
import { stuckWords } from "./stuck.ts";

const restsMs = 700;

/** A session whose disks have gone to the next one: what was learned from it, and what became of its process. */
export interface ParkedEnd {
	number: number;
	/** Empty when it did not fail. */
	incident: string;
	evidence: { files: string[]; details: Record<string, string> } | { failed: string };
	/** Failed with the reason in words: then something of it may be left on the host. */
	end: "ended" | "stuck" | { failed: string };
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
		const end = await this.close(machine).catch((error: unknown) => ({ failed: explain(error) }));
		this.onEnd({ number, incident, evidence, end });
	}

	private async close(machine: Machine): Promise<"ended" | "stuck"> {
		if ((await machine.close(true)) === "stuck") return "stuck";
		return (await this.env.machines.cleanUp(machine.session.number)) ? "ended" : "stuck";
	}

	/** Takes in what became of a parked session. */
	async takeIn({ number, incident, evidence, end }: ParkedEnd): Promise<void> {
		if (end === "ended") {
			this.ledger.set({ parked: this.ledger.record.parked.filter((other) => other !== number) });
			await this.ledger.save();
		} else if (end === "stuck") this.ledger.say("session", stuckWords(number));
		// It stays in the record: before the server is started the next time, it is tried again.
		else this.ledger.say("session", `What is left of session ${number} cannot be removed: ${end.failed}`);
		if (!incident) return;
		if ("failed" in evidence) this.ledger.say("session", `Evidence could not be kept: ${evidence.failed}`);
		const found = "failed" in evidence ? { files: [], details: {} } : evidence;
		await this.book.amend(incident, found, endWords(number, end));
	}
}

function endWords(number: number, end: ParkedEnd["end"]): string {
	if (end === "ended") return `session ${number} closed`;
	return end === "stuck" ? `session ${number} does not end` : `session ${number} could not be put away`;
}
