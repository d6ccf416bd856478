import type { Incident } from "../api/incident.ts";
import type { Failure } from "./detection.ts";
import type { Env } from "./env.ts";
import type { IncidentBook } from "./incident-book.ts";
import type { Ledger } from "./ledger.ts";

/** What fails later than this after a drill was not made by it. */
const drillLastsMs = 120_000;

/** Begins and ends incidents: in the book, and in the server's record, where the next daemon finds the one that is open. */
export class Incidents {
	private readonly ledger: Ledger;
	private readonly clock: Env["clock"];
	private readonly book: IncidentBook;

	constructor(ledger: Ledger, clock: Env["clock"], book: IncidentBook) {
		this.ledger = ledger;
		this.clock = clock;
		this.book = book;
	}

	/** @param at when the failure was noticed, milliseconds since the Unix epoch */
	async begin(failure: Failure, at = this.clock.now()): Promise<void> {
		const { server } = this.ledger;
		const session = this.session;
		const { cause, summary, forMs = 0, details = {} } = failure;
		const made = this.drillOf(session, at - forMs);
		const drill = made && { fault: made.fault, at: made.at };
		const began = Math.max(at - forMs, made?.at ?? 0);
		const beginning = { server, session, cause, summary, at: began, noticedAt: at, drill };
		const kept = this.book.begin(beginning, details);
		// It is open from here on, also while it is being written.
		const openIncident = this.book.open?.id ?? null;
		this.ledger.set({ openIncident, incidents: this.ledger.record.incidents + 1 });
		await kept;
	}

	/** Nobody waits for this start who could try it again: that is done by the rules of recovery. */
	async beginStartFailure(summary: string): Promise<void> {
		await this.begin({ kind: "failed", cause: "start-failed", summary });
		await this.ledger.become("recovering", summary);
	}

	/** The next session is ready. @returns the incident as it was closed, if one was open */
	async recovered(at: number, session: number): Promise<Incident | undefined> {
		const closed = await this.book.recovered(at, session);
		if (!closed) return undefined;
		this.ledger.set({ openIncident: null });
		await this.ledger.save();
		this.tellOver(closed);
		return closed;
	}

	/** The one that is open, if any, ends without a recovery; the record is saved by what follows. */
	async end(outcome: "gave-up" | "stopped"): Promise<void> {
		await this.book.end(outcome);
		this.ledger.set({ openIncident: null });
	}

	/**
	 * Goes on with what the daemon before had open, unless its server was ready again already, or it had closed it. It may
	 * have been ended before the server's record knew of it.
	 */
	async resume(): Promise<void> {
		const { openIncident, session, state } = this.ledger.record;
		await this.book.resume(openIncident ?? `${this.ledger.server}-${this.session}`);
		const failed = this.book.open?.session;
		if (session?.readyAt && failed !== undefined && failed !== session.number) {
			const closed = await this.book.recovered(session.readyAt, session.number);
			if (closed) this.tellOver(closed);
		}
		if (state === "stopped" || state === "failed") await this.book.end("stopped");
		const open = this.book.open?.id ?? null;
		if (open === openIncident) return;
		this.ledger.set({ openIncident: open });
		await this.ledger.save();
	}

	/** A session is well whose failure was noted, and nothing was done about it: the daemon had ended then. */
	async wellAgain(): Promise<void> {
		const { open } = this.book;
		if (!open || open.session !== this.ledger.record.session?.number) return;
		const words = `session ${open.session} is well; the daemon had ended before anything was done`;
		this.book.note(words);
		await this.end("stopped");
		await this.ledger.save();
		this.ledger.say("incident", `Incident ${open.id} is over: ${words}`);
	}

	/** Number of the session that an incident of now is about. */
	private get session(): number {
		const { session, nextSession } = this.ledger.record;
		return session?.number ?? nextSession - 1;
	}

	private drillOf(session: number, at: number) {
		const { drill } = this.ledger.record;
		return drill?.session === session && at - drill.at <= drillLastsMs ? drill : null;
	}

	private tellOver(closed: Incident): void {
		this.ledger.say("incident", `Incident ${closed.id} is over after ${closed.outageMs} ms`);
	}
}
