import { explain } from "../api/errors.ts";
import { attach } from "./attach.ts";
import type { Closing } from "./closing.ts";
import type { Machines } from "./env.ts";
import type { Holder } from "./holder.ts";
import type { IncidentBook } from "./incident-book.ts";
import type { Incidents } from "./incidents.ts";
import type { Ledger } from "./ledger.ts";
import type { Lifecycle } from "./lifecycle.ts";
import type { Recoverer } from "./recoverer.ts";
import type { SessionRecord } from "./state.ts";
import { stuckWords } from "./stuck.ts";

interface Parts {
	ledger: Ledger;
	machines: Machines;
	holder: Holder;
	book: IncidentBook;
	incidents: Incidents;
	closing: Closing;
	recoverer: Recoverer;
	life: Lifecycle;
}

/** Goes on where the daemon before was ended: takes over what lives, and brings to an end what had been begun. */
export class Resumption {
	private readonly ledger: Ledger;
	private readonly machines: Machines;
	private readonly holder: Holder;
	private readonly book: IncidentBook;
	private readonly incidents: Incidents;
	private readonly closing: Closing;
	private readonly recoverer: Recoverer;
	private readonly life: Lifecycle;

	constructor(parts: Parts) {
		this.ledger = parts.ledger;
		this.machines = parts.machines;
		this.holder = parts.holder;
		this.book = parts.book;
		this.incidents = parts.incidents;
		this.closing = parts.closing;
		this.recoverer = parts.recoverer;
		this.life = parts.life;
	}

	async resume(): Promise<void> {
		const { session, state } = this.ledger.record;
		await this.clearReserve();
		if (!(await this.clearTakeOver())) return;
		await this.incidents.resume();
		if (this.fellAsleep) return await this.wake(session);
		if (session) return await this.resumeSession(session);
		if (!(await this.closing.clear())) return;
		if (state === "stopping") return await this.life.stopped("");
		// A session in which its disk is to be changed has not begun yet: it waits for room.
		if (state === "recovering" && this.ledger.record.maintenance && !this.ledger.record.changing)
			return await this.closing.leaveToMaintenance();
		// What waited to be woken has been ended above; nobody would be noticed who came.
		if (state === "starting" || state === "recovering" || state === "asleep") await this.beginAgain();
	}

	/** Users wait for a recovery: that waits for nobody. */
	private async beginAgain(): Promise<void> {
		const recovers = this.ledger.record.state === "recovering" || this.book.open !== undefined;
		return recovers ? await this.life.begin() : await this.life.beginInTurn();
	}

	/** In maintenance a session was left alone that could not be taken over: it is tried again. */
	async resumeUnreachable(): Promise<void> {
		const { session, state } = this.ledger.record;
		if (session && !this.holder.machine && (state === "starting" || state === "running"))
			await this.resumeSession(session);
	}

	// ---- what is there beside the session

	/** What stood by for the daemon before, or waited for it to read its evidence, holds no disks: it is ended. */
	private async clearReserve(): Promise<void> {
		const { standbys, parked } = this.ledger.record;
		for (const number of [...standbys, ...parked]) {
			if (parked.includes(number)) await this.keepRemainsOfParked(number);
			if (!(await this.endOfReserve(number))) continue;
			const without = (numbers: number[]) => numbers.filter((other) => other !== number);
			const { record } = this.ledger;
			this.ledger.set({ standbys: without(record.standbys), parked: without(record.parked) });
		}
	}

	/** Trouble with it keeps nobody from taking over the session: its number stays in the record, for the next daemon. */
	private async endOfReserve(number: number): Promise<boolean> {
		try {
			return await this.machines.cleanUp(number);
		} catch (error) {
			this.ledger.say("session", `What is left of session ${number} cannot be removed: ${explain(error)}`);
			return false;
		}
	}

	private async keepRemainsOfParked(number: number): Promise<void> {
		const incident = `${this.ledger.server}-${number}`;
		const files = await this.machines.keepRemains(number, incident).catch(() => []);
		await this.book
			.amend(incident, { files, details: {} }, "the daemon ended before its evidence was read")
			.catch((error) => this.ledger.say("session", `Evidence could not be kept: ${explain(error)}`));
	}

