import { BulkheadError, explain } from "../api/errors.ts";
import { formatDuration } from "../api/units.ts";
import type { Verdict } from "./detection.ts";
import type { Env, Machine, Standby } from "./env.ts";
import type { Sign } from "./evidence.ts";
import { Holder, type Reports } from "./holder.ts";
import { IncidentBook } from "./incident-book.ts";
import type { Keeper } from "./keeper.ts";
import type { Ledger } from "./ledger.ts";
import { type Budget, isSuspect, nextStep, type Step, type Way, youngDeaths } from "./recovery.ts";
import type { Reserve } from "./reserve.ts";
import type { SessionRecord } from "./state.ts";
import { beginWatch, type Watch } from "./watch.ts";

const stopAfterRestartMs = 60_000;
const parkedRestsMs = 700;
const stopForChangesMs = 120_000;
/** How often a session is tried whose number cannot be written. */
const roomEveryMs = 10_000;
/** What fails later than this after a drill was not made by it. */
const drillLastsMs = 120_000;

export type Failure = Extract<Verdict, { kind: "failed" }>;

/** A failed session whose disks have gone to the next one: what was learned from it, and whether its process has ended. */
export interface ParkedEnd {
	number: number;
	incident: string;
	evidence: { files: string[]; details: Record<string, string> } | { failed: string };
	ended: boolean;
}

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
	/** The session that waits, with the server's address, until somebody wants the server that is asleep. */
	private sleeper: Standby | undefined;
	private readonly ledger: Ledger;
	private readonly env: Env;
	private readonly timers: Timers;
	private readonly reserve: Reserve;
	private readonly onParkedEnd: (end: ParkedEnd) => void;
	private readonly onSign: Reports["onSign"];
	private readonly budget: () => Budget;
	/** A person waits for this start, and decides what to do when it fails. */
	private byHand = false;

	constructor(
		ledger: Ledger,
		env: Env,
		keeper: Keeper,
		timers: Timers,
		budget: () => Budget,
		reserve: Reserve,
		reports: Omit<Reports, "phase"> & { onParkedEnd(end: ParkedEnd): void },
	) {
		this.ledger = ledger;
		this.env = env;
		this.timers = timers;
		this.budget = budget;
		this.reserve = reserve;
		this.onParkedEnd = reports.onParkedEnd;
		this.onSign = reports.onSign;
		this.book = new IncidentBook(env, keeper);
		this.holder = new Holder(env, { ...reports, phase: () => this.watch.phase });
	}

	async start(): Promise<void> {
		// A process that did not end when its session failed may have ended since.
		if (!(await this.clear())) throw new BulkheadError("not-allowed-now", this.ledger.record.reason);
		this.ledger.set({ wanted: "running", recoveries: [] });
		this.byHand = true;
		await this.begin();
	}

	/** Starts a session that no failure made necessary: from the seal, or else by booting. */
	private async begin(): Promise<void> {
		// Changes are made in sessions that boot: a seal knows nothing of them.
		const { changing } = this.ledger.record;
		if (!changing && (await this.reserve.prepareNow()) && (await this.launchWarm())) return;
		await this.launch();
	}

	// ---- a planned new session

	/**
	 * Puts a new session in the place of the one that runs, which is well. Nothing is with that one any more: the front
	 * door has seen to it.
	 * @throws Error in words; then the server is recovered as after a failure, or runs on
	 */
	async renew(): Promise<void> {
		const standby = this.reserve.take() ?? (await this.reserve.loadBeside());
		await this.holder.machine?.settle();
		if (await this.takeOver(standby)) return;
		const summary = `Session ${standby.session.number} could not take over in a planned change of sessions`;
		await this.beginStartFailure(summary);
		if (await this.closeFailed()) await this.recover(true);
		throw new Error(`${summary}; the server is recovered as after a failure`);
	}

	// ---- sleep

	/** Ends the session, and lets the next one wait with the server's address. Nothing is with the session any more. */
	async fallAsleep(reason: string): Promise<void> {
		const standby = this.reserve.take();
		const { machine } = this.holder;
		if (!standby || !machine) return;
		try {
			await standby.takeAddress();
		} catch (error) {
			await standby.close();
			throw error;
		}
		await machine.settle();
		if (!(await this.clear(true))) {
			await standby.close();
			return;
		}
		// Checks that go on look like somebody who comes: it would be woken, and no worse.
		await this.env.door.rest().catch((error) => this.tellDoorTrouble(error));
		this.sleeper = standby;
		await this.ledger.become("asleep", reason);
	}

	/** @throws Error in words, when the server is started in another way instead */
	async wake(): Promise<void> {
		const standby = this.sleeper;
		this.sleeper = undefined;
		if (standby && (await this.takeOver(standby))) return;
		await this.begin();
	}

	/** What waits to be woken is ended, too. */
	private async endSleeper(): Promise<void> {
		const standby = this.sleeper;
		this.sleeper = undefined;
		if (standby && !(await standby.close())) this.ledger.say("session", stuckWords(standby.session.number));
	}

	// ---- changing a disposable system disk

	async beginChanges(): Promise<void> {
		await this.env.machines.beginChanges();
		this.ledger.set({ changing: true, maintenance: true });
		await this.reserve.disband();
		if (this.ledger.record.state === "running") return await this.stop(stopForChangesMs, true);
		await this.start();
	}

	/** @param keep whether they become part of the system disk, which no session uses now */
	async endChanges(keep: boolean): Promise<void> {
		if (!(await this.clear())) throw new BulkheadError("not-allowed-now", this.ledger.record.reason);
		await this.env.machines.endChanges(keep);
		this.ledger.set({ changing: false, maintenance: false });
		await this.ledger.save();
		if (keep) await this.reserve.drop("the system disk was changed");
	}

	async stop(deadlineMs: number, startAgain: boolean, byHand = true): Promise<void> {
		await this.endSleeper();
		this.byHand = byHand && startAgain;
		this.ledger.set({ wanted: startAgain ? "running" : "stopped" });
		await this.ledger.become("stopping", startAgain ? "restarting" : "");
		if (!this.holder.machine) {
			// No machine is held, and yet a process may live: one that does not end, or whose monitor is mute.
			if (await this.closeAndStop("")) return;
			throw new BulkheadError("not-allowed-now", this.ledger.record.reason);
		}
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
		const { byHand } = this;
		this.byHand = false;
		this.timers.cancel();
		const number = await this.plan(byHand);
		if (number === undefined) return;
		this.book.note(`session ${number} starts`);
		try {
			// A server without its front door is still there for its neighbours, and for its administrator.
			await this.env.door.expect().catch((error) => this.tellDoorTrouble(error));
			const machine = await this.holder.start(number, this.ledger.record.changing);
			await this.attach({ ...machine.session, readyAt: null });
			this.ledger.say("session", `Session ${number} runs as process ${machine.session.pid}`);
		} catch (error) {
			if (await this.clear()) await this.couldNotStart(number, error, byHand);
		}
	}

	/** Takes the session's number. @returns undefined when it cannot be written: then it is tried again later */
	private async plan(byHand: boolean): Promise<number | undefined> {
		try {
			return await this.ledger.plan(this.book.open ? `recovering from ${this.book.open.id}` : "");
		} catch (error) {
			const { state } = this.ledger.record;
			if (byHand && (state === "stopped" || state === "failed"))
				throw new Error(`the new session's number cannot be written: ${explain(error)}`, { cause: error });
			await this.waitForRoom(error);
			return undefined;
		}
	}

	/** That the host cannot write is no failure of the session: it costs none of the budget. */
	private async waitForRoom(error: unknown): Promise<void> {
		const { state, reason } = this.ledger.record;
		const words = `the next session waits until its number can be written: ${explain(error)}`;
		if (state !== "recovering" || reason !== words) {
			this.book.note(words);
			await this.ledger.become("recovering", words);
		}
		this.timers.due("relaunch", roomEveryMs);
	}

	private async attach(session: SessionRecord): Promise<void> {
		// A guest that restarts itself boots again, in a session that was ready before.
		const booting = session.readyAt === null || this.ledger.record.state === "starting";
		const phase = booting ? "booting" : "ready";
		this.watch = { ...beginWatch(this.env.clock.now()), phase };
		this.ledger.set({ session, planned: null });
		// First of all it is watched; the next daemon finds it by its planned number, too.
		this.holder.watch();
		await this.ledger.save();
	}

	// ---- beginning a session from the seal

	/** @returns false when that does not work; then nothing of it is left. True also when it waits for room on the host's disk */
	private async launchWarm(): Promise<boolean> {
		const { byHand } = this;
		const standby = await this.loaded();
		if (standby === "waits") return true;
		if (!standby) return false;
		if (await this.takeOver(standby, undefined, this.book.open !== undefined)) return true;
		this.byHand = byHand;
		return false;
	}

	/** A session that can take over: one that stands by, or one that is loaded now; `waits` when its number cannot be written. */
	private async loaded(): Promise<Standby | "waits" | undefined> {
		const ready = this.reserve.take();
		if (ready || !(await this.reserve.prepareNow())) return ready;
		const { byHand } = this;
		this.timers.cancel();
		const number = await this.plan(byHand);
		if (number === undefined) return "waits";
		this.book.note(`session ${number} is loaded from the seal`);
		try {
			return await this.reserve.loadNow(number);
		} catch (error) {
			this.tellWarmFailure(number, error);
			this.ledger.set({ planned: null });
			return undefined;
		}
	}

	/**
	 * Lets a standby take the server's disks and address, and run. The order is that of DESIGN's failover: whatever does
	 * not depend on another is done at the same time, because users wait.
	 * @param noted that it takes over is on disk: it gets no disks and no packets before
	 * @param failed whether users' requests are with a session that has failed
	 * @returns false when it does not get going; then it is closed
	 */
	private async takeOver(
		standby: Standby,
		noted: Promise<void> = this.noteTakeOver(standby, () => this.ledger.save()),
		failed = false,
	): Promise<boolean> {
		const { number } = standby.session;
		this.holder.stopLooking();
		const handing = this.handOver(standby, failed);
		try {
			await Promise.all([handing, noted, standby.wake()]);
			const [machine] = await Promise.all([
				standby.run((sign) => this.onSign(number, sign)),
				this.env.door.expect().catch((error) => this.tellDoorTrouble(error)),
			]);
			await this.becomeSession(machine);
			return true;
		} catch (error) {
			// Whatever is still under way must be over before anything else begins.
			const held = await handing.then(
				() => undefined,
				(cause: unknown) => cause,
			);
			const why = held instanceof StuckError ? held : error;
			this.tellWarmFailure(number, why);
			const closed = await standby.close().catch(() => false);
			if (closed) this.ledger.set({ planned: null });
			if (!(why instanceof StuckError)) return false;
			await this.giveUp(why.message);
			return true;
		}
	}

	/** Takes disks and address from the session that is held, and the users' connections with them when it has failed. */
	private async handOver(standby: Standby, failed: boolean): Promise<void> {
		const old = this.holder.machine;
		const [gone] = await Promise.all([
			old?.letGo() ?? "ended",
			standby.takeAddress(),
			failed ? this.dropHopeless() : undefined,
		]);
		if (gone === "stuck") throw new StuckError(old?.session.number ?? 0);
		if (old) this.book.note(`session ${old.session.number} has let go of its disks and its address`);
		if (failed) await this.cut();
	}

	/** For the next daemon: one session may have the disks, or the other. */
	private async noteTakeOver({ session: { number } }: Standby, write: () => Promise<void>): Promise<void> {
		const standbys = this.ledger.record.standbys.filter((other) => other !== number);
		this.ledger.set({ planned: number, standbys });
		await write();
	}

	/** It runs: from here on it is the server's session, and the one before waits for its evidence to be read. */
	private async becomeSession(machine: Machine): Promise<void> {
		const { number } = machine.session;
		const old = this.holder.exchange(machine);
		this.book.note(`session ${number} runs, from the seal`);
		if (old) this.ledger.set({ parked: [...this.ledger.record.parked, old.session.number] });
		this.byHand = false;
		const { state } = this.ledger.record;
		if (state !== "starting")
			await this.ledger.become("starting", this.book.open ? `recovering from ${this.book.open.id}` : "");
		await this.attach({ ...machine.session, startedAt: this.env.clock.now(), readyAt: null });
		this.ledger.say("session", `Session ${number} runs as process ${machine.session.pid}, from the seal`);
		if (old) void this.endParked(old, this.book.open?.id ?? "");
	}

	/** What takes its time is done in the background; the supervisor takes in what came of it. */
	private async endParked(machine: Machine, incident: string): Promise<void> {
		const { number } = machine.session;
		// The new session has the processors to itself first: those who waited are with it.
		if (incident) await this.env.clock.sleep(parkedRestsMs);
		const evidence = incident
			? await machine.collectEvidence(incident).catch((error: unknown) => ({ failed: explain(error) }))
			: { files: [], details: {} };
		const closed = (await machine.close(true)) === "ended";
		const ended = closed && (await this.env.machines.cleanUp(number));
		this.onParkedEnd({ number, incident, evidence, ended });
	}

	/** Takes in what became of a parked session. */
	async parkedEnded({ number, incident, evidence, ended }: ParkedEnd): Promise<void> {
		if (ended) {
			this.ledger.set({ parked: this.ledger.record.parked.filter((other) => other !== number) });
			await this.ledger.save();
		} else this.ledger.say("session", stuckWords(number));
		if (!incident) return;
		if ("failed" in evidence) this.ledger.say("session", `Evidence could not be kept: ${evidence.failed}`);
		const found = "failed" in evidence ? { files: [], details: {} } : evidence;
		const closed = ended ? `session ${number} closed` : `session ${number} does not end`;
		await this.book.amend(incident, found, closed);
	}

	private tellWarmFailure(number: number, error: unknown): void {
		const words = `session ${number} could not be started from the seal: ${explain(error)}`;
		this.book.note(words);
		this.ledger.say("session", words);
	}

	private tellDoorTrouble(error: unknown): void {
		this.ledger.say("front-door", `It could not be made ready: ${explain(error)}`);
	}

	private async couldNotStart(number: number, error: unknown, byHand: boolean): Promise<void> {
		const summary = `Session ${number} could not be started: ${explain(error)}`;
		this.ledger.say("session", summary);
		if (this.book.open) this.book.note(summary);
		else if (byHand) return await this.ledger.become("failed", summary);
		else await this.beginStartFailure(summary);
		await this.recover(true);
	}

	/** Nobody waits for this start who could try it again: that is done by the rules of recovery. */
	private async beginStartFailure(summary: string): Promise<void> {
		await this.beginIncident({ kind: "failed", cause: "start-failed", summary }, this.env.clock.now(), {});
		await this.ledger.become("recovering", summary);
	}

	// ---- recovery

	/** Opens an incident, ends the failed session, and goes on as the budget allows. */
	async fail(failure: Failure, at: number, sign: Sign | undefined): Promise<void> {
		const details = sign?.kind === "panicked" ? sign.details : {};
		const told = this.beginIncident(failure, at, details);
		this.countYoungDeath(at);
		const standby = this.nextStep().kind === "warm" ? this.reserve.take() : undefined;
		if (standby) return await this.failOver(standby, failure, told);
		await told;
		await this.ledger.become("recovering", failure.summary);
		await this.dropHopeless();
		await this.cut();
		if (await this.closeFailed()) await this.recover();
	}

	/** The next session is there already. That the failure is written down is waited for together with the rest. */
	private async failOver(standby: Standby, failure: Failure, told: Promise<void>): Promise<void> {
		this.book.note(`session ${standby.session.number} takes over`);
		const { open } = this.book;
		this.count("warm", open?.drill === null);
		const noted = this.noteTakeOver(standby, () => this.ledger.become("recovering", failure.summary));
		const over = await this.takeOver(standby, noted, true);
		await told;
		if (over) return;
		if (await this.closeFailed()) await this.recover(true);
	}

	private countYoungDeath(at: number): void {
		const { session, youngDeaths: before } = this.ledger.record;
		if (session?.from !== "seal" || this.book.open?.drill) return;
		const deaths = youngDeaths(before, at - session.startedAt);
		this.ledger.set({ youngDeaths: isSuspect(deaths) ? 0 : deaths });
		if (isSuspect(deaths)) this.reserve.distrust("its sessions died young, one after the other");
	}

	private nextStep(): Step {
		const { recoveries } = this.ledger.record;
		return nextStep(recoveries, this.env.clock.now(), this.budget(), this.reserve.sealed);
	}

	/** @param counts against the budget: a drill is no sign of trouble, but what fails after it is */
	private count(way: Way, counts: boolean): void {
		const kept = this.ledger.record.recoveries.slice(-100);
		const attempt = { at: this.env.clock.now(), ready: false, way };
		this.ledger.set({ recoveries: counts ? [...kept, attempt] : kept });
	}

	/** A session fails that had lived on although its server was given up: that incident is over. */
	async failAgain(failure: Failure): Promise<void> {
		this.ledger.say("session", failure.summary);
		await this.ledger.become("recovering", failure.summary);
		await this.dropHopeless();
		await this.cut();
		if (await this.closeFailed()) await this.recover(true);
	}

	private async dropHopeless(): Promise<void> {
		await this.env.door.dropHopeless().catch((error) => this.tellDoorTrouble(error));
	}

	private async cut(): Promise<void> {
		await this.env.door
			.cut()
			.catch((error) => this.ledger.say("front-door", `Connections could not be cut: ${explain(error)}`));
		this.book.note("connections to the failed session cut");
	}

	private async beginIncident(failure: Failure, at: number, details: Record<string, string>): Promise<void> {
		const session = this.ledger.record.session?.number ?? this.ledger.record.nextSession - 1;
		const { server } = this.ledger;
		const { cause, summary, forMs = 0 } = failure;
		const made = this.drillOf(session, at - forMs);
		const drill = made && { fault: made.fault, at: made.at };
		const began = Math.max(at - forMs, made?.at ?? 0);
		const beginning = { server, session, cause, summary, at: began, noticedAt: at, drill };
		const kept = this.book.begin(beginning, details);
		// It is open from here on, also while it is being written.
		const openIncident = this.book.open?.id ?? null;
		this.ledger.set({ openIncident, incidents: this.ledger.record.incidents + 1 });
		await kept;
	}

	private drillOf(session: number, at: number) {
		const { drill } = this.ledger.record;
		return drill?.session === session && at - drill.at <= drillLastsMs ? drill : null;
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
		const { session, planned, parked } = this.ledger.record;
		const closed = await this.holder.end(politely);
		for (const number of [session?.number, planned, ...parked]) {
			if (typeof number !== "number") continue;
			if (closed && (await this.env.machines.cleanUp(number))) continue;
			await this.giveUp(stuckWords(number));
			return false;
		}
		this.ledger.set({ session: null, planned: null, parked: [] });
		return true;
	}

	private async recover(counts = this.book.open?.drill === null): Promise<void> {
		this.byHand = false;
		const step = this.nextStep();
		if (step.kind === "give-up") return await this.giveUp(step.reason);
		this.count(step.kind, counts);
		if (step.kind === "warm") {
			if (!(await this.launchWarm())) await this.recover(true);
			return;
		}
		if (step.afterMs === 0) return await this.launch();
		const words = `attempt ${step.attempt} begins in ${formatDuration(step.afterMs)}`;
		this.book.note(words);
		await this.ledger.become("recovering", words);
		this.timers.due("relaunch", step.afterMs);
	}

	async giveUp(reason: string): Promise<void> {
		this.timers.cancel();
		this.book.note(`given up: ${reason}`);
		await this.book.end("gave-up");
		this.ledger.set({ openIncident: null });
		await this.ledger.become("failed", reason);
		await this.reserve.disband();
	}

	// ---- ending a session

	/** @returns false when its process does not end: then the server has failed */
	async closeAndStop(reason: string): Promise<boolean> {
		const cleared = await this.clear(true);
		if (cleared) await this.stopped(reason);
		return cleared;
	}

	private async stopped(reason: string): Promise<void> {
		const { state, wanted } = this.ledger.record;
		this.timers.cancel();
		await this.book.end("stopped");
		this.ledger.set({ session: null, openIncident: null });
		// What is stopping and wanted is being restarted, whichever daemon began it.
		if (state === "stopping" && wanted === "running") return await this.begin();
		await this.reserve.disband();
		await this.ledger.become("stopped", reason);
	}

	// ---- after a restart of the daemon

	async resumeAfterRestart(): Promise<void> {
		const { openIncident, session, state } = this.ledger.record;
		await this.clearReserve();
		if (!(await this.clearTakeOver())) return;
		await this.book.resume(openIncident);
		await this.closeRecovered();
		if (session) return await this.resumeSession(session);
		if (!(await this.clear())) return;
		if (state === "stopping") return await this.stopped("");
		// What waited to be woken has been ended above; nobody would be noticed who came.
		if (state === "starting" || state === "recovering" || state === "asleep") return await this.begin();
	}

	/** What stood by for the daemon before, or waited for it to read its evidence, holds no disks: it is ended. */
	private async clearReserve(): Promise<void> {
		const { standbys, parked } = this.ledger.record;
		for (const number of [...standbys, ...parked]) {
			if (parked.includes(number)) await this.keepRemainsOfParked(number);
			if (!(await this.env.machines.cleanUp(number))) continue;
			const without = (numbers: number[]) => numbers.filter((other) => other !== number);
			const { record } = this.ledger;
			this.ledger.set({ standbys: without(record.standbys), parked: without(record.parked) });
		}
	}

	private async keepRemainsOfParked(number: number): Promise<void> {
		const incident = `${this.ledger.server}-${number}`;
		const files = await this.env.machines.keepRemains(number, incident).catch(() => []);
		await this.book.amend(incident, { files, details: {} }, "the daemon ended before its evidence was read");
	}

	/**
	 * The daemon before let one session take over from another, and did not live to write down whether it did: the new
	 * one may have the disks.
	 * @returns false when it does not end
	 */
	private async clearTakeOver(): Promise<boolean> {
		const { session, planned } = this.ledger.record;
		if (session === null || planned === null) return true;
		if (!(await this.env.machines.cleanUp(planned))) {
			await this.giveUp(stuckWords(planned));
			return false;
		}
		this.ledger.set({ planned: null });
		return true;
	}

	/** The daemon before had an incident open whose server was ready again already, or had closed it. */
	private async closeRecovered(): Promise<void> {
		const { openIncident, session } = this.ledger.record;
		const failed = this.book.open?.session;
		if (session?.readyAt && failed !== undefined && failed !== session.number) {
			const closed = await this.book.recovered(session.readyAt, session.number);
			if (closed) this.ledger.say("incident", `Incident ${closed.id} is over after ${closed.outageMs} ms`);
		}
		if (openIncident === null || this.book.open) return;
		this.ledger.set({ openIncident: null });
		await this.ledger.save();
	}

	/** In maintenance a session was left alone that could not be taken over: it is tried again. */
	async resumeUnreachable(): Promise<void> {
		const { session, state } = this.ledger.record;
		if (session && !this.holder.machine && (state === "starting" || state === "running"))
			await this.resumeSession(session);
	}

	private async resumeSession(session: SessionRecord): Promise<void> {
		const adopted = await this.holder.adopt(session);
		if (typeof adopted !== "string") return await this.resumeLiving(session);
		const { state } = this.ledger.record;
		if (adopted === "unreachable" && (state === "starting" || state === "running"))
			return await this.sessionUnreachable(session);
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
			return await this.stop(stopAfterRestartMs, this.ledger.record.wanted === "running", false);
		// Between the incident and the end of its session the daemon was ended: go on from there.
		if (this.ledger.record.state === "recovering" && (await this.closeFailed())) await this.recover();
	}

	private async sessionUnreachable(session: SessionRecord): Promise<void> {
		const summary = `QEMU lives as process ${session.pid}, but its monitor does not answer the new daemon`;
		if (this.ledger.record.maintenance)
			return this.ledger.say("maintenance", `${summary}; nothing is done, because of the maintenance`);
		await this.beginIncident({ kind: "failed", cause: "qmp-lost", summary }, this.env.clock.now(), {});
		await this.ledger.become("recovering", summary);
		await this.dropHopeless();
		await this.cut();
		this.book.addEvidence(await this.remainsOf(session));
		if (!(await this.clear())) return;
		this.book.note(`session ${session.number} closed`);
		await this.recover();
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

class StuckError extends Error {
	override readonly name = "StuckError";
	constructor(session: number) {
		super(stuckWords(session));
	}
}

function stuckWords(session: number): string {
	const where = "it waits in the kernel, mostly for a disk; its disks stay with it until it does";
	return `a process of session ${session} does not end (${where}): look at the host's disks, then start the server`;
}
