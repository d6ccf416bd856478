import { z } from "zod";
import { BulkheadError } from "../../api/errors.ts";
import type { Event, NewEvent } from "../../api/event.ts";
import type { Incident } from "../../api/incident.ts";
import { serverStates } from "../../api/server.ts";
import { listIfThere, readIfThere, writeFileAtomic } from "../../host/files.ts";
import type { Journal } from "../../session/env.ts";
import { newRecord, type ServerRecord } from "../../session/state.ts";
import type { Context } from "../context.ts";

/** What a wrong value of would do harm; the rest is taken as it was written. */
const recordCheck = z.object({
	state: z.enum(serverStates),
	wanted: z.enum(["running", "stopped"]),
	nextSession: z.int().min(1),
	session: z.object({ number: z.int(), pid: z.int(), startTime: z.number(), bootId: z.string() }).nullable(),
	planned: z.int().nullable(),
	recoveries: z.array(z.object({ at: z.number(), ready: z.boolean() })),
	openIncident: z.string().nullable(),
	unproven: z.array(z.string()),
});

/** Every record that was ever written has these; other fields came later, and have defaults. */
const essential = z.object({ state: z.string(), nextSession: z.number() });

function parseRecord(text: string, file: string): ServerRecord {
	try {
		const written: unknown = JSON.parse(text);
		essential.parse(written);
		const record = { ...newRecord(), ...(written as Partial<ServerRecord>) };
		recordCheck.parse(record);
		return record;
	} catch (cause) {
		const mend = "mend it by hand, or, when no session of the server runs any more, move it away";
		throw new BulkheadError("bad-input", `${file} cannot be read; ${mend}`, { cause });
	}
}

/** Keeps what happens to one server: its record, its incidents and its events. */
export class HostJournal implements Journal {
	private readonly server: string;
	private readonly context: Context;

	constructor(server: string, context: Context) {
		this.server = server;
		this.context = context;
	}

	/**
	 * @returns the record as the last daemon left it, or that of a new server
	 * @throws BulkheadError bad-input when it is damaged
	 */
	async loadRecord(): Promise<ServerRecord> {
		const { record, sessions } = this.context.paths.server(this.server);
		const text = await readIfThere(record);
		if (text !== undefined) return parseRecord(text, record);
		const numbers = (await listIfThere(sessions)).map(Number).filter(Number.isSafeInteger);
		const last = Math.max(0, ...numbers);
		// The record is lost, the sessions are not: their numbers are used up, and the last may still run. Named as
		// planned, it is ended before another could write to the same disks.
		// Any of those before may live too, the last only standing by.
		const others = numbers.filter((number) => number !== last);
		return { ...newRecord(), nextSession: last + 1, planned: last > 0 ? last : null, standbys: others };
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
		return await this.context.incidents.loadIfWhole(id);
	}

	event(event: Omit<NewEvent, "server">): Event {
		const kept = this.context.history.append({ ...event, server: this.server });
		const { at: _, id: __, text, ...fields } = kept;
		this.context.log.info(fields, text);
		return kept;
	}
}
