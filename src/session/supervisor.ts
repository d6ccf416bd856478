import { BulkheadError, explain } from "../api/errors.ts";
import { type Action, allowedIn, type Fault, isAllowed, type ServerState } from "../api/server.ts";
import { formatDuration } from "../api/units.ts";
import { diskFull, judgeSign, judgeWatch, type Patience, type Verdict } from "./detection.ts";
import type { Env, Machine } from "./env.ts";
import type { Hearing, Pulse, Sign } from "./evidence.ts";
import { Holder } from "./holder.ts";
import { Inbox } from "./inbox.ts";
import { IncidentBook } from "./incident-book.ts";
import { type Budget, nextStep } from "./recovery.ts";
import { type DrillRecord, mayBecome, type ServerRecord, type SessionRecord } from "./state.ts";
import { beginWatch, observe, rebooted, type Watch } from "./watch.ts";

/** How a server is supervised: from its definition. */
export interface Policy {
	server: string;
	hearing: Hearing;
	patience: Patience;
	budget: Budget;
}

type Command =
	| { do: "start" }
	| { do: "stop" | "restart"; deadlineMs: number }
	| { do: "maintenance"; on: boolean }
	| { do: "drill"; fault: Fault };

type Input =
	| { kind: "command"; command: Command; done: (error?: unknown) => void }
	| { kind: "sign"; session: number; sign: Sign }
	| { kind: "pulse"; session: number; pulse: Pulse }
	| { kind: "due"; what: "relaunch" | "force"; token: number }
	| { kind: "felt"; incident: string; until: number };

/** Requests that were held are logged when they are answered: some time after the server is ready. */
const feltAfterMs = [1500, 20_000];
const resumeEveryMs = 5000;
/** A press of the power button is lost on a guest that does not listen yet. */
const pressEveryMs = 5000;
const stopAfterRestartMs = 60_000;

type Failure = Extract<Verdict, { kind: "failed" }>;

/**
 * Supervises one server: the only place where its state changes.
 *
 * INVARIANTS (see also state.ts)
 * - One input is handled at a time, to its end; signs, looks, commands and timers all come through the inbox.
 * - Nothing in a handler waits without a deadline: whatever takes long comes back through the inbox as `due`.
 * - Signs and looks carry their session's number; those of an earlier session are dropped.
 * - An incident is announced before anything is done about it, and closed by the session that replaces the failed one.
 */
export class Supervisor {
	record: ServerRecord;
	policy: Policy;
	private readonly env: Env;
	private readonly inbox = new Inbox<Input>();
	private readonly book: IncidentBook;
	private readonly holder: Holder;
	private readonly gone = new AbortController();
	private readonly running: Promise<void>;
	private watch: Watch = beginWatch(0);
	/** Timers that were set before carry an older token, and mean nothing any more. */
	private token = 0;
	private startAgain = false;
	private suspended = "";
	private resumedAt = 0;
	private pressedAt = 0;
	private silentServices = "";

	constructor(policy: Policy, record: ServerRecord, env: Env) {
		this.policy = policy;
		this.record = record;
		this.env = env;
		this.book = new IncidentBook(env);
		this.holder = new Holder(env, {
			onSign: (session, sign) => this.inbox.put({ kind: "sign", session, sign }),
			onPulse: (session, pulse) => this.inbox.put({ kind: "pulse", session, pulse }),
			phase: () => this.watch.phase,
			onTrouble: (error) => this.say("daemon", `Watching failed: ${explain(error)}`),
		});
		this.running = this.work();
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
		this.holder.stopLooking();
		await this.running;
		this.holder.leave();
	}

	private async work(): Promise<void> {
		await this.guarded(() => this.resumeAfterRestart());
		for (let input = await this.inbox.next(); input; input = await this.inbox.next()) {
			const current = input;
			await this.guarded(() => this.handle(current));
		}
	}

