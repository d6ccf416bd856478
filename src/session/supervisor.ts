import { BulkheadError, explain } from "../api/errors.ts";
import { type HostDump, outOfTime } from "./aftermath.ts";
import { isTpmGone } from "./detection.ts";
import type { Env } from "./env.ts";
import { Inbox } from "./inbox.ts";
import type { Command, Input } from "./input.ts";
import { Keeper } from "./keeper.ts";
import { Ledger } from "./ledger.ts";
import { excuseOf, type Other } from "./others.ts";
import type { Policy } from "./policy.ts";
import type { Reserve } from "./reserve.ts";
import { isUpdating, workOf } from "./screens.ts";
import type { DrillRecord, ServerRecord } from "./state.ts";
import type { Due } from "./timers.ts";
import { type Parts, wire } from "./wiring.ts";

export type { Policy } from "./policy.ts";

const tendAfterMs = 300;
/** How often it is tried to write down what could not be written. */
const saveEveryMs = 5000;
const troubleEveryMs = 60_000;
const sparedWords = ", and is let finish; a second stop switches it off in the midst of that";
/** What is done beside the session: whatever becomes of it, the server is as well as before. */
const beside: readonly Input["kind"][] = [
	...(["save", "dump-progress", "ask-felt", "felt", "parked-end"] as const),
	...(["reserve", "tend", "recheck", "short-of-memory", "idle-look"] as const),
];

/**
 * Supervises one server: takes in commands, evidence and timers, and hands each to the part that does what follows.
 *
 * INVARIANTS (see also state.ts)
 * - One input is handled at a time, to its end; signs, looks, commands and timers all come through the inbox.
 * - Nothing in a handler waits without a deadline: whatever takes long comes back through the inbox as `due`.
 * - Signs and looks carry their session's number; those of an earlier session are dropped.
 * - An incident is announced before anything is done about it, and closed by the session that replaces the failed one.
 */
export class Supervisor {
	private current: Policy;
	private readonly env: Env;
	private readonly keeper: Keeper;
	private readonly ledger: Ledger;
	private readonly parts: Parts;
	private readonly inbox = new Inbox<Input>();
	private readonly gone = new AbortController();
	private readonly running: Promise<void>;
	/** Whether it is known what of the server lives since the daemon before. */
	private resumed = false;
	private trouble = { words: "", at: 0 };

	constructor(policy: Policy, record: ServerRecord, env: Env) {
		this.current = policy;
		this.env = env;
		this.keeper = new Keeper(env, () => this.later(saveEveryMs, { kind: "save" }));
		this.ledger = new Ledger(policy.server, record, env, this.keeper);
		this.parts = wire({
			...{ ledger: this.ledger, keeper: this.keeper, env, gone: this.gone.signal },
			policy: () => this.policy,
			put: (input) => void this.inbox.put(input),
			later: (ms, input) => this.later(ms, input),
		});
		this.running = this.work();
	}

	get policy(): Policy {
		return this.current;
	}

	/**
	 * Takes effect at once; a seal that does not fit any more is made anew.
	 * @param anew whether what stands by was made from something else, and may not take over any more
	 */
	change(policy: Policy, anew: boolean): void {
		const { services } = this.current.hearing;
		this.current = policy;
		this.inbox.put({ kind: "recheck", before: services, after: policy.hearing.services, anew });
	}

	/** The host is short of memory: what stands by goes first. */
	giveBackMemory(): void {
		if (this.parts.reserve.hasStandby) this.inbox.put({ kind: "short-of-memory" });
	}

	/** The seal and what stands by; null for a server that recovers cold. */
	get warm(): Reserve["view"] | null {
		return this.policy.warm && this.parts.reserve.view;
	}

	get record(): ServerRecord {
		return this.ledger.record;
	}

	/** @throws BulkheadError not-allowed-now, when the server's state does not allow it */
	async command(command: Command): Promise<void> {
		const { promise, resolve, reject } = Promise.withResolvers<void>();
		const done = (error?: unknown) => (error === undefined ? resolve() : reject(error));
		const taken = this.inbox.put({ kind: "command", command, done });
		if (!taken) throw new BulkheadError("not-allowed-now", `${this.policy.server} is being let go of`);
		await promise;
	}

	/** The drill that was made last. */
	get lastDrill(): DrillRecord | null {
		return this.record.drill;
	}

	/**
	 * What is to be said of its session, beside the reason of its state: what Windows is at work on, a TPM that has ended, services that are silent,
	 * and who is away that it needs.
	 */
	get remark(): string {
		const { state, session } = this.record;
		const silent = state === "running" ? this.parts.holder.seen.silentServices : [];
		const boots = state === "starting" && session !== null;
		const { seen } = this.parts.holder;
		const work = session === null ? undefined : workOf(seen.screen, seen.lastLook);
		return [
			...(work ? [`Windows ${work}${this.parts.life.spares ? sparedWords : ""}`] : []),
			...(session !== null && isTpmGone(seen) ? ["its TPM has ended; a restart gives it another"] : []),
			...(silent.length > 0 ? [`${silent.join(", ")} does not answer`] : []),
			...(silent.length > 0 || boots ? [excuseOf(this.env.others())] : []),
		]
			.filter(Boolean)
			.join("; ");
	}

