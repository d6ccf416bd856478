import { explain } from "../api/errors.ts";
import type { Felt } from "../api/incident.ts";
import type { Patience } from "./detection.ts";
import type { Env } from "./env.ts";
import type { Holder } from "./holder.ts";
import type { IncidentBook } from "./incident-book.ts";
import type { Incidents } from "./incidents.ts";
import type { Ledger } from "./ledger.ts";
import type { Recoveries } from "./recoveries.ts";

/** Requests that were held are logged when they are answered: some time after the server is ready. */
const feltAfterMs = [1500, 20_000];
const tendAfterMs = 300;

interface Parts {
	ledger: Ledger;
	clock: Env["clock"];
	book: IncidentBook;
	incidents: Incidents;
	holder: Holder;
	patience: () => Patience;
	recoveries: Recoveries;
	/** Comes back through the inbox when the reserve may be tended. */
	tendLater(afterMs: number): void;
	/** Comes back through the inbox as a call of `askFelt`. */
	askFeltLater(afterMs: number, incident: string, until: number): void;
	/** Comes back through the inbox, to be added to the incident. */
	onFelt(incident: string, felt: Felt | null): void;
}

/** What follows when a session is ready: the server runs, its incident is over, and what users felt of it is asked for. */
export class Readiness {
	private readonly parts: Parts;

	constructor(parts: Parts) {
		this.parts = parts;
	}

	async takeIn(): Promise<void> {
		const { ledger, clock, recoveries, incidents } = this.parts;
		const at = clock.now();
		const { session, state } = ledger.record;
		if (!session || state !== "starting") return;
		recoveries.noteReady();
		ledger.set({ session: { ...session, readyAt: session.readyAt ?? at } });
		await ledger.become("running", "");
		ledger.say("session", `Session ${session.number} is ready`);
		// Those who waited are served first.
		this.parts.tendLater(tendAfterMs);
		const closed = await incidents.recovered(at, session.number);
		if (!closed) return;
		for (const ms of feltAfterMs) this.parts.askFeltLater(ms, closed.id, at);
	}

	/** After a look from which nothing followed: an incident that the daemon before had just opened may have passed. */
	async takeInLook(at: number): Promise<void> {
		const { ledger, holder, incidents, patience } = this.parts;
		const { phase, since, status, silenceMs } = holder.seen;
		if (ledger.record.state !== "running" || phase !== "ready" || status !== "running") return;
		if (silenceMs === 0 && at - since >= patience().silence) await incidents.wellAgain();
	}

	/** The front door may take its time to answer; failures are not to wait for that. */
	askFelt(incident: string, until: number): void {
		const { book, ledger, onFelt } = this.parts;
		book.feltOf(incident, until).then(
			(felt) => onFelt(incident, felt),
			(error) => ledger.say("front-door", `What users felt could not be read: ${explain(error)}`),
		);
	}
}
