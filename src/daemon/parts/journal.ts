import type { Event, NewEvent } from "../../api/event.ts";
import type { Incident } from "../../api/incident.ts";
import { readIfThere, writeFileAtomic } from "../../host/files.ts";
import type { Journal } from "../../session/env.ts";
import { newRecord, type ServerRecord } from "../../session/state.ts";
import type { Context } from "../context.ts";

/** Keeps what happens to one server: its record, its incidents and its events. */
export class HostJournal implements Journal {
	private readonly server: string;
	private readonly context: Context;

	constructor(server: string, context: Context) {
		this.server = server;
		this.context = context;
	}

	/** @returns the record as the last daemon left it, or that of a new server */
	async loadRecord(): Promise<ServerRecord> {
		const text = await readIfThere(this.context.paths.server(this.server).record);
		return text === undefined
			? newRecord()
			: { ...newRecord(), ...(JSON.parse(text) as Partial<ServerRecord>) };
	}

	async saveRecord(record: ServerRecord): Promise<void> {
		await writeFileAtomic(
			this.context.paths.server(this.server).record,
			`${JSON.stringify(record, null, "\t")}\n`,
		);
	}

	async saveIncident(incident: Incident): Promise<void> {
		await this.context.incidents.save(incident);
	}

	async loadIncident(id: string): Promise<Incident | undefined> {
		return await this.context.incidents.load(id);
	}

	event(event: Omit<NewEvent, "server">): Event {
		const kept = this.context.history.append({ ...event, server: this.server });
		const { at: _, id: __, text, ...fields } = kept;
		this.context.log.info(fields, text);
		return kept;
	}
}
