import type { Incident } from "../api/incident.ts";
import type { Env } from "./env.ts";
import { type Beginning, noted, openIncident, recovered } from "./incident.ts";
import type { Keeper } from "./keeper.ts";

/** Keeps the incident that is being recovered from; everything that happens meanwhile goes into its timeline. */
export class IncidentBook {
	private readonly env: Env;
	private readonly keeper: Keeper;
	private incident: Incident | undefined;

	constructor(env: Env, keeper: Keeper) {
		this.env = env;
		this.keeper = keeper;
	}

	get open(): Incident | undefined {
		return this.incident;
	}

	/** Goes on with an incident that an earlier daemon had opened, unless that daemon had also closed it. */
	async resume(id: string | null): Promise<void> {
		const incident = id === null ? undefined : await this.env.journal.loadIncident(id);
		this.incident = incident?.outcome === "recovering" ? incident : undefined;
	}

	/** Opens an incident, and announces it before anything is done about it. One that was open has failed again. */
	async begin(beginning: Beginning, details: Record<string, string>): Promise<Incident> {
		const earlier = this.incident;
		const incident = { ...openIncident(beginning), details };
		this.incident = incident;
		const { noticedAt: at, session, summary } = beginning;
		const text = `Incident ${incident.id}: ${summary}`;
		this.keeper.event({ at, session, kind: "incident", text });
		await this.keep(incident);
		if (earlier) {
			const failedAgain = noted(earlier, at, `session ${session} failed too`);
			await this.keep({ ...failedAgain, outcome: "failed-again", nextSession: session });
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
		if (this.incident) await this.keep(this.incident);
	}

	/** The next session is ready. @returns the incident as it was closed */
	async recovered(at: number, session: number): Promise<Incident | undefined> {
		if (!this.incident) return undefined;
		const closed = recovered(this.incident, at, session);
		this.incident = undefined;
		await this.keep(closed);
		return closed;
	}

	/** It ends without a recovery. */
	async end(outcome: "gave-up" | "stopped"): Promise<void> {
		if (!this.incident) return;
		const closed = { ...this.incident, outcome };
		this.incident = undefined;
		await this.keep(closed);
	}

	/** Adds what users felt to an incident that is over. */
	async addFelt(id: string, until: number): Promise<void> {
		// What is on disk is older than what waits to be written, and must not take its place.
		if (this.keeper.has(nameOf(id))) return;
		const incident = await this.env.journal.loadIncident(id);
		if (!incident) return;
		const felt = await this.env.door.felt(incident.drill?.at ?? incident.at, until);
		await this.env.journal.saveIncident({ ...incident, felt });
	}

	private async keep(incident: Incident): Promise<void> {
		await this.keeper.keep(nameOf(incident.id), async () => await this.env.journal.saveIncident(incident));
	}
}

function nameOf(id: string): string {
	return `incident ${id}`;
}
