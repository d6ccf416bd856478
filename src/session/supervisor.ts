import { BulkheadError, explain } from "../api/errors.ts";
import type { Felt } from "../api/incident.ts";
import { type Action, allowedIn, type Fault, isAllowed } from "../api/server.ts";
import { formatDuration } from "../api/units.ts";
import { diskFull, judgeSign, judgeWatch, type Patience, remarks, type Verdict } from "./detection.ts";
import type { Env } from "./env.ts";
import type { Hearing, Pulse, Sign } from "./evidence.ts";
import { Inbox } from "./inbox.ts";
import { Keeper } from "./keeper.ts";
import { Ledger } from "./ledger.ts";
import { type Failure, Lifecycle, type ParkedEnd } from "./lifecycle.ts";
import type { Budget } from "./recovery.ts";
import { Reserve, type ReserveNews, type WarmPolicy } from "./reserve.ts";
import type { DrillRecord, ServerRecord } from "./state.ts";
import { observe, rebooted } from "./watch.ts";

/** How a server is supervised: from its definition. */
export interface Policy {
	server: string;
	hearing: Hearing;
	patience: Patience;
	budget: Budget;
	/** Null for a server that recovers cold. */
	warm: WarmPolicy | null;
}

type Command =
	| { do: "start" }
	| { do: "stop" | "restart"; deadlineMs: number }
	| { do: "maintenance"; on: boolean }
	| { do: "seal" }
	| { do: "renew"; deadlineMs: number }
	| { do: "begin-changes" | "commit-changes" | "abandon-changes" }
	| { do: "drill"; fault: Fault };

type Input =
	| { kind: "command"; command: Command; done: (error?: unknown) => void }
	| { kind: "sign"; session: number; sign: Sign }
	| { kind: "pulse"; session: number; pulse: Pulse }
	| { kind: "due"; what: "relaunch" | "force"; token: number }
	| { kind: "save" }
	| { kind: "ask-felt"; incident: string; until: number }
	| { kind: "felt"; incident: string; felt: Felt | null }
	| { kind: "reserve"; news: ReserveNews }
	| { kind: "tend" }
	| { kind: "drained"; drained: boolean; error: unknown }
	| { kind: "activity"; activity: { current: number; total: number } | null }
	| { kind: "idle-look" }
	| { kind: "knock"; error: unknown }
	| { kind: "recheck" }
	| { kind: "short-of-memory" }
	| { kind: "parked-end"; end: ParkedEnd };

interface Renewal {
	/** The session that is to be replaced. */
	session: number;
	deadlineMs: number;
	stop: AbortController;
	done: (error?: unknown) => void;
}

/** New requests wait meanwhile: a server that is busy for longer is left alone. */
const renewDrainMs = 5000;
/** A renewal that did not work, because users were busy, is tried again after this long. */
const renewAgainMs = 600_000;
const idleLookMs = 2000;
const sleepDrainMs = 500;
/** Requests that were held are logged when they are answered: some time after the server is ready. */
const feltAfterMs = [1500, 20_000];
const tendAfterMs = 300;
const resumeEveryMs = 5000;
/** How often it is tried to write down what could not be written. */
const saveEveryMs = 5000;
const troubleEveryMs = 60_000;
/** A press of the power button is lost on a guest that does not listen yet. */
const pressEveryMs = 5000;

/**
 * Supervises one server: takes in commands, evidence and timers, and decides what they mean; see lifecycle.ts for what is done.
 *
 * INVARIANTS (see also state.ts)
 * - One input is handled at a time, to its end; signs, looks, commands and timers all come through the inbox.
 * - Nothing in a handler waits without a deadline: whatever takes long comes back through the inbox as `due`.
 * - Signs and looks carry their session's number; those of an earlier session are dropped.
 * - An incident is announced before anything is done about it, and closed by the session that replaces the failed one.
 */
