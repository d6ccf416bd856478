import { BulkheadError, explain } from "../api/errors.ts";
import { formatDuration } from "../api/units.ts";
import type { Verdict } from "./detection.ts";
import type { Env, Machine } from "./env.ts";
import type { Sign } from "./evidence.ts";
import { Holder, type Reports } from "./holder.ts";
import { IncidentBook } from "./incident-book.ts";
import type { Ledger } from "./ledger.ts";
import { type Budget, nextStep } from "./recovery.ts";
import type { SessionRecord } from "./state.ts";
import { beginWatch, type Watch } from "./watch.ts";

const stopAfterRestartMs = 60_000;

export type Failure = Extract<Verdict, { kind: "failed" }>;

export interface Timers {
	/** Comes back as `due` after a while, unless a later call of `due` or `cancel` comes first. */
	due(what: "relaunch" | "force", afterMs: number): void;
	cancel(): void;
}

/**
 * Begins and ends the sessions of one server, and recovers it from their failures. Its methods are called one at a time,
 * by the supervisor; none of them waits without a deadline.
 */
export class Lifecycle {
	readonly book: IncidentBook;
	readonly holder: Holder;
	/** What has been seen of the session; begun anew with each. */
	watch: Watch = beginWatch(0);
	pressedAt = 0;
	private readonly ledger: Ledger;
	private readonly env: Env;
	private readonly timers: Timers;
	private readonly budget: () => Budget;
	private startAgain = false;

	constructor(
		ledger: Ledger,
		env: Env,
		timers: Timers,
		budget: () => Budget,
		reports: Omit<Reports, "phase">,
	) {
		this.ledger = ledger;
		this.env = env;
		this.timers = timers;
		this.budget = budget;
		this.book = new IncidentBook(env);
		this.holder = new Holder(env, { ...reports, phase: () => this.watch.phase });
	}

	async start(): Promise<void> {
		// A process that did not end when its session failed may have ended since.
		if (!(await this.clear())) throw new BulkheadError("not-allowed-now", this.ledger.record.reason);
		this.ledger.set({ wanted: "running", recoveries: [] });
		await this.launch();
	}

	async stop(deadlineMs: number, startAgain: boolean): Promise<void> {
		this.startAgain = startAgain;
		this.ledger.set({ wanted: startAgain ? "running" : "stopped" });
		await this.ledger.become("stopping", startAgain ? "restarting" : "");
		if (!this.holder.machine) return await this.stopped("");
		await this.pressPowerButton();
		this.timers.due("force", deadlineMs);
	}

	async pressPowerButton(): Promise<void> {
		this.pressedAt = this.env.clock.now();
		await this.holder.machine
			?.pressPowerButton()
			.catch((error) => this.ledger.say("session", `The power button did not work: ${explain(error)}`));
	}

	// ---- beginning a session

	async launch(): Promise<void> {
		const number = this.ledger.record.nextSession;
		this.timers.cancel();
		this.ledger.set({ nextSession: number + 1, planned: number });
		await this.ledger.become("starting", this.book.open ? `recovering from ${this.book.open.id}` : "");
		this.book.note(`session ${number} starts`);
		try {
			// A server without its front door is still there for its neighbours, and for its administrator.
			await this.env.door
				.expect()
				.catch((error) => this.ledger.say("front-door", `It could not be made ready: ${explain(error)}`));
			const machine = await this.holder.start(number);
			await this.attach({ ...machine.session, readyAt: null });
			this.ledger.say("session", `Session ${number} runs as process ${machine.session.pid}`);
		} catch (error) {
			if (await this.clear()) await this.couldNotStart(number, error);
		}
	}

	private async attach(session: SessionRecord): Promise<void> {
		// A guest that restarts itself boots again, in a session that was ready before.
		const booting = session.readyAt === null || this.ledger.record.state === "starting";
		const phase = booting ? "booting" : "ready";
		this.watch = { ...beginWatch(this.env.clock.now()), phase };
		this.ledger.set({ session, planned: null });
		await this.ledger.save();
		this.holder.watch();
	}

	private async couldNotStart(number: number, error: unknown): Promise<void> {
		const summary = `Session ${number} could not be started: ${explain(error)}`;
		this.ledger.say("session", summary);
		if (!this.book.open) return await this.ledger.become("failed", summary);
		this.book.note(summary);
		await this.recover(true);
	}

	// ---- recovery

	/** Opens an incident, ends the failed session, and goes on as the budget allows. */
	async fail(failure: Failure, at: number, sign: Sign | undefined): Promise<void> {
		await this.beginIncident(failure, at, sign?.kind === "panicked" ? sign.details : {});
		await this.ledger.become("recovering", failure.summary);
		await this.env.door
			.cut()
			.catch((error) => this.ledger.say("front-door", `Connections could not be cut: ${explain(error)}`));
		this.book.note("connections to the failed session cut");
		if (await this.closeFailed()) await this.recover();
	}