	/**
	 * The daemon before let one session take over from another, and did not live to write down whether it did: the new
	 * one may have the disks.
	 * @returns false when it does not end
	 */
	private async clearTakeOver(): Promise<boolean> {
		const { session, planned } = this.ledger.record;
		if (session === null || planned === null) return true;
		if (!(await this.machines.cleanUp(planned))) {
			await this.closing.giveUp(stuckWords(planned));
			return false;
		}
		this.ledger.set({ planned: null });
		return true;
	}

	// ---- the session

	private async resumeSession(session: SessionRecord): Promise<void> {
		const adopted = await this.holder.adopt(session);
		if (typeof adopted !== "string") return await this.resumeLiving(session);
		const { state } = this.ledger.record;
		if (adopted === "unreachable" && (state === "starting" || state === "running"))
			return await this.sessionUnreachable(session);
		const remains = await this.remainsOf(session);
		if (!(await this.closing.clear())) return;
		if (state === "stopping" || state === "stopped" || state === "failed") return await this.life.stopped("");
		if (state === "recovering") {
			this.book.addEvidence(remains);
			return await this.recoverer.recover();
		}
		await this.sessionGone(session, remains);
	}

	/** Not when an earlier daemon, which knew nothing of that, has begun another session since. */
	private get fellAsleep(): boolean {
		const { fallsAsleep, session, state } = this.ledger.record;
		if (fallsAsleep === null) return false;
		return session ? session.number === fallsAsleep : state === "running";
	}

	/** Its session was being ended, and may have been told so already: it is ended, and another begins. */
	private async wake(session: SessionRecord | null): Promise<void> {
		if (session) await this.holder.adopt(session);
		if (!(await this.closing.clear(true))) return;
		this.ledger.set({ fallsAsleep: null });
		await this.beginAgain();
	}

	/** What an ended session left as evidence of its failure; none when the host ended it. */
	private async remainsOf({ number, bootId }: SessionRecord): Promise<string[]> {
		const { state } = this.ledger.record;
		const { machines } = this;
		if (!["starting", "running", "recovering"].includes(state) || !(await machines.sameBoot(bootId)))
			return [];
		return await machines.keepRemains(number, `${this.ledger.server}-${number}`).catch(() => []);
	}

	private async resumeLiving(session: SessionRecord): Promise<void> {
		await attach(session, this.ledger, this.holder);
		this.ledger.say("daemon", `Session ${session.number} was taken over`);
		if (this.ledger.record.state === "stopping") return await this.life.stopOn();
		// Between the incident and the end of its session the daemon was ended: go on from there.
		if (this.ledger.record.state === "recovering") await this.recoverer.resume();
	}

	private async sessionUnreachable(session: SessionRecord): Promise<void> {
		const summary = `QEMU lives as process ${session.pid}, but its monitor does not answer the new daemon`;
		if (this.ledger.record.maintenance)
			return this.ledger.say("maintenance", `${summary}; nothing is done, because of the maintenance`);
		await this.incidents.begin({ kind: "failed", cause: "qmp-lost", summary });
		await this.recoverer.beginRecovering(summary);
		this.book.addEvidence(await this.remainsOf(session));
		if (!(await this.closing.clear())) return;
		this.book.note(`session ${session.number} closed`);
		await this.recoverer.recover();
	}

	private async sessionGone(session: SessionRecord, remains: string[]): Promise<void> {
		if (!(await this.machines.sameBoot(session.bootId))) {
			this.ledger.say("session", `The host was restarted; session ${session.number} ended with it`);
			return await this.beginAgain();
		}
		const summary = "QEMU ended without being asked, while no daemon was watching";
		if (this.ledger.record.maintenance) return await this.life.stopped(`${summary}, during maintenance`);
		this.ledger.set({ session });
		await this.incidents.begin({ kind: "failed", cause: "process-ended", summary });
		this.book.addEvidence(remains);
		this.ledger.set({ session: null });
		await this.ledger.become("recovering", summary);
		await this.recoverer.recover();
	}
}