export class Supervisor {
	private current: Policy;
	private readonly reserve: Reserve;
	private readonly env: Env;
	private readonly keeper: Keeper;
	private readonly ledger: Ledger;
	private readonly life: Lifecycle;
	private readonly inbox = new Inbox<Input>();
	private readonly gone = new AbortController();
	private readonly running: Promise<void>;
	/** Timers that were set before carry an older token, and mean nothing any more. */
	private token = 0;
	private suspended = "";
	private resumedAt = 0;
	private renewal: Renewal | undefined;
	private renewNotBefore = 0;
	private idle = { total: -1, since: 0 };
	private knock = new AbortController();
	private silentServices = "";
	private remarked: readonly string[] = [];
	private trouble = { words: "", at: 0 };

	constructor(policy: Policy, record: ServerRecord, env: Env) {
		this.current = policy;
		this.env = env;
		this.keeper = new Keeper(env, () => this.later(saveEveryMs, { kind: "save" }));
		this.ledger = new Ledger(policy.server, record, env, this.keeper);
		const timers = {
			due: (what: "relaunch" | "force", ms: number) =>
				this.later(ms, { kind: "due", what, token: ++this.token }),
			cancel: () => {
				this.token++;
			},
		};
		this.reserve = new Reserve(this.ledger, env, () => this.policy.warm, {
			news: (news) => this.inbox.put({ kind: "reserve", news }),
			tendLater: (ms) => this.later(ms, { kind: "tend" }),
		});
		this.life = new Lifecycle(this.ledger, env, this.keeper, timers, () => this.policy.budget, this.reserve, {
			onParkedEnd: (end) => this.inbox.put({ kind: "parked-end", end }),
			onSign: (session, sign) => this.inbox.put({ kind: "sign", session, sign }),
			onPulse: (session, pulse) => this.inbox.put({ kind: "pulse", session, pulse }),
			onTrouble: (error) => this.ledger.say("daemon", `Watching failed: ${explain(error)}`),
		});
		this.running = this.work();
	}

	get policy(): Policy {
		return this.current;
	}

	/** Takes effect at once; a seal that does not fit any more is made anew. */
	set policy(policy: Policy) {
		this.current = policy;
		this.inbox.put({ kind: "recheck" });
	}

	/** The host is short of memory: what stands by goes first. */
	giveBackMemory(): void {
		if (this.reserve.hasStandby) this.inbox.put({ kind: "short-of-memory" });
	}

