import { explain } from "../api/errors.ts";
import type { Seen } from "../api/screen.ts";
import { crashDetails, crashWords } from "./crash.ts";
import type { Machine, Machines } from "./env.ts";
import type { Holder } from "./holder.ts";
import type { IncidentBook } from "./incident-book.ts";
import type { Incidents } from "./incidents.ts";
import type { Ledger } from "./ledger.ts";
import type { Reserve } from "./reserve.ts";
import { stuckWords } from "./stuck.ts";
import type { Timers } from "./timers.ts";

interface Parts {
	ledger: Ledger;
	machines: Machines;
	holder: Holder;
	book: IncidentBook;
	incidents: Incidents;
	reserve: Reserve;
	timers: Timers;
}

/** Ends sessions; and gives the server up when one of them does not end, or none is to follow. */
export class Closing {
	private readonly ledger: Ledger;
	private readonly machines: Machines;
	private readonly holder: Holder;
	private readonly book: IncidentBook;
	private readonly incidents: Incidents;
	private readonly reserve: Reserve;
	private readonly timers: Timers;

	constructor(parts: Parts) {
		this.ledger = parts.ledger;
		this.machines = parts.machines;
		this.holder = parts.holder;
		this.book = parts.book;
		this.incidents = parts.incidents;
		this.reserve = parts.reserve;
		this.timers = parts.timers;
	}

	/**
	 * Makes sure that nothing of an earlier session lives: until then its disks have a writer.
	 * @returns false when a process does not end: then the server has failed, and remembers it
	 */
	async clear(politely = false): Promise<boolean> {
		const { session, planned, parked } = this.ledger.record;
		const closed = await this.holder.end(politely);
		for (const number of [session?.number, planned, ...parked]) {
			if (typeof number !== "number") continue;
			if (closed && (await this.machines.cleanUp(number))) continue;
			await this.giveUp(stuckWords(number));
			return false;
		}
		this.ledger.set({ session: null, planned: null, parked: [], aftermath: null });
		return true;
	}

	/** Takes the evidence and ends the failed session. @returns false when its process does not end */
	async closeFailed(): Promise<boolean> {
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
			const { files, details, screen } = await machine.collectEvidence(incident);
			this.book.addEvidence(files, details);
			this.readCause(screen);
			this.book.note("evidence taken");
			await this.book.save();
		} catch (error) {
			this.book.note(`evidence could not be kept: ${explain(error)}`);
		}
	}

	/** A panic device says that Windows has crashed, and its screen says why. */
	private readCause(screen: Seen | undefined): void {
		const { open } = this.book;
		if (screen?.kind !== "blue-screen" || !screen.stop) return;
		if (open?.cause !== "panic" || "stop code" in open.details) return;
		this.book.learn(crashWords(screen.stop), crashDetails(screen.stop));
	}

	/** Leaves the server down until its maintenance ends; nothing of its session lives any more. */
	async leaveToMaintenance(): Promise<void> {
		this.timers.cancel();
		this.book.note("not started again, because of the maintenance");
		await this.incidents.end("stopped");
		this.ledger.set({ session: null });
		await this.ledger.become("stopped", "it failed, and is in maintenance: it is started when that ends");
		await this.reserve.disband();
	}

	/** Leaves the server down, keeps everything, and calls a person. */
	async giveUp(reason: string): Promise<void> {
		this.timers.cancel();
		this.ledger.set({ aftermath: null, fallsAsleep: null });
		this.book.note(`given up: ${reason}`);
		await this.incidents.end("gave-up");
		await this.ledger.become("failed", reason);
		await this.reserve.disband();
	}
}
