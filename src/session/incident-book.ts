import type { Incident } from "../api/incident.ts";
import type { Env } from "./env.ts";
import { type Beginning, noted, openIncident, recovered } from "./incident.ts";

/** Keeps the incident that is being recovered from; everything that happens meanwhile goes into its timeline. */
export class IncidentBook {
	private readonly env: Env;
	private incident: Incident | undefined;

	constructor(env: Env) {
		this.env = env;
	}

	get open(): Incident | undefined {
		return this.incident;
	}

	/** Goes on with an incident that an earlier daemon had opened. */
	async resume(id: string | null): Promise<void> {
		this.incident = id === null ? undefined : await this.env.journal.loadIncident(id);
	}

	/** Opens an incident, and announces it before anything is done about it. One that was open has failed again. */
	async begin(beginning: Beginning, details: Record<string, string>): Promise<Incident> {
		const earlier = this.incident;
		const incident = { ...openIncident(beginning), details };
		this.incident = incident;
		const { noticedAt: at, session, summary } = beginning;
		const text = `Incident ${incident.id}: ${summary}`;
		this.env.journal.event({ at, session, kind: "incident", text });
		await this.env.journal.saveIncident(incident);
		if (earlier) {
			const failedAgain = noted(earlier, at, `session ${session} failed too`);
			await this.env.journal.saveIncident({ ...failedAgain, outcome: "failed-again", nextSession: session });
		}
		return incident;
	}

	note(what: string): void {
		if (this.incident) this.incident = noted(this.incident, this.env.clock.now(), what);
	}

	addEvidence(files: readonly string[], details: Record<string, string> = {}): void {
		if (!this.incident) return;
		const evidence = [...new Set([...this.incident.evidence, ...files])];
		this.incident = { ...this.incident, evidence, details: { ...this.incident.details, ...details } };
	}

	/** Writes down what is known so far, for the daemon that may have to go on from there. */
	async save(): Promise<void> {
		if (this.incident) await this.env.journal.saveIncident(this.incident);
	}

	/** The next session is ready. @returns the incident as it was closed */
	async recovered(at: number, session: number): Promise<Incident | undefined> {
		if (!this.incident) return undefined;
		const closed = recovered(this.incident, at, session);
		this.incident = undefined;
		await this.env.journal.saveIncident(closed);
		return closed;
	}

	/** It ends without a recovery. */
	async end(outcome: "gave-up" | "stopped"): Promise<void> {
		if (!this.incident) return;
		const closed = { ...this.incident, outcome };
		this.incident = undefined;
		await this.env.journal.saveIncident(closed);
	}

	/** Adds what users felt to an incident that is over. */
	async addFelt(id: string, until: number): Promise<void> {
		const incident = await this.env.journal.loadIncident(id);
		if (!incident) return;
		const felt = await this.env.door.felt(incident.drill?.at ?? incident.at, until);
		await this.env.journal.saveIncident({ ...incident, felt });
	}
}
