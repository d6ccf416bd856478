import type { ServerState } from "../api/server.ts";
import type { Env } from "./env.ts";
import { mayBecome, type ServerRecord } from "./state.ts";

/** What is remembered of one server: the only place where it is changed, kept and told. */
export class Ledger {
	readonly server: string;
	private readonly env: Env;
	private current: ServerRecord;

	constructor(server: string, record: ServerRecord, env: Env) {
		this.server = server;
		this.current = record;
		this.env = env;
	}

	get record(): ServerRecord {
		return this.current;
	}

	/** Changes what is remembered; kept with the next `save` or `become`. The state is changed by `become` alone. */
	set(changes: Partial<Omit<ServerRecord, "state" | "reason">>): void {
		this.current = { ...this.current, ...changes };
	}

	async save(): Promise<void> {
		await this.env.journal.saveRecord(this.current);
	}

	/** The one place where the state changes. It is on disk before it is told. */
	async become(state: ServerState, reason: string): Promise<void> {
		const { state: before } = this.current;
		if (!mayBecome(before, state)) throw new Error(`${this.server} cannot go from ${before} to ${state}`);
		this.current = { ...this.current, state, reason };
		await this.save();
		if (before !== state || reason) this.say("state", reason ? `${state}: ${reason}` : state);
	}

	say(kind: Parameters<Env["journal"]["event"]>[0]["kind"], text: string): void {
		const session = this.current.session?.number ?? null;
		this.env.journal.event({ at: this.env.clock.now(), session, kind, text });
	}
}