	/** A defect of ours must not leave a server unwatched without a word. */
	private async guarded(step: () => Promise<void>): Promise<void> {
		try {
			await step();
		} catch (error) {
			this.say("daemon", `Supervision failed: ${explain(error)}`);
			await this.become("failed", `supervision failed: ${explain(error)}`).catch(() => {});
		}
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
				return await (input.what === "force" ? this.force() : this.launch());
			case "felt":
				return await this.addFelt(input.incident, input.until);
			default:
				input satisfies never;
		}
	}

	// ---- commands

	private async obey(command: Command, done: (error?: unknown) => void): Promise<void> {
		try {
			this.require(command.do);
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
				return await this.start();
			case "stop":
			case "restart":
				return await this.stop(command.deadlineMs, command.do === "restart");
			case "maintenance":
				return await this.setMaintenance(command.on);
			case "drill":
				return await this.makeFault(command.fault);
			default:
				command satisfies never;
		}
	}

	private async start(): Promise<void> {
		// A process that did not end when its session failed may have ended since.
		if (!(await this.clear())) throw new BulkheadError("not-allowed-now", this.record.reason);
		this.record = { ...this.record, wanted: "running", recoveries: [] };
		await this.launch();
	}

	private async stop(deadlineMs: number, startAgain: boolean): Promise<void> {
		this.startAgain = startAgain;
		this.record = { ...this.record, wanted: startAgain ? "running" : "stopped" };
		await this.become("stopping", startAgain ? "restarting" : "");
		if (!this.holder.machine) return await this.stopped("");
		await this.pressPowerButton();
		this.due("force", deadlineMs);
	}

	private async pressPowerButton(): Promise<void> {
		this.pressedAt = this.env.clock.now();
		await this.holder.machine
			?.pressPowerButton()
			.catch((error) => this.say("session", `The power button did not work: ${explain(error)}`));
	}

	private async force(): Promise<void> {
		this.say("session", "The guest did not shut down in time; it is switched off");
		await this.closeAndStop("");
	}

	private async setMaintenance(on: boolean): Promise<void> {
		this.record = { ...this.record, maintenance: on };
		this.suspended = "";
		await this.env.journal.saveRecord(this.record);
		const begins = "Maintenance begins: failures are told, and nothing is done about them";
		this.say("maintenance", on ? begins : "Maintenance ends");
		if (!on && this.record.wanted === "running" && this.record.state === "stopped") await this.launch();
	}

	private async makeFault(fault: Fault): Promise<void> {
		const { machine } = this.holder;
		if (!machine) throw new BulkheadError("not-allowed-now", `${this.policy.server} has no session`);
		const { number } = machine.session;
		this.record = { ...this.record, drill: { fault, at: this.env.clock.now(), session: number } };
		this.say("drill", `Drill: ${fault}`);
		await machine.inject(fault);
		await this.env.journal.saveRecord(this.record);
	}

	// ---- beginning a session

	private async launch(): Promise<void> {
		const number = this.record.nextSession;
		this.token++;
		this.record = { ...this.record, nextSession: number + 1, planned: number };
		await this.become("starting", this.book.open ? `recovering from ${this.book.open.id}` : "");
		this.book.note(`session ${number} starts`);
		try {
			// A server without its front door is still there for its neighbours, and for its administrator.
			await this.env.door
				.expect()
				.catch((error) => this.say("front-door", `It could not be made ready: ${explain(error)}`));
			const machine = await this.holder.start(number);
			await this.attach({ ...machine.session, readyAt: null });
			this.say("session", `Session ${number} runs as process ${machine.session.pid}`);
		} catch (error) {
			if (await this.clear()) await this.couldNotStart(number, error);
		}
	}

	private async attach(session: SessionRecord): Promise<void> {
		// A guest that restarts itself boots again, in a session that was ready before.
		const booting = session.readyAt === null || this.record.state === "starting";
		const phase = booting ? "booting" : "ready";
		this.watch = { ...beginWatch(this.env.clock.now()), phase };
		this.record = { ...this.record, session, planned: null };
		await this.env.journal.saveRecord(this.record);
		this.holder.watch();
	}

	private async couldNotStart(number: number, error: unknown): Promise<void> {
		const summary = `Session ${number} could not be started: ${explain(error)}`;
		this.say("session", summary);
		if (!this.book.open) return await this.become("failed", summary);
		this.book.note(summary);
		await this.recover(true);
	}

	// ---- evidence

	private async onPulse(pulse: Pulse): Promise<void> {
		const before = this.watch.phase;
		this.watch = observe(this.watch, pulse, this.policy.hearing);
		if (before === "booting" && this.watch.phase === "ready") await this.onReady();
		this.tellSilentServices();
		if (this.record.state === "stopping" && pulse.at - this.pressedAt >= pressEveryMs)
			await this.pressPowerButton();
		await this.act(judgeWatch(this.watch, this.policy.patience), undefined);
	}

	private async act(verdict: Verdict, sign: Sign | undefined): Promise<void> {
		const at = sign?.at ?? this.env.clock.now();
		switch (verdict.kind) {
			case "fine":
				return await this.onFine();
			case "note":
				this.say("signal", verdict.text);
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
		this.record = { ...this.record, recoveries, session: { ...session, readyAt: session.readyAt ?? at } };
		await this.become("running", "");
		this.say("session", `Session ${session.number} is ready`);
		const closed = await this.book.recovered(at, session.number);
		if (!closed) return;
		this.record = { ...this.record, openIncident: null };
		await this.env.journal.saveRecord(this.record);
		this.say("incident", `Incident ${closed.id} is over after ${closed.outageMs} ms`);
		for (const ms of feltAfterMs) this.later(ms, { kind: "felt", incident: closed.id, until: at });
	}

	private tellSilentServices(): void {
		if (this.watch.phase !== "ready") return;
		const now = this.watch.silentServices.join(", ");
		if (now === this.silentServices) return;
		this.silentServices = now;
		this.say("signal", now ? `The guest answers, but not its service ${now}` : "All services answer");
	}

	private async onReboot(at: number): Promise<void> {
		this.watch = rebooted(this.watch, at);
		this.say("signal", "The guest restarts itself");
		if (this.record.state === "running") await this.become("starting", "the guest restarts itself");
	}

	private async onDiskFull(text: string, at: number): Promise<void> {
		if (this.record.reason !== text) await this.become(this.record.state, text);
		if (at - this.resumedAt < resumeEveryMs) return;
		this.resumedAt = at;
		await this.holder.machine
			?.resume()
			.catch((error) => this.say("session", `The guest could not go on: ${explain(error)}`));
	}

	/** There is room on the host's disk again. */
	private async onFine(): Promise<void> {
		if (this.record.reason !== diskFull.text || this.watch.status !== "running") return;
		this.say("signal", "There is room on the host's disk again: the guest goes on");
		await this.become(this.record.state, "");
	}

	private async onGuestShutdown(text: string): Promise<void> {
		if (this.record.state === "stopping") return await this.closeAndStop("");
		this.say("session", text);
		// The guest's own wish counts: a server that shut itself down is not started against it.
		if (!this.record.maintenance) this.record = { ...this.record, wanted: "stopped" };
		await this.closeAndStop("the guest shut itself down");
	}

	private async onFailure(failure: Failure, at: number, sign: Sign | undefined): Promise<void> {
		const { state } = this.record;
		if (state === "stopping" || state === "failed") return await this.closeAndStop("");
		if (this.record.maintenance) return await this.suspend(failure);
		await this.beginIncident(failure, at, sign?.kind === "panicked" ? sign.details : {});
		await this.become("recovering", failure.summary);
		await this.env.door
			.cut()
			.catch((error) => this.say("front-door", `Connections could not be cut: ${explain(error)}`));
		this.book.note("connections to the failed session cut");
		if (await this.closeFailed()) await this.recover();
	}

	/** In maintenance a failure is told once; only a process that has gone is put away. */
	private async suspend(failure: Failure): Promise<void> {
		if (this.suspended !== failure.cause) {
			this.say("maintenance", `${failure.summary}; nothing is done, because of the maintenance`);
		}
		this.suspended = failure.cause;
		if (failure.cause === "process-ended") await this.closeAndStop(`${failure.summary}, during maintenance`);
	}

	// ---- recovery

	private async beginIncident(failure: Failure, at: number, details: Record<string, string>): Promise<void> {
		const session = this.record.session?.number ?? this.record.nextSession - 1;
		const made = this.record.drill?.session === session ? this.record.drill : null;
		const drill = made && { fault: made.fault, at: made.at };
		const { server } = this.policy;
		const { cause, summary, forMs = 0 } = failure;
		const began = Math.max(at - forMs, made?.at ?? 0);
		const beginning = { server, session, cause, summary, at: began, noticedAt: at, drill };
		const { id } = await this.book.begin(beginning, details);
		this.record = { ...this.record, openIncident: id, incidents: this.record.incidents + 1 };
	}

	/** Takes the evidence and ends the failed session. @returns false when its process does not end */
	private async closeFailed(): Promise<boolean> {
		const { machine } = this.holder;
		this.holder.stopLooking();
		if (!machine) return true;
		const { open } = this.book;
		if (open) await this.takeEvidence(machine, open.id);
		const ended = await this.clear(open?.cause === "panic");
		if (ended) this.book.note(`session ${machine.session.number} closed`);
		return ended;
	}

	/** Without evidence is better than without the server; what there is, the next daemon knows of, too. */
	private async takeEvidence(machine: Machine, incident: string): Promise<void> {
		try {
			const { files, details } = await machine.collectEvidence(incident);
			this.book.addEvidence(files, details);
			this.book.note("evidence taken");
			await this.book.save();
		} catch (error) {
			this.book.note(`evidence could not be kept: ${explain(error)}`);
		}
	}

	/**
	 * Makes sure that nothing of an earlier session lives: until then its disks have a writer.
	 * @returns false when a process does not end: then the server has failed, and remembers it
	 */
	private async clear(politely = false): Promise<boolean> {
		const { session, planned } = this.record;
		const closed = await this.holder.end(politely);
		for (const number of [session?.number, planned]) {
			if (typeof number !== "number") continue;
			if (closed && (await this.env.machines.cleanUp(number))) continue;
			await this.giveUp(stuckWords(number));
			return false;
		}
		this.record = { ...this.record, session: null, planned: null };
		return true;
	}

	/** @param counts against the budget: a drill is no sign of trouble, but what fails after it is */
	private async recover(counts = this.book.open?.drill === null): Promise<void> {
		const now = this.env.clock.now();
		const step = nextStep(this.record.recoveries, now, this.policy.budget);
		if (step.kind === "give-up") return await this.giveUp(step.reason);
		const kept = this.record.recoveries.slice(-100);
		this.record = { ...this.record, recoveries: counts ? [...kept, { at: now, ready: false }] : kept };
		if (step.afterMs === 0) return await this.launch();
		const words = `attempt ${step.attempt} begins in ${formatDuration(step.afterMs)}`;
		this.book.note(words);
		await this.become("recovering", words);
		this.due("relaunch", step.afterMs);
	}

	private async giveUp(reason: string): Promise<void> {
		this.token++;
		this.book.note(`given up: ${reason}`);
		await this.book.end("gave-up");
		this.record = { ...this.record, openIncident: null };
		await this.become("failed", reason);
	}

	private async addFelt(id: string, until: number): Promise<void> {
		await this.book
			.addFelt(id, until)
			.catch((error) => this.say("front-door", `What users felt could not be read: ${explain(error)}`));
	}

	// ---- ending a session

	private async closeAndStop(reason: string): Promise<void> {
		if (await this.clear(true)) await this.stopped(reason);
	}

	private async stopped(reason: string): Promise<void> {
		this.token++;
		await this.book.end("stopped");
		this.record = { ...this.record, session: null, openIncident: null };
		if (!this.startAgain) return await this.become("stopped", reason);
		this.startAgain = false;
		await this.launch();
	}

	// ---- after a restart of the daemon

	private async resumeAfterRestart(): Promise<void> {
		const { openIncident, session, state } = this.record;
		await this.book.resume(openIncident);
		if (session) return await this.resumeSession(session);
		if (!(await this.clear())) return;
		if (state === "stopping") return await this.stopped("");
		if (state === "starting" || state === "recovering") return await this.launch();
	}

	private async resumeSession(session: SessionRecord): Promise<void> {
		if (await this.holder.adopt(session)) return await this.resumeLiving(session);
		const { state } = this.record;
		const remains = await this.remainsOf(session);
		if (!(await this.clear())) return;
		if (state === "stopping" || state === "stopped" || state === "failed") return await this.stopped("");
		if (state === "recovering") {
			this.book.addEvidence(remains);
			return await this.recover();
		}
		await this.sessionGone(session, remains);
	}

	/** What an ended session left as evidence of its failure; none when the host ended it. */
	private async remainsOf({ number, bootId }: SessionRecord): Promise<string[]> {
		const { state } = this.record;
		const { machines } = this.env;
		if (!["starting", "running", "recovering"].includes(state) || !(await machines.sameBoot(bootId)))
			return [];
		return await machines.keepRemains(number, `${this.policy.server}-${number}`).catch(() => []);
	}

	private async resumeLiving(session: SessionRecord): Promise<void> {
		await this.attach(session);
		this.say("daemon", `Session ${session.number} was taken over`);
		if (this.record.state === "stopping")
			return await this.stop(stopAfterRestartMs, this.record.wanted === "running");
		// Between the incident and the end of its session the daemon was ended: go on from there.
		if (this.record.state === "recovering" && (await this.closeFailed())) await this.recover();
	}

	private async sessionGone(session: SessionRecord, remains: string[]): Promise<void> {
		if (!(await this.env.machines.sameBoot(session.bootId))) {
			this.say("session", `The host was restarted; session ${session.number} ended with it`);
			return await this.launch();
		}
		const summary = "QEMU ended without being asked, while no daemon was watching";
		if (this.record.maintenance) return await this.stopped(`${summary}, during maintenance`);
		this.record = { ...this.record, session };
		await this.beginIncident({ kind: "failed", cause: "process-ended", summary }, this.env.clock.now(), {});
		this.book.addEvidence(remains);
		this.record = { ...this.record, session: null };
		await this.become("recovering", summary);
		await this.recover();
	}

	// ---- small things

	/** The one place where the state changes. */
	private async become(state: ServerState, reason: string): Promise<void> {
		const { state: before } = this.record;
		if (!mayBecome(before, state))
			throw new Error(`${this.policy.server} cannot go from ${before} to ${state}`);
		this.record = { ...this.record, state, reason };
		await this.env.journal.saveRecord(this.record);
		if (before !== state || reason) this.say("state", reason ? `${state}: ${reason}` : state);
	}

	private say(kind: Parameters<Env["journal"]["event"]>[0]["kind"], text: string): void {
		const session = this.record.session?.number ?? null;
		this.env.journal.event({ at: this.env.clock.now(), session, kind, text });
	}

	private due(what: "relaunch" | "force", afterMs: number): void {
		this.later(afterMs, { kind: "due", what, token: ++this.token });
	}

	private later(afterMs: number, input: Input): void {
		// The sleep is cut short only when this server is let go of.
		this.env.clock.sleep(afterMs, this.gone.signal).then(
			() => this.inbox.put(input),
			() => {},
		);
	}
}

function stuckWords(session: number): string {
	const where = "it waits in the kernel, mostly for a disk; its disks stay with it until it does";
	return `a process of session ${session} does not end (${where}): look at the host's disks, then start the server`;
}
