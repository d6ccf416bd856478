import type { Felt, Incident } from "../api/incident.ts";
import type { Env } from "./env.ts";
import { type Beginning, noted, openIncident, recovered } from "./incident.ts";
import type { Keeper } from "./keeper.ts";

/** Keeps the incident that is being recovered from; everything that happens meanwhile goes into its timeline. */
export class IncidentBook {
	private readonly env: Env;
	private readonly keeper: Keeper;
	private incident: Incident | undefined;
	/** Those that are not on disk yet, as they are to be written. */
	private readonly unsaved = new Map<string, Incident>();

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

	/**
	 * Opens an incident, and announces it before anything is done about it. One that was open has failed again, unless it is
	 * the same: then the daemon had ended before anything was done.
	 */
	async begin(beginning: Beginning, details: Record<string, string>): Promise<Incident> {
		const earlier = this.incident;
		const incident = { ...openIncident(beginning), details };
		this.incident = incident;
		const { noticedAt: at, session, summary } = beginning;
		const text = `Incident ${incident.id}: ${summary}`;
		this.keeper.event({ at, session, kind: "incident", text });
		await this.keep(incident);
		if (earlier && earlier.id !== incident.id) {
			const failedAgain = noted(earlier, at, `session ${session} failed too`);
			await this.keep({ ...failedAgain, outcome: "failed-again", nextSession: session });
		}
		return incident;
	}

	note(what: string): void {
		if (this.incident) this.incident = noted(this.incident, this.env.clock.now(), what);
	}

	addEvidence(files: readonly string[], details: Record<string, string> = {}): void {
		if (this.incident) this.incident = withEvidence(this.incident, files, details);
	}

	/** More is known now of what went wrong. */
	learn(summary: string, details: Record<string, string>): void {
		if (!this.incident) return;
		this.incident = { ...withEvidence(this.incident, [], details), summary };
		this.note(summary);
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

	/** What users felt of an incident that is over. */
	async feltOf(id: string, until: number): Promise<Felt | null> {
		const incident = await this.env.journal.loadIncident(id);
		return incident ? await this.env.door.felt(incident.drill?.at ?? incident.at, until) : null;
	}

	async addFelt(id: string, felt: Felt | null): Promise<void> {
		await this.change(id, (incident) => ({ ...incident, felt }));
	}

	/** Adds to an incident what is learned of its failed session after the next one has taken over. */
	async amend(
		id: string,
		{ files, details }: { files: readonly string[]; details: Record<string, string> },
		note: string,
	): Promise<void> {
		const at = this.env.clock.now();
		await this.change(id, (incident) => noted(withEvidence(incident, files, details), at, note));
	}

	/** Changes an incident, whether it is open or over. */
	private async change(id: string, make: (incident: Incident) => Incident): Promise<void> {
		if (this.incident?.id === id) {
			this.incident = make(this.incident);
			return await this.keep(this.incident);
		}
		// What is on disk is older than what waits to be written, and must not take its place.
		const incident = this.unsaved.get(id) ?? (await this.env.journal.loadIncident(id));
		if (incident) await this.keep(make(incident));
	}

	private async keep(incident: Incident): Promise<void> {
		const { id } = incident;
		this.unsaved.set(id, incident);
		await this.keeper.keep(`incident ${id}`, async () => {
			await this.env.journal.saveIncident(incident);
			if (this.unsaved.get(id) === incident) this.unsaved.delete(id);
		});
	}
}

function withEvidence(
	incident: Incident,
	files: readonly string[],
	details: Record<string, string>,
): Incident {
	const evidence = [...new Set([...incident.evidence, ...files])];
	return { ...incident, evidence, details: { ...incident.details, ...details } };
}
