import { explain } from "../api/errors.ts";
import type { Door } from "./env.ts";
import type { IncidentBook } from "./incident-book.ts";
import type { Ledger } from "./ledger.ts";

/**
 * Asks the front door for what beginning and ending sessions need of it. What it does not do is told and keeps nothing
 * from going on: a server without its front door is still there for its neighbours, and for its administrator.
 */
export class Doorman {
	private readonly door: Door;
	private readonly ledger: Ledger;
	private readonly book: IncidentBook;

	constructor(door: Door, ledger: Ledger, book: IncidentBook) {
		this.door = door;
		this.ledger = ledger;
		this.book = book;
	}

	/** A new session begins. */
	async expect(): Promise<void> {
		await this.door.expect().catch((error) => this.tellTrouble(error));
	}

	/** Nothing is behind it for a while. */
	async rest(): Promise<void> {
		// Checks that go on look like somebody who comes: it would be woken, and no worse.
		await this.door.rest().catch((error) => this.tellTrouble(error));
	}

	/** Ends the requests that nobody can answer rightly any more. */
	async dropHopeless(): Promise<void> {
		await this.door.dropHopeless().catch((error) => this.tellTrouble(error));
	}

	/** Ends the connections to the failed session. */
	async cut(): Promise<void> {
		await this.door
			.cut()
			.catch((error) => this.ledger.say("front-door", `Connections could not be cut: ${explain(error)}`));
		this.book.note("connections to the failed session cut");
	}

	/** Lets users through again who were held back. */
	async release(): Promise<void> {
		await this.door
			.release()
			.catch((error) => this.ledger.say("front-door", `It does not do as it is told: ${explain(error)}`));
	}

	private tellTrouble(error: unknown): void {
		this.ledger.say("front-door", `It could not be made ready: ${explain(error)}`);
	}
}
