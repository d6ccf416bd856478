import type { Adopted, Env, Machine } from "./env.ts";
import type { Hearing, Pulse, Sign } from "./evidence.ts";
import type { SessionRecord } from "./state.ts";
import { beginWatch, observe, rebooted, type Watch } from "./watch.ts";

const lookEveryMs = { booting: 100, ready: 500 } as const satisfies Record<Watch["phase"], number>;

export interface Reports {
	onSign(session: number, sign: Sign): void;
	onPulse(session: number, pulse: Pulse): void;
	onTrouble(error: unknown): void;
}

/** Holds the one machine that a server may have, with what has been seen of it, and looks at it until it is over. */
export class Holder {
	private readonly env: Env;
	private readonly reports: Reports;
	private looking = new AbortController();
	private held: Machine | undefined;
	private watched: Watch = beginWatch(0);

	constructor(env: Env, reports: Reports) {
		this.env = env;
		this.reports = reports;
	}

	get machine(): Machine | undefined {
		return this.held;
	}

	/** What has been seen of the session; begun anew with each. */
	get seen(): Watch {
		return this.watched;
	}

	/** Takes in what was seen at a look. */
	observe(pulse: Pulse, hearing: Hearing, complete: boolean): void {
		this.watched = observe(this.watched, pulse, hearing, complete);
	}

	/** The guest restarted itself within its session. @returns false when that was known: it is told more than once */
	rebooted(at: number): boolean {
		const before = this.watched.resets;
		this.watched = rebooted(this.watched, at);
		return this.watched.resets > before;
	}

	/** Starts a session. @throws Error in words; nothing of it is left then */
	async start(number: number, changing: boolean): Promise<Machine> {
		return this.take(await this.env.machines.start(number, this.listenTo(number), changing));
	}

	/** Lets another session take the place of the one that is held. @returns that one, which nobody looks at any more */
	exchange(machine: Machine): Machine | undefined {
		const before = this.held;
		this.take(machine);
		return before;
	}

	/** Whether what happens to the session would be noticed. */
	get watching(): boolean {
		return this.held !== undefined && !this.looking.signal.aborted;
	}

	/** Takes over a session of an earlier daemon. */
	async adopt(session: SessionRecord): Promise<Adopted> {
		const adopted = await this.env.machines.adopt(session, this.listenTo(session.number));
		return typeof adopted === "string" ? adopted : this.take(adopted);
	}

	/** @returns what passes on the signs of a session */
	listenTo(number: number): (sign: Sign) => void {
		return (sign) => this.reports.onSign(number, sign);
	}

	/** Begins to look. A look never blocks anything: what it finds is reported. */
	watch(phase: Watch["phase"]): void {
		this.watched = { ...beginWatch(this.env.clock.now()), phase };
		const machine = this.held;
		const { signal } = this.looking;
		const loop = async () => {
			while (machine && !signal.aborted) {
				const pulse = await machine.look();
				if (!signal.aborted) this.reports.onPulse(machine.session.number, pulse);
				await this.env.clock.sleep(lookEveryMs[this.watched.phase], signal).catch(() => {});
			}
		};
		loop().catch((error) => this.reports.onTrouble(error));
	}

	/** Ends the session's process. @returns false when it does not end: then it is held on to */
	async end(politely: boolean): Promise<boolean> {
		const machine = this.held;
		if (!machine) return true;
		this.stopLooking();
		if ((await machine.close(politely)) === "stuck") return false;
		this.held = undefined;
		return true;
	}

	stopLooking(): void {
		this.looking.abort();
	}

	/** Lets go without ending anything. */
	leave(): void {
		this.stopLooking();
		this.held?.leave();
	}

	private take(machine: Machine): Machine {
		this.stopLooking();
		this.looking = new AbortController();
		this.held = machine;
		return machine;
	}
}
