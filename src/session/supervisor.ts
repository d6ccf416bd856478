import { BulkheadError, explain } from "../api/errors.ts";
import type { Incident } from "../api/incident.ts";
import { type Action, allowedIn, type Fault, isAllowed, type ServerState } from "../api/server.ts";
import { judgeSign, judgeWatch, type Patience, type Verdict } from "./detection.ts";
import type { Env, Machine } from "./env.ts";
import type { Hearing, Pulse, Sign } from "./evidence.ts";
import { Inbox } from "./inbox.ts";
import { noted, openIncident, recovered } from "./incident.ts";
import { type Budget, nextStep } from "./recovery.ts";
import { mayBecome, type ServerRecord, type SessionRecord } from "./state.ts";
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

const lookEveryMs = { booting: 100, ready: 500 };
/** Requests that were held are logged when they are answered: some time after the server is ready. */
const feltAfterMs = 1500;
const resumeEveryMs = 5000;

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
	private readonly stopLooking = new Map<number, AbortController>();
	private readonly gone = new AbortController();
	private readonly running: Promise<void>;
	private machine: Machine | undefined;
	private watch: Watch = beginWatch(0);
	private incident: Incident | undefined;
	private drill: { fault: Fault; at: number; session: number } | undefined;
	private token = 0;
	private startAgain = false;
	private suspended = "";
	private resumedAt = 0;
	private silentServices = "";

	constructor(policy: Policy, record: ServerRecord, env: Env) {
		this.policy = policy;
		this.record = record;
		this.env = env;
		this.running = this.work();
	}

	/** @throws BulkheadError not-allowed-now, when the server's state does not allow it */
	async command(command: Command): Promise<void> {
		const { promise, resolve, reject } = Promise.withResolvers<void>();
		const done = (error?: unknown) => (error === undefined ? resolve() : reject(error));
		this.inbox.put({ kind: "command", command, done });
		await promise;
	}

	/** What the drill that was made last did and when; undefined when there was none. */
	get lastDrill(): { fault: Fault; at: number; session: number } | undefined {
		return this.drill;
	}

	/** The session's console and screen can be reached. */
	get session(): SessionRecord | null {
		return this.record.session;
	}

	/** Services that do not answer although the guest does. */
	get silent(): readonly string[] {
		return this.record.state === "running" ? this.watch.silentServices : [];
	}

	/** Lets go of the session without ending it. */
	async leave(): Promise<void> {
		this.inbox.close();
		this.gone.abort();
		for (const abort of this.stopLooking.values()) abort.abort();
		await this.running;
		this.machine?.leave();
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
				if (input.session === this.record.session?.number) await this.onSign(input.sign);
				return;
			case "pulse":
				if (input.session === this.record.session?.number) await this.onPulse(input.pulse);
				return;
			case "due":
				if (input.token === this.token) await (input.what === "force" ? this.force() : this.launch());
				return;
			case "felt":
				return await this.writeFelt(input.incident, input.until);
			default:
				input satisfies never;
		}
	}

	// ---- commands

	private async obey(command: Command, done: (error?: unknown) => void): Promise<void> {
		try {
			this.require(command.do);
			switch (command.do) {
				case "start":
					await this.start();
					break;
				case "stop":
				case "restart":
					await this.stop(command.deadlineMs, command.do === "restart");
					break;
				case "maintenance":
					await this.setMaintenance(command.on);
					break;
				case "drill":
					await this.makeFault(command.fault);
					break;
				default:
					command satisfies never;
			}
			done();
		} catch (error) {
			done(error);
		}
	}

	private require(action: Action): void {
		const { state } = this.record;
		if (isAllowed(action, state)) return;
		const when = (allowedIn[action] as readonly string[]).join(" or ");
		throw new BulkheadError(
			"not-allowed-now",
			`${this.policy.server} is ${state}; ${action} is possible when it is ${when}`,
		);
	}

	private async start(): Promise<void> {
		if (this.machine && !(await this.end(this.machine, false))) {
			throw new BulkheadError("not-allowed-now", this.record.reason);
		}
		this.record = { ...this.record, wanted: "running", recoveries: [] };
		await this.launch();
	}

	private async stop(deadlineMs: number, startAgain: boolean): Promise<void> {
		this.startAgain = startAgain;
		this.record = { ...this.record, wanted: startAgain ? "running" : "stopped" };
		if (this.record.state === "failed" && !this.machine) return await this.stopped("");
		await this.become("stopping", startAgain ? "restarting" : "");
		if (!this.machine) return await this.stopped("");
		await this.machine
			.pressPowerButton()
			.catch((error) => this.say("session", `The power button did not work: ${explain(error)}`));
		this.due("force", deadlineMs);
	}

	private async force(): Promise<void> {
		this.say("session", "The guest did not shut down in time; it is switched off");
		await this.closeAndStop("");
	}

	private async setMaintenance(on: boolean): Promise<void> {
		this.record = { ...this.record, maintenance: on };
		this.suspended = "";
		await this.env.journal.saveRecord(this.record);
		this.say(
			"maintenance",
			on ? "Maintenance begins: failures are told, and nothing is done about them" : "Maintenance ends",
		);
		if (!on && this.record.wanted === "running" && this.record.state === "stopped") await this.launch();
	}

	private async makeFault(fault: Fault): Promise<void> {
		const { machine } = this;
		if (!machine) throw new BulkheadError("not-allowed-now", `${this.policy.server} has no session`);
		this.drill = { fault, at: this.env.clock.now(), session: machine.session.number };
		this.say("drill", `Drill: ${fault}`);
		await machine.inject(fault);
	}

	// ---- beginning a session

	private async launch(): Promise<void> {
		const number = this.record.nextSession;
		this.token++;
		this.record = { ...this.record, nextSession: number + 1, planned: number };
		await this.become("starting", this.incident ? `recovering from ${this.incident.id}` : "");
		this.note(`session ${number} starts`);
		try {
			await this.env.door.expect();
			const machine = await this.env.machines.start(number, (sign) =>
				this.inbox.put({ kind: "sign", session: number, sign }),
			);
			await this.attach(machine, { ...machine.session, readyAt: null });
		} catch (error) {
			await this.env.machines.cleanUp(number);
			this.record = { ...this.record, planned: null };
			await this.couldNotStart(number, error);
		}
	}

	private async attach(machine: Machine, session: SessionRecord): Promise<void> {
		this.machine = machine;
		this.watch = {
			...beginWatch(this.env.clock.now()),
			phase: session.readyAt === null ? "booting" : "ready",
		};
		this.record = { ...this.record, session, planned: null };
		await this.env.journal.saveRecord(this.record);
		this.say("session", `Session ${session.number} runs as process ${session.pid}`);
		this.look(machine);
	}

	private async couldNotStart(number: number, error: unknown): Promise<void> {
		const summary = `Session ${number} could not be started: ${explain(error)}`;
		this.say("session", summary);
		if (!this.incident) return await this.become("failed", summary);
		this.note(summary);
		await this.recover();
	}

	/** Looks at the session again and again until it is over. A look never blocks the inbox. */
	private look(machine: Machine): void {
		const { number } = machine.session;
		const abort = new AbortController();
		this.stopLooking.set(number, abort);
		const { clock } = this.env;
		const loop = async () => {
			while (!abort.signal.aborted) {
				const pulse = await machine.look();
				this.inbox.put({ kind: "pulse", session: number, pulse });
				await clock.sleep(lookEveryMs[this.watch.phase], abort.signal).catch(() => {});
			}
		};
		loop().catch((error) => this.say("daemon", `Watching session ${number} failed: ${explain(error)}`));
	}

	// ---- evidence

	private async onSign(sign: Sign): Promise<void> {
		await this.act(judgeSign(sign), sign);
	}

	private async onPulse(pulse: Pulse): Promise<void> {
		const before = this.watch.phase;
		this.watch = observe(this.watch, pulse, this.policy.hearing);
		if (before === "booting" && this.watch.phase === "ready") await this.onReady();
		this.tellSilentServices();
		await this.act(judgeWatch(this.watch, this.policy.patience), undefined);
	}

	private async act(verdict: Verdict, sign: Sign | undefined): Promise<void> {
		const at = sign?.at ?? this.env.clock.now();
		switch (verdict.kind) {
			case "fine":
				return;
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
		const recoveries = this.record.recoveries.map((attempt, i, all) =>
			i === all.length - 1 ? { ...attempt, ready: true } : attempt,
		);
		this.record = { ...this.record, recoveries, session: { ...session, readyAt: session.readyAt ?? at } };
		await this.become("running", "");
		this.say("session", `Session ${session.number} is ready`);
		if (!this.incident) return;
		const closed = recovered(this.incident, at, session.number);
		await this.env.journal.saveIncident(closed);
		this.incident = undefined;
		this.record = { ...this.record, openIncident: null };
		await this.env.journal.saveRecord(this.record);
		this.say("incident", `Incident ${closed.id} is over after ${closed.outageMs} ms`);
		this.later(feltAfterMs, { kind: "felt", incident: closed.id, until: at });
	}

	private tellSilentServices(): void {
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
		await this.machine
			?.resume()
			.catch((error) => this.say("session", `The guest could not go on: ${explain(error)}`));
	}

	private async onGuestShutdown(text: string): Promise<void> {
		if (this.record.state === "stopping") return await this.closeAndStop("");
		this.say("session", text);
		// The guest's own wish counts: a server that shut itself down is not started against it.
		if (!this.record.maintenance) this.record = { ...this.record, wanted: "stopped" };
		await this.closeAndStop("the guest shut itself down");
	}

	private async onFailure(
		verdict: Extract<Verdict, { kind: "failed" }>,
		at: number,
		sign: Sign | undefined,
	): Promise<void> {
		if (this.record.state === "stopping") return await this.closeAndStop("");
		if (this.record.state === "failed") return await this.closeAndStop("");
		if (this.record.maintenance) return await this.suspend(verdict, sign);
		await this.openIncident(verdict, at, sign?.kind === "panicked" ? sign.details : {});
		await this.become("recovering", verdict.summary);
		await this.env.door
			.cut()
			.catch((error) => this.say("front-door", `Connections could not be cut: ${explain(error)}`));
		this.note("connections to the failed session cut");
		if (this.machine && !(await this.closeFailed(this.machine))) return;
		await this.recover();
	}

	/** In maintenance a failure is told once; only a process that has gone is put away. */
	private async suspend(
		verdict: Extract<Verdict, { kind: "failed" }>,
		sign: Sign | undefined,
	): Promise<void> {
		if (this.suspended !== verdict.cause)
			this.say("maintenance", `${verdict.summary}; nothing is done, because of the maintenance`);
		this.suspended = verdict.cause;
		if (sign?.kind === "process-ended" || verdict.cause === "process-ended")
			await this.closeAndStop(`${verdict.summary}, during maintenance`);
	}

	// ---- incidents and recovery

	private async openIncident(
		verdict: Extract<Verdict, { kind: "failed" }>,
		at: number,
		details: Record<string, string>,
	): Promise<void> {
		const session = this.record.session?.number ?? this.record.nextSession - 1;
		const earlier = this.incident;
		const drill = this.drill?.session === session ? { fault: this.drill.fault, at: this.drill.at } : null;
		const { server } = this.policy;
		this.incident = {
			...openIncident({ server, session, cause: verdict.cause, summary: verdict.summary, at, drill }),
			details,
		};
		this.say("incident", `Incident ${this.incident.id}: ${verdict.summary}`);
		this.record = { ...this.record, openIncident: this.incident.id, incidents: this.record.incidents + 1 };
		if (earlier)
			await this.env.journal.saveIncident({
				...noted(earlier, at, `session ${session} failed too`),
				outcome: "failed-again",
				nextSession: session,
			});
		await this.env.journal.saveIncident(this.incident);
	}

	/** Takes the evidence and ends the failed session. @returns false when its process does not die */
	private async closeFailed(machine: Machine): Promise<boolean> {
		const { number } = machine.session;
		this.stopLook(number);
		if (this.incident) {
			const { files, details } = await machine.collectEvidence(this.incident.id);
			this.incident = {
				...this.incident,
				evidence: files,
				details: { ...this.incident.details, ...details },
			};
			this.note("evidence taken");
		}
		const ended = await this.end(machine, this.incident?.cause === "panic");
		this.note(ended ? `session ${number} closed` : `session ${number} does not end`);
		return ended;
	}

	private async end(machine: Machine, politely: boolean): Promise<boolean> {
		this.stopLook(machine.session.number);
		if ((await machine.close(politely)) === "stuck") {
			const reason = `process ${machine.session.pid} of session ${machine.session.number} does not end (it waits in the kernel, mostly for a disk); its disks stay with it until it does: look at the host's disks, then start the server`;
			if (this.incident) await this.giveUp(reason);
			else await this.become("failed", reason);
			return false;
		}
		this.machine = undefined;
		await this.env.machines.cleanUp(machine.session.number);
		this.record = { ...this.record, session: null };
		return true;
	}

	private async recover(): Promise<void> {
		const now = this.env.clock.now();
		const step = nextStep(this.record.recoveries, now, this.policy.budget);
		if (step.kind === "give-up") return await this.giveUp(step.reason);
		const kept = this.record.recoveries.slice(-100);
		// A drill is no sign of trouble: it does not use up what is there for real failures.
		const counts = this.incident?.drill === null;
		this.record = { ...this.record, recoveries: counts ? [...kept, { at: now, ready: false }] : kept };
		if (step.afterMs === 0) return await this.launch();
		this.note(`attempt ${step.attempt} begins in ${step.afterMs} ms`);
		await this.become("recovering", `attempt ${step.attempt} begins in ${step.afterMs} ms`);
		this.due("relaunch", step.afterMs);
	}

	private async giveUp(reason: string): Promise<void> {
		if (this.incident) {
			this.note(`given up: ${reason}`);
			await this.env.journal.saveIncident({ ...this.incident, outcome: "gave-up" });
			this.incident = undefined;
		}
		this.record = { ...this.record, openIncident: null };
		await this.become("failed", reason);
	}

	private async writeFelt(id: string, until: number): Promise<void> {
		const incident = await this.env.journal.loadIncident(id);
		if (!incident) return;
		const from = incident.drill?.at ?? incident.at;
		const felt = await this.env.door.felt(from, until).catch((error) => {
			this.say("front-door", `What users felt could not be read: ${explain(error)}`);
			return null;
		});
		await this.env.journal.saveIncident({ ...incident, felt });
	}

	// ---- ending a session

	private async closeAndStop(reason: string): Promise<void> {
		if (this.machine && !(await this.end(this.machine, true))) return;
		await this.stopped(reason);
	}

	private async stopped(reason: string): Promise<void> {
		this.token++;
		if (this.incident) await this.env.journal.saveIncident({ ...this.incident, outcome: "stopped" });
		this.incident = undefined;
		this.record = { ...this.record, session: null, openIncident: null };
		if (!this.startAgain) return await this.become("stopped", reason);
		this.startAgain = false;
		await this.launch();
	}

	// ---- after a restart of the daemon

	private async resumeAfterRestart(): Promise<void> {
		const { openIncident: open, session, state, planned } = this.record;
		this.incident = open === null ? undefined : await this.env.journal.loadIncident(open);
		if (planned !== null) await this.env.machines.cleanUp(planned);
		this.record = { ...this.record, planned: null };
		if (session) return await this.resumeSession(session);
		if (state === "stopping") return await this.stopped("");
		if (state === "starting" || state === "recovering") return await this.launch();
	}

	private async resumeSession(session: SessionRecord): Promise<void> {
		const { number } = session;
		const machine = await this.env.machines.adopt(session, (sign) =>
			this.inbox.put({ kind: "sign", session: number, sign }),
		);
		if (machine) return await this.resumeLiving(machine, session);
		const incident = `${this.policy.server}-${number}`;
		const { state } = this.record;
		const remains =
			state === "starting" || state === "running"
				? await this.env.machines.keepRemains(number, incident)
				: [];
		await this.env.machines.cleanUp(number);
		if (state === "stopping") return await this.stopped("");
		if (state === "recovering") return await this.recoverWithout(session);
		await this.sessionGone(session, remains);
	}

	private async resumeLiving(machine: Machine, session: SessionRecord): Promise<void> {
		await this.attach(machine, session);
		this.say("daemon", `Session ${session.number} was taken over`);
		if (this.record.state === "stopping") return await this.stop(60_000, false);
		// Between the incident and the end of its session the daemon was ended: go on from there.
		if (this.record.state === "recovering" && (await this.closeFailed(machine))) await this.recover();
	}

	private async recoverWithout(session: SessionRecord): Promise<void> {
		this.record = { ...this.record, session: null };
		this.note(`session ${session.number} closed`);
		await this.recover();
	}

	private async sessionGone(session: SessionRecord, remains: string[]): Promise<void> {
		const at = this.env.clock.now();
		if (session.bootId !== "" && !(await this.env.machines.sameBoot(session.bootId))) {
			this.say("session", `The host was restarted; session ${session.number} ended with it`);
			this.record = { ...this.record, session: null };
			return await this.launch();
		}
		const summary = "QEMU ended without being asked, while no daemon was watching";
		const verdict = { kind: "failed", cause: "process-ended", summary } as const;
		if (this.record.maintenance) return await this.stopped(`${summary}, during maintenance`);
		await this.openIncident(verdict, at, {});
		if (this.incident) this.incident = { ...this.incident, evidence: remains };
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

	private note(what: string): void {
		if (this.incident) this.incident = noted(this.incident, this.env.clock.now(), what);
	}

	private say(kind: Parameters<Env["journal"]["event"]>[0]["kind"], text: string): void {
		this.env.journal.event({
			at: this.env.clock.now(),
			session: this.record.session?.number ?? null,
			kind,
			text,
		});
	}

	private stopLook(number: number): void {
		this.stopLooking.get(number)?.abort();
		this.stopLooking.delete(number);
	}

	private due(what: "relaunch" | "force", afterMs: number): void {
		this.later(afterMs, { kind: "due", what, token: ++this.token });
	}

	private later(afterMs: number, input: Input): void {
		const wait = async () => {
			await this.env.clock.sleep(afterMs, this.gone.signal);
			this.inbox.put(input);
		};
		// The sleep is cut short only when this server is let go of.
		wait().catch(() => {});
	}
}