	/** The seal and what stands by; null for a server that recovers cold. */
	get warm(): Reserve["view"] | null {
		return this.policy.warm && this.reserve.view;
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

	/** Services that do not answer although the guest does. */
	get silent(): readonly string[] {
		return this.record.state === "running" ? this.life.watch.silentServices : [];
	}

	/** Lets go of the session without ending it. */
	async leave(): Promise<void> {
		for (const input of this.inbox.close()) {
			if (input.kind === "command") input.done(new BulkheadError("not-allowed-now", "the daemon ends"));
		}
		this.gone.abort();
		this.life.holder.stopLooking();
		await this.running;
		await this.reserve.leave();
		await this.keeper.retry();
		this.life.holder.leave();
	}

	private async work(): Promise<void> {
		await this.guarded(() => this.life.resumeAfterRestart());
		this.later(tendAfterMs, { kind: "tend" });
		this.later(idleLookMs, { kind: "idle-look" });
		for (let input = await this.inbox.next(); input; input = await this.inbox.next()) {
			const current = input;
			await this.guarded(() => this.handle(current));
		}
	}

	/**
	 * A defect of ours must not leave a server unwatched without a word; and while its session is watched, it must not
	 * make a failed server of a healthy one either.
	 */
	private async guarded(step: () => Promise<void>): Promise<void> {
		try {
			await step();
		} catch (error) {
			const words = explain(error);
			this.tellTrouble(words);
			if (this.life.holder.watching || this.record.state === "stopped") return;
			await this.life.giveUp(`supervision failed: ${words}`).catch(() => {});
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
				return await this.obey(input.command, input.done);
			case "sign":
				if (input.session !== this.record.session?.number) return;
				return await this.act(judgeSign(input.sign), input.sign);
			case "pulse":
				if (input.session !== this.record.session?.number) return;
				return await this.onPulse(input.pulse);
			case "due":
				if (input.token !== this.token) return;
				return input.what === "force" ? await this.force() : await this.life.launch();
			case "save":
				return await this.keeper.retry();
			case "ask-felt":
				// The front door may take its time to answer; failures are not to wait for that.
				void this.askFelt(input.incident, input.until);
				return;
			case "felt":
				return await this.life.book.addFelt(input.incident, input.felt);
			case "reserve":
				return this.reserve.takeIn(input.news);
			case "tend":
				return this.reserve.tend();
			case "drained":
				return await this.onDrained(input.drained, input.error);
			case "idle-look":
				return this.lookIdle();
			case "activity":
				return await this.onActivity(input.activity);
			case "knock":
				return await this.onKnock(input.error);
			case "short-of-memory":
				return this.reserve.giveBackMemory();
			case "recheck":
				return this.reserve.recheck();
			case "parked-end":
				return await this.life.parkedEnded(input.end);
			default:
				input satisfies never;
		}
	}

	// ---- commands

	private async obey(command: Command, done: (error?: unknown) => void): Promise<void> {
		try {
			this.require(command.do);
			// It goes on in the background for a while, and is done later.
			if (command.do === "renew") return this.beginRenewal(command.deadlineMs, done);
			await this.carryOut(command);
			done();
		} catch (error) {
			done(error);
		}
	}

	private require(action: Action): void {
		const { state } = this.record;
		if (isAllowed(action, state)) return;
		const when = (allowedIn[action] as readonly string[]).join(" or ");
		const { server } = this.policy;
		throw new BulkheadError(
			"not-allowed-now",
			`${server} is ${state}; ${action} is possible when it is ${when}`,
		);
	}

	private async carryOut(command: Command): Promise<void> {
		switch (command.do) {
			case "start":
				this.knock.abort();
				return this.record.state === "asleep" ? await this.life.wake() : await this.life.start();
			case "renew":
				throw new Error("it is begun by obey");
			case "stop":
			case "restart":
				this.knock.abort();
				return await this.life.stop(command.deadlineMs, command.do === "restart");
			case "maintenance":
				return await this.setMaintenance(command.on);
			case "seal":
				return await this.sealAnew();
			case "begin-changes":
				return await this.beginChanges();
			case "commit-changes":
			case "abandon-changes":
				return await this.endChanges(command.do === "commit-changes");
			case "drill":
				return await this.makeFault(command.fault);
			default:
				command satisfies never;
		}
	}

	private async force(): Promise<void> {
		this.ledger.say("session", "The guest did not shut down in time; it is switched off");
		await this.life.closeAndStop("");
	}

	private async setMaintenance(on: boolean): Promise<void> {
		this.ledger.set({ maintenance: on });
		this.suspended = "";
		await this.ledger.save();
		const begins = "Maintenance begins: failures are told, and nothing is done about them";
		this.ledger.say("maintenance", on ? begins : "Maintenance ends");
		if (!on) this.reserve.tend();
		if (on || this.record.wanted !== "running") return;
		if (this.record.state === "stopped") return await this.life.start();
		await this.life.resumeUnreachable();
	}

	// ---- a planned new session

	/** @param done called when it is over */
	private beginRenewal(deadlineMs: number, done: (error?: unknown) => void): void {
		if (!this.policy.warm)
			throw this.refusal(
				"recovers cold and cannot be renewed unnoticed; `bulkhead restart` shuts it down and boots it",
			);
		if (this.renewal) throw this.refusal("is being renewed already");
		if (this.policy.warm.standby > 0 && !this.reserve.hasStandby)
			throw this.refusal("has no next session standing by yet; try again in a moment");
		const stop = new AbortController();
		this.renewal = { session: this.record.session?.number ?? 0, deadlineMs, stop, done };
		this.env.door.drain(deadlineMs, stop.signal).then(
			(drained) => void this.inbox.put({ kind: "drained", drained, error: undefined }),
			(error) =>
				void this.inbox.put({ kind: "drained", drained: false, error: error ?? "it was broken off" }),
		);
	}

	private async onDrained(drained: boolean, error: unknown): Promise<void> {
		const { renewal } = this;
		this.renewal = undefined;
		if (!renewal) return;
		try {
			if (this.record.state !== "running" || this.record.session?.number !== renewal.session)
				throw this.refusal("failed or was stopped while it was to be renewed");
			if (error !== undefined) throw new Error(`the front door could not hold users back: ${explain(error)}`);
			if (!drained) throw this.refusal(busyWords(renewal.deadlineMs));
			await this.life.renew();
			this.ledger.say("session", `Session ${renewal.session} was replaced, as planned`);
			renewal.done();
		} catch (cause) {
			renewal.done(cause);
		} finally {
			await this.env.door.release().catch((error) => this.tellDoor(error));
		}
	}

	/** Users are let through at once: a failure has come first. */
	private async breakOffRenewal(): Promise<void> {
		if (!this.renewal) return;
		this.renewal.stop.abort();
		await this.env.door.release().catch((error) => this.tellDoor(error));
	}

	private renewWhenOld(now: number): void {
		const { warm } = this.policy;
		const { session, state, maintenance } = this.record;
		if (!warm?.renewAfterMs || !session || state !== "running" || maintenance || this.renewal) return;
		if (now - session.startedAt < warm.renewAfterMs || now < this.renewNotBefore || !this.reserve.hasStandby)
			return;
		this.renewNotBefore = now + renewAgainMs;
		this.beginRenewal(renewDrainMs, (error) => {
			if (error !== undefined)
				this.ledger.say("session", `It could not be renewed as planned: ${explain(error)}`);
		});
	}

	private tellDoor(error: unknown): void {
		this.ledger.say("front-door", `It does not do as it is told: ${explain(error)}`);
	}

	// ---- sleep

	private lookIdle(): void {
		this.later(idleLookMs, { kind: "idle-look" });
		if (!this.policy.warm?.sleepAfterMs || this.record.state !== "running") return;
		this.env.door.activity().then(
			(activity) => void this.inbox.put({ kind: "activity", activity }),
			() => {},
		);
	}

	private async onActivity(activity: { current: number; total: number } | null): Promise<void> {
		const after = this.policy.warm?.sleepAfterMs;
		const now = this.env.clock.now();
		const { state, maintenance } = this.record;
		const used = !activity || activity.current > 0 || activity.total !== this.idle.total;
		if (used || state !== "running" || maintenance) this.idle = { total: activity?.total ?? -1, since: now };
		else if (after && now - this.idle.since >= after && this.reserve.hasStandby && !this.renewal)
			await this.putToSleep(`nobody has used it for ${formatDuration(after)}`);
	}

	private async putToSleep(reason: string): Promise<void> {
		this.idle = { total: -1, since: this.env.clock.now() };
		const { door } = this.env;
		try {
			if (!(await door.drain(sleepDrainMs, this.gone.signal))) return;
			await this.life.fallAsleep(reason);
			if (this.record.state === "asleep") this.listenForKnock();
		} finally {
			await door.release().catch((error) => this.tellDoor(error));
		}
	}

	private listenForKnock(): void {
		this.knock = new AbortController();
		const signal = AbortSignal.any([this.knock.signal, this.gone.signal]);
		this.env.door.knock(signal).then(
			() => void this.inbox.put({ kind: "knock", error: undefined }),
			(error) => {
				if (!signal.aborted) this.inbox.put({ kind: "knock", error: error ?? "it ended" });
			},
		);
	}

	private async onKnock(error: unknown): Promise<void> {
		if (this.record.state !== "asleep") return;
		if (error !== undefined)
			this.ledger.say(
				"front-door",
				`Nobody would be noticed who comes (${explain(error)}): the server is woken`,
			);
		await this.life.wake();
	}

	private async beginChanges(): Promise<void> {
		if (this.record.changing) throw this.refusal("is being changed already; commit or abandon that first");
		await this.life.beginChanges();
		this.ledger.say("maintenance", "Its system disk is being changed; what is written there is kept aside");
	}

	private async endChanges(keep: boolean): Promise<void> {
		if (!this.record.changing) throw this.refusal("is not being changed; begin with that");
		await this.life.endChanges(keep);
		this.ledger.say(
			"maintenance",
			keep ? "Its system disk has been changed" : "The changes were thrown away",
		);
	}

	private refusal(words: string): BulkheadError {
		return new BulkheadError("not-allowed-now", `${this.policy.server} ${words}`);
	}

	private async sealAnew(): Promise<void> {
		if (!this.policy.warm)
			throw this.refusal("recovers cold and has no seal; say `recovery: { mode: warm }` in the site file");
		await this.reserve.renewSeal();
	}

	private async makeFault(fault: Fault): Promise<void> {
		const { machine } = this.life.holder;
		if (!machine) throw new BulkheadError("not-allowed-now", `${this.policy.server} has no session`);
		const { number } = machine.session;
		this.ledger.set({ drill: { fault, at: this.env.clock.now(), session: number } });
		this.ledger.say("drill", `Drill: ${fault}`);
		await machine.inject(fault);
		await this.ledger.save();
	}

	// ---- evidence

	private async onPulse(pulse: Pulse): Promise<void> {
		const before = this.life.watch.phase;
		this.life.watch = observe(this.life.watch, pulse, this.policy.hearing);
		if (before === "booting" && this.life.watch.phase === "ready") await this.onReady();
		this.tellSilentServices();
		this.tellRemarks();
		if (this.record.state === "stopping" && pulse.at - this.life.pressedAt >= pressEveryMs)
			await this.life.pressPowerButton();
		await this.act(judgeWatch(this.life.watch, this.policy.patience), undefined);
		this.renewWhenOld(pulse.at);
	}

	private async act(verdict: Verdict, sign: Sign | undefined): Promise<void> {
		const at = sign?.at ?? this.env.clock.now();
		switch (verdict.kind) {
			case "fine":
				return await this.onFine();
			case "note":
				this.ledger.say("signal", verdict.text);
				return;
			case "rebooted":
				return await this.onReboot(at);
			case "disk-full":
				return await this.onDiskFull(verdict.text, at);
			case "ended":
				return await this.onGuestShutdown(verdict.text);
			case "failed":
				return await this.onFailure(verdict, at, sign);
			default:
				verdict satisfies never;
		}
	}

	private async onReady(): Promise<void> {
		const at = this.env.clock.now();
		const { session } = this.record;
		if (!session || this.record.state !== "starting") return;
		const { recoveries: made } = this.record;
		const recoveries = made.map((attempt, i) =>
			i === made.length - 1 ? { ...attempt, ready: true } : attempt,
		);
		this.ledger.set({ recoveries, session: { ...session, readyAt: session.readyAt ?? at } });
		await this.ledger.become("running", "");
		this.ledger.say("session", `Session ${session.number} is ready`);
		// Those who waited are served first.
		this.later(tendAfterMs, { kind: "tend" });
		const closed = await this.life.book.recovered(at, session.number);
		if (!closed) return;
		this.ledger.set({ openIncident: null });
		await this.ledger.save();
		this.ledger.say("incident", `Incident ${closed.id} is over after ${closed.outageMs} ms`);
		for (const ms of feltAfterMs) this.later(ms, { kind: "ask-felt", incident: closed.id, until: at });
	}

	private tellSilentServices(): void {
		if (this.life.watch.phase !== "ready") return;
		const now = this.life.watch.silentServices.join(", ");
		if (now === this.silentServices) return;
		this.silentServices = now;
		this.ledger.say("signal", now ? this.silenceWords(now) : "All services answer");
	}

	private silenceWords(services: string): string {
		const answers = this.policy.hearing.agent || this.life.watch.silenceMs === 0;
		return answers
			? `The guest answers, but not its service ${services}`
			: `Its service ${services} does not answer; without an agent nobody knows whether the guest does`;
	}

	/** What lasts is told once. */
	private tellRemarks(): void {
		const now = this.record.maintenance ? [] : remarks(this.life.watch);
		for (const text of now) if (!this.remarked.includes(text)) this.ledger.say("signal", text);
		this.remarked = now;
	}

	private async onReboot(at: number): Promise<void> {
		this.life.watch = rebooted(this.life.watch, at);
		this.ledger.say("signal", "The guest restarts itself");
		if (this.record.state === "running") await this.ledger.become("starting", "the guest restarts itself");
	}

	private async onDiskFull(text: string, at: number): Promise<void> {
		if (this.record.reason !== text) await this.ledger.become(this.record.state, text);
		if (at - this.resumedAt < resumeEveryMs) return;
		this.resumedAt = at;
		await this.life.holder.machine
			?.resume()
			.catch((error) => this.ledger.say("session", `The guest could not go on: ${explain(error)}`));
	}

	/** There is room on the host's disk again. */
	private async onFine(): Promise<void> {
		if (this.record.reason !== diskFull.text || this.life.watch.status !== "running") return;
		this.ledger.say("signal", "There is room on the host's disk again: the guest goes on");
		await this.ledger.become(this.record.state, "");
	}

	private async onGuestShutdown(text: string): Promise<void> {
		if (this.record.state === "stopping") return void (await this.life.closeAndStop(""));
		this.ledger.say("session", text);
		// The guest's own wish counts: a server that shut itself down is not started against it.
		if (!this.record.maintenance) this.ledger.set({ wanted: "stopped" });
		await this.life.closeAndStop("the guest shut itself down");
	}

	private async onFailure(failure: Failure, at: number, sign: Sign | undefined): Promise<void> {
		const { state, maintenance } = this.record;
		if (state === "stopping") return void (await this.life.closeAndStop(""));
		if (maintenance) return await this.suspend(failure);
		if (state === "failed") return await this.onFailureWhenFailed(failure);
		await this.breakOffRenewal();
		await this.life.fail(failure, at, sign);
	}

	/** Its session lived on although the server was given up, mostly because its process did not end. */
	private async onFailureWhenFailed(failure: Failure): Promise<void> {
		const { wanted } = this.record;
		if (failure.cause === "process-ended" || wanted === "stopped")
			return void (await this.life.closeAndStop(""));
		await this.life.failAgain(failure);
	}

	/** In maintenance a failure is told once; only a process that has gone is put away. */
	private async suspend(failure: Failure): Promise<void> {
		if (this.suspended !== failure.cause) {
			this.ledger.say("maintenance", `${failure.summary}; nothing is done, because of the maintenance`);
		}
		this.suspended = failure.cause;
		if (failure.cause === "process-ended")
			await this.life.closeAndStop(`${failure.summary}, during maintenance`);
	}

	private async askFelt(incident: string, until: number): Promise<void> {
		await this.life.book.feltOf(incident, until).then(
			(felt) => void this.inbox.put({ kind: "felt", incident, felt }),
			(error) => this.ledger.say("front-door", `What users felt could not be read: ${explain(error)}`),
		);
	}

	// ---- small things

	private later(afterMs: number, input: Input): void {
		// The sleep is cut short only when this server is let go of.
		this.env.clock.sleep(afterMs, this.gone.signal).then(
			() => this.inbox.put(input),
			() => {},
		);
	}
}

function busyWords(deadlineMs: number): string {
	return `is in use: requests or connections did not end within ${formatDuration(deadlineMs)}; nothing was changed`;
}
