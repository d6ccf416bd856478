import type { NewEvent } from "../api/event.ts";
import type { ServerState } from "../api/server.ts";
import type { Env } from "./env.ts";
import type { Keeper } from "./keeper.ts";
import { mayBecome, type ServerRecord } from "./state.ts";

const recordName = "server's record";

/** What is remembered of one server: the only place where it is changed, kept and told. */
export class Ledger {
	readonly server: string;
	private readonly env: Env;
	private readonly keeper: Keeper;
	private current: ServerRecord;
	private writing: Promise<void> = Promise.resolve();

	constructor(server: string, record: ServerRecord, env: Env, keeper: Keeper) {
		this.server = server;
		this.current = record;
		this.env = env;
		this.keeper = keeper;
	}

	get record(): ServerRecord {
		return this.current;
	}

	/** Changes what is remembered; kept with the next `save` or `become`. The state is changed by `become` alone. */
	set(changes: Partial<Omit<ServerRecord, "state" | "reason">>): void {
		this.current = { ...this.current, ...changes };
	}

	/** Puts it on disk, now or as soon as there is room. */
	async save(): Promise<void> {
		await this.keeper.keep(recordName, async () => await this.write());
	}

	/** Whether what is remembered is on disk. */
	get isKept(): boolean {
		return !this.keeper.has(recordName);
	}

	/** One write at a time, each of the newest: an older one that ended later would undo it. */
	private async write(): Promise<void> {
		const turn = this.writing.then(async () => await this.env.journal.saveRecord(this.current));
		this.writing = turn.catch(() => {});
		await turn;
	}

	/** Changes the state. It is on disk before it is told, unless the disk does not take it. */
	async become(state: ServerState, reason: string): Promise<void> {
		const before = this.change(state, reason);
		await this.save();
		this.tell(before);
	}

	/**
	 * Takes a number for a new session, on disk before this returns: nothing that lives may be unknown to the next daemon.
	 * @throws Error when it could not be written; nothing has changed then
	 */
	async plan(reason: string): Promise<number> {
		const before = this.current;
		const number = before.nextSession;
		this.change("starting", reason);
		this.set({ nextSession: number + 1, planned: number });
		try {
			await this.write();
		} catch (error) {
			const { state, reason, planned } = before;
			// A standby may have taken the next number meanwhile.
			const nextSession = this.current.nextSession === number + 1 ? number : this.current.nextSession;
			this.current = { ...this.current, state, reason, planned, nextSession };
			throw error;
		}
		this.keeper.forget(recordName);
		this.tell(before);
		return number;
	}

	/** Takes a number for a session that is to stand by. @throws Error when it could not be written */
	async planStandby(): Promise<number> {
		const number = this.current.nextSession;
		this.set({ nextSession: number + 1, standbys: [...this.current.standbys, number] });
		try {
			await this.write();
		} catch (error) {
			this.set({ standbys: this.current.standbys.filter((other) => other !== number) });
			throw error;
		}
		return number;
	}

	say(kind: NewEvent["kind"], text: string): void {
		const session = this.current.session?.number ?? null;
		this.keeper.event({ at: this.env.clock.now(), session, kind, text });
	}

	/** The one place where the state changes. @returns the record before */
	private change(state: ServerState, reason: string): ServerRecord {
		const before = this.current;
		if (!mayBecome(before.state, state))
			throw new Error(`${this.server} cannot go from ${before.state} to ${state}`);
		this.current = { ...before, state, reason };
		return before;
	}

	private tell(before: ServerRecord): void {
		const { state, reason } = this.current;
		if (before.state !== state || reason) this.say("state", reason ? `${state}: ${reason}` : state);
	}
}
