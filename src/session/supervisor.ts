import { BulkheadError, explain } from "../api/errors.ts";
import { type Action, allowedIn, type Fault, isAllowed } from "../api/server.ts";
import { diskFull, type Failure, judgeSign, judgeWatch, remarks, type Verdict } from "./detection.ts";
import type { Env } from "./env.ts";
import type { Pulse, Sign } from "./evidence.ts";
import { Inbox } from "./inbox.ts";
import type { Command, Input } from "./input.ts";
import { Keeper } from "./keeper.ts";
import { Ledger } from "./ledger.ts";
import type { Policy } from "./policy.ts";
import { refusal } from "./refusal.ts";
import type { Reserve } from "./reserve.ts";
import type { DrillRecord, ServerRecord } from "./state.ts";
import type { Watch } from "./watch.ts";
import { type Parts, wire } from "./wiring.ts";

export type { Policy } from "./policy.ts";

/** Requests that were held are logged when they are answered: some time after the server is ready. */
const feltAfterMs = [1500, 20_000];
const tendAfterMs = 300;
const resumeEveryMs = 5000;
/** How often it is tried to write down what could not be written. */
const saveEveryMs = 5000;
const troubleEveryMs = 60_000;

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
	private suspended = "";
	private resumedAt = 0;
	private silentServices = "";
	private remarked: readonly string[] = [];
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

	/** Takes effect at once; a seal that does not fit any more is made anew. */
	set policy(policy: Policy) {
		this.current = policy;
		this.inbox.put({ kind: "recheck" });
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

	/** Services that do not answer although the guest does. */
	get silent(): readonly string[] {
		return this.record.state === "running" ? this.watch.silentServices : [];
	}

	/** Lets go of the session without ending it. */
	async leave(): Promise<void> {
		for (const input of this.inbox.close()) {
			if (input.kind === "command") input.done(new BulkheadError("not-allowed-now", "the daemon ends"));
		}
		this.gone.abort();
		this.parts.holder.stopLooking();
		await this.running;
		await this.parts.reserve.leave();
		await this.keeper.retry();
		this.parts.holder.leave();
	}

	private get watch(): Watch {
		return this.parts.holder.seen;
	}

	private async work(): Promise<void> {
		await this.guarded(() => this.parts.resumption.resume());
		this.later(tendAfterMs, { kind: "tend" });
		this.parts.idleness.begin();
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
			if (this.parts.holder.watching || this.record.state === "stopped") return;
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
				return await this.obey(input.command, input.done);
			case "sign":
				if (input.session !== this.record.session?.number) return;
				return await this.act(judgeSign(input.sign), input.sign);
			case "pulse":
				if (input.session !== this.record.session?.number) return;
				return await this.onPulse(input.pulse);
			case "due":
				if (!this.parts.timers.isCurrent(input)) return;
				return input.what === "force" ? await this.parts.life.force() : await this.parts.recoverer.launch();
			case "save":
				return await this.keeper.retry();
			case "ask-felt":
				// The front door may take its time to answer; failures are not to wait for that.
				void this.askFelt(input.incident, input.until);
				return;
			case "felt":
				return await this.parts.book.addFelt(input.incident, input.felt);
			case "reserve":
				return this.parts.reserve.takeIn(input.news);
			case "tend":
				return this.parts.reserve.tend();
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
				return this.parts.reserve.recheck();
			case "parked-end":
				return await this.parts.parked.takeIn(input.end);
			default:
				input satisfies never;
		}
	}

	// ---- commands

	private async obey(command: Command, done: (error?: unknown) => void): Promise<void> {
		try {
			this.require(command.do);
			// It goes on in the background for a while, and is done later.
			if (command.do === "renew") return this.parts.renewal.begin(command.deadlineMs, done);
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
				this.parts.sleep.stopListening();
				return this.record.state === "asleep" ? await this.parts.sleep.wake() : await this.parts.life.start();
			case "renew":
				throw new Error("it is begun by obey");
			case "stop":
			case "restart":
				this.parts.sleep.stopListening();
				await this.parts.sleep.endSleeper();
				return await this.parts.life.stop(command.deadlineMs, command.do === "restart");
			case "maintenance":
				return await this.setMaintenance(command.on);
			case "seal":
				return await this.sealAnew();
			case "begin-changes":
				return await this.parts.changes.begin();
			case "commit-changes":
			case "abandon-changes":
				return await this.parts.changes.end(command.do === "commit-changes");
			case "drill":
				return await this.makeFault(command.fault);
			default:
				command satisfies never;
		}
	}

	private async setMaintenance(on: boolean): Promise<void> {
		this.ledger.set({ maintenance: on });
		this.suspended = "";
		await this.ledger.save();
		const begins = "Maintenance begins: failures are told, and nothing is done about them";
		this.ledger.say("maintenance", on ? begins : "Maintenance ends");
		if (!on) this.parts.reserve.tend();
		if (on || this.record.wanted !== "running") return;
		if (this.record.state === "stopped") return await this.parts.life.start();
		await this.parts.resumption.resumeUnreachable();
	}

	private async sealAnew(): Promise<void> {
		if (!this.policy.warm)
			throw refusal(
				this.policy.server,
				"recovers cold and has no seal; say `recovery: { mode: warm }` in the site file",
			);
		await this.parts.reserve.renewSeal();
	}

	private async makeFault(fault: Fault): Promise<void> {
		const { machine } = this.parts.holder;
		if (!machine) throw new BulkheadError("not-allowed-now", `${this.policy.server} has no session`);
		const { number } = machine.session;
		this.ledger.set({ drill: { fault, at: this.env.clock.now(), session: number } });
		this.ledger.say("drill", `Drill: ${fault}`);
		await machine.inject(fault);
		await this.ledger.save();
	}

	// ---- evidence

	private async onPulse(pulse: Pulse): Promise<void> {
		const before = this.watch.phase;
		this.parts.holder.observe(pulse, this.policy.hearing);
		if (before === "booting" && this.watch.phase === "ready") await this.onReady();
		this.tellSilentServices();
		this.tellRemarks();
		if (this.record.state === "stopping") await this.parts.life.pressAgain(pulse.at);
		await this.act(judgeWatch(this.watch, this.policy.patience), undefined);
		this.parts.renewal.beginWhenOld(pulse.at);
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
		this.parts.recoveries.noteReady();
		this.ledger.set({ session: { ...session, readyAt: session.readyAt ?? at } });
		await this.ledger.become("running", "");
		this.ledger.say("session", `Session ${session.number} is ready`);
		// Those who waited are served first.
		this.later(tendAfterMs, { kind: "tend" });
		const closed = await this.parts.incidents.recovered(at, session.number);
		if (!closed) return;
		for (const ms of feltAfterMs) this.later(ms, { kind: "ask-felt", incident: closed.id, until: at });
	}

	private tellSilentServices(): void {
		if (this.watch.phase !== "ready") return;
		const now = this.watch.silentServices.join(", ");
		if (now === this.silentServices) return;
		this.silentServices = now;
		this.ledger.say("signal", now ? this.silenceWords(now) : "All services answer");
	}

	private silenceWords(services: string): string {
		const answers = this.policy.hearing.agent || this.watch.silenceMs === 0;
		return answers
			? `The guest answers, but not its service ${services}`
			: `Its service ${services} does not answer; without an agent nobody knows whether the guest does`;
	}

	/** What lasts is told once. */
	private tellRemarks(): void {
		const now = this.record.maintenance ? [] : remarks(this.watch);
		for (const text of now) if (!this.remarked.includes(text)) this.ledger.say("signal", text);
		this.remarked = now;
	}

	private async onReboot(at: number): Promise<void> {
		this.parts.holder.rebooted(at);
		this.ledger.say("signal", "The guest restarts itself");
		if (this.record.state === "running") await this.ledger.become("starting", "the guest restarts itself");
	}

	private async onDiskFull(text: string, at: number): Promise<void> {
		if (this.record.reason !== text) await this.ledger.become(this.record.state, text);
		if (at - this.resumedAt < resumeEveryMs) return;
		this.resumedAt = at;
		await this.parts.holder.machine
			?.resume()
			.catch((error) => this.ledger.say("session", `The guest could not go on: ${explain(error)}`));
	}

	/** There is room on the host's disk again. */
	private async onFine(): Promise<void> {
		if (this.record.reason !== diskFull.text || this.watch.status !== "running") return;
		this.ledger.say("signal", "There is room on the host's disk again: the guest goes on");
		await this.ledger.become(this.record.state, "");
	}

	private async onGuestShutdown(text: string): Promise<void> {
		if (this.record.state === "stopping") return void (await this.parts.life.closeAndStop(""));
		this.ledger.say("session", text);
		// The guest's own wish counts: a server that shut itself down is not started against it.
		if (!this.record.maintenance) this.ledger.set({ wanted: "stopped" });
		await this.parts.life.closeAndStop("the guest shut itself down");
	}

	private async onFailure(failure: Failure, at: number, sign: Sign | undefined): Promise<void> {
		const { state, maintenance } = this.record;
		if (state === "stopping") return void (await this.parts.life.closeAndStop(""));
		if (maintenance) return await this.suspend(failure);
		if (state === "failed") return await this.onFailureWhenFailed(failure);
		await this.parts.renewal.breakOff();
		await this.parts.recoverer.fail(failure, at, sign);
	}

	/** Its session lived on although the server was given up, mostly because its process did not end. */
	private async onFailureWhenFailed(failure: Failure): Promise<void> {
		const { wanted } = this.record;
		if (failure.cause === "process-ended" || wanted === "stopped")
			return void (await this.parts.life.closeAndStop(""));
		await this.parts.recoverer.failAgain(failure);
	}

	/** In maintenance a failure is told once; only a process that has gone is put away. */
	private async suspend(failure: Failure): Promise<void> {
		if (this.suspended !== failure.cause) {
			this.ledger.say("maintenance", `${failure.summary}; nothing is done, because of the maintenance`);
		}
		this.suspended = failure.cause;
		if (failure.cause === "process-ended")
			await this.parts.life.closeAndStop(`${failure.summary}, during maintenance`);
	}

	private async askFelt(incident: string, until: number): Promise<void> {
		await this.parts.book.feltOf(incident, until).then(
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