	/** Whether its Windows is seen to install updates: it is not switched off meanwhile, unless a person insists. */
	get installsUpdates(): boolean {
		return this.record.session !== null && isUpdating(this.parts.holder.seen);
	}

	/** How it is to those that come after it. */
	get asOther(): Omit<Other, "name"> {
		const { state, wanted, maintenance } = this.record;
		return { state: this.resumed ? state : "unknown", wanted, maintenance };
	}

	/** Lets go of the session without ending it. */
	async leave(): Promise<void> {
		for (const input of this.inbox.close()) {
			if (input.kind === "command") input.done(new BulkheadError("not-allowed-now", "the daemon ends"));
		}
		this.gone.abort();
		this.parts.holder.stopLooking();
		await this.running;
		await this.parts.renewal.leave();
		await this.parts.reserve.leave();
		await this.keeper.retry();
		this.parts.holder.leave();
	}

	private async work(): Promise<void> {
		await this.guarded(() => this.parts.resumption.resume());
		this.resumed = true;
		this.later(tendAfterMs, { kind: "tend" });
		this.parts.idleness.begin();
		for (let input = await this.inbox.next(); input; input = await this.inbox.next()) {
			const current = input;
			await this.guarded(() => this.handle(current), beside.includes(current.kind));
		}
	}

	/**
	 * A defect of ours must not leave a server unwatched without a word; and while its session is watched, it must not
	 * make a failed server of a healthy one either.
	 * @param harmless whether the session is what it was before, whatever becomes of the step
	 */
	private async guarded(step: () => Promise<void>, harmless = false): Promise<void> {
		try {
			await step();
		} catch (error) {
			const words = explain(error);
			this.tellTrouble(words);
			if (harmless || this.parts.holder.watching || this.record.state === "stopped") return;
			// It was broken off for that, mostly: the next daemon goes on from what is on disk.
			if (this.gone.signal.aborted) return;
			await this.parts.closing.giveUp(`supervision failed: ${words}`).catch(() => {});
		}
	}

	/** The same trouble may come with every look. */
	private tellTrouble(words: string): void {
		const at = this.env.clock.now();
		if (words === this.trouble.words && Math.abs(at - this.trouble.at) < troubleEveryMs) return;
		this.trouble = { words, at };
		this.ledger.say("daemon", `Supervision failed: ${words}`);
	}

	private async handle(input: Input): Promise<void> {
		switch (input.kind) {
			case "command":
				return await this.parts.commands.obey(input.command, input.done);
			case "sign":
				if (input.session !== this.record.session?.number) return;
				return await this.parts.judge.onSign(input.sign);
			case "pulse":
				if (input.session !== this.record.session?.number) return;
				await this.parts.judge.onPulse(input.pulse);
				return await this.parts.readiness.takeInLook(input.pulse.at);
			case "due":
				if (!this.parts.timers.isCurrent(input)) return;
				return await this.onDue(input.what);
			case "save":
				return await this.keeper.retry();
			case "dump-progress":
				return await this.parts.aftermath.tell(input.session, input.percent);
			case "dumped":
				return await this.onDumped(input.dump);
			case "ask-felt":
				return this.parts.readiness.askFelt(input.incident, input.until);
			case "felt":
				return await this.parts.book.addFelt(input.incident, input.felt);
			case "reserve":
				this.parts.reserve.takeIn(input.news);
				return this.parts.renewal.goOn(input.news);
			case "tend":
				this.parts.reserve.tend();
				return this.parts.renewal.goOn();
			case "drained":
				return await this.parts.renewal.takeIn(input.drained);
			case "idle-look":
				return this.parts.idleness.look();
			case "activity":
				return await this.parts.idleness.takeIn(input.activity);
			case "knock":
				return await this.parts.sleep.knocked(input.error);
			case "short-of-memory":
				return this.parts.reserve.giveBackMemory();
			case "recheck":
				await this.parts.newcomers.change(input.before, input.after);
				return input.anew ? this.parts.reserve.recheck() : this.parts.reserve.tend();
			case "parked-end":
				return await this.parts.parked.takeIn(input.end);
			default:
				input satisfies never;
		}
	}

	private async onDumped(dump: HostDump): Promise<void> {
		const { aftermath, recoverer } = this.parts;
		const over = aftermath.takeIn(dump);
		if (over !== undefined) await recoverer.afterwards(over);
	}

	private async onDue(what: Due["what"]): Promise<void> {
		switch (what) {
			case "force":
				return await this.parts.life.force();
			case "relaunch":
				return await this.parts.recoverer.launch();
			case "aftermath":
				return await this.parts.recoverer.afterwards(outOfTime);
			case "turn":
				return await this.parts.life.beginInTurn();
			default:
				what satisfies never;
		}
	}

	private later(afterMs: number, input: Input): void {
		// The sleep is cut short only when this server is let go of.
		this.env.clock.sleep(afterMs, this.gone.signal).then(
			() => this.inbox.put(input),
			() => {},
		);
	}
}