	private async beginIncident(failure: Failure, at: number, details: Record<string, string>): Promise<void> {
		const session = this.ledger.record.session?.number ?? this.ledger.record.nextSession - 1;
		const made = this.ledger.record.drill?.session === session ? this.ledger.record.drill : null;
		const drill = made && { fault: made.fault, at: made.at };
		const { server } = this.ledger;
		const { cause, summary, forMs = 0 } = failure;
		const began = Math.max(at - forMs, made?.at ?? 0);
		const beginning = { server, session, cause, summary, at: began, noticedAt: at, drill };
		const { id } = await this.book.begin(beginning, details);
		this.ledger.set({ openIncident: id, incidents: this.ledger.record.incidents + 1 });
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
		const { session, planned } = this.ledger.record;
		const closed = await this.holder.end(politely);
		for (const number of [session?.number, planned]) {
			if (typeof number !== "number") continue;
			if (closed && (await this.env.machines.cleanUp(number))) continue;
			await this.giveUp(stuckWords(number));
			return false;
		}
		this.ledger.set({ session: null, planned: null });
		return true;
	}

	/** @param counts against the budget: a drill is no sign of trouble, but what fails after it is */
	private async recover(counts = this.book.open?.drill === null): Promise<void> {
		const now = this.env.clock.now();
		const step = nextStep(this.ledger.record.recoveries, now, this.budget());
		if (step.kind === "give-up") return await this.giveUp(step.reason);
		const kept = this.ledger.record.recoveries.slice(-100);
		this.ledger.set({ recoveries: counts ? [...kept, { at: now, ready: false }] : kept });
		if (step.afterMs === 0) return await this.launch();
		const words = `attempt ${step.attempt} begins in ${formatDuration(step.afterMs)}`;
		this.book.note(words);
		await this.ledger.become("recovering", words);
		this.timers.due("relaunch", step.afterMs);
	}

	private async giveUp(reason: string): Promise<void> {
		this.timers.cancel();
		this.book.note(`given up: ${reason}`);
		await this.book.end("gave-up");
		this.ledger.set({ openIncident: null });
		await this.ledger.become("failed", reason);
	}

	// ---- ending a session

	async closeAndStop(reason: string): Promise<void> {
		if (await this.clear(true)) await this.stopped(reason);
	}

	private async stopped(reason: string): Promise<void> {
		this.timers.cancel();
		await this.book.end("stopped");
		this.ledger.set({ session: null, openIncident: null });
		if (!this.startAgain) return await this.ledger.become("stopped", reason);
		this.startAgain = false;
		await this.launch();
	}

	// ---- after a restart of the daemon

	async resumeAfterRestart(): Promise<void> {
		const { openIncident, session, state } = this.ledger.record;
		await this.book.resume(openIncident);
		if (session) return await this.resumeSession(session);
		if (!(await this.clear())) return;
		if (state === "stopping") return await this.stopped("");
		if (state === "starting" || state === "recovering") return await this.launch();
	}

	private async resumeSession(session: SessionRecord): Promise<void> {
		if (await this.holder.adopt(session)) return await this.resumeLiving(session);
		const { state } = this.ledger.record;
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
		const { state } = this.ledger.record;
		const { machines } = this.env;
		if (!["starting", "running", "recovering"].includes(state) || !(await machines.sameBoot(bootId)))
			return [];
		return await machines.keepRemains(number, `${this.ledger.server}-${number}`).catch(() => []);
	}

	private async resumeLiving(session: SessionRecord): Promise<void> {
		await this.attach(session);
		this.ledger.say("daemon", `Session ${session.number} was taken over`);
		if (this.ledger.record.state === "stopping")
			return await this.stop(stopAfterRestartMs, this.ledger.record.wanted === "running");
		// Between the incident and the end of its session the daemon was ended: go on from there.
		if (this.ledger.record.state === "recovering" && (await this.closeFailed())) await this.recover();
	}

	private async sessionGone(session: SessionRecord, remains: string[]): Promise<void> {
		if (!(await this.env.machines.sameBoot(session.bootId))) {
			this.ledger.say("session", `The host was restarted; session ${session.number} ended with it`);
			return await this.launch();
		}
		const summary = "QEMU ended without being asked, while no daemon was watching";
		if (this.ledger.record.maintenance) return await this.stopped(`${summary}, during maintenance`);
		this.ledger.set({ session });
		await this.beginIncident({ kind: "failed", cause: "process-ended", summary }, this.env.clock.now(), {});
		this.book.addEvidence(remains);
		this.ledger.set({ session: null });
		await this.ledger.become("recovering", summary);
		await this.recover();
	}
}

function stuckWords(session: number): string {
	const where = "it waits in the kernel, mostly for a disk; its disks stay with it until it does";
	return `a process of session ${session} does not end (${where}): look at the host's disks, then start the server`;
}
