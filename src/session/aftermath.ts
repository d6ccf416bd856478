import { explain } from "../api/errors.ts";
import { formatDuration } from "../api/units.ts";
import { crashed, type Failure, judgeSign } from "./detection.ts";
import { beginDumping, type Dumping, dumpingIsOver, followDumping } from "./dumping.ts";
import type { Env, Machine } from "./env.ts";
import type { Pulse, Sign } from "./evidence.ts";
import type { Holder } from "./holder.ts";
import type { IncidentBook } from "./incident-book.ts";
import type { Ledger } from "./ledger.ts";
import type { CrashPolicy } from "./policy.ts";
import type { Timers } from "./timers.ts";

/** A dump that the host has kept of a session's memory, or why there is none. */
export type HostDump = { session: number } & ({ file: string } | { failed: string });

export const outOfTime = "its time for a dump is over";

/** The host's clock may be set meanwhile: a server is not down for hours because of that. Milliseconds. */
const longestMs = 600_000;
/** The host's dump keeps its time by itself; when it does not, it is over so much later. */
const graceMs = 10_000;

/** Progress is told in steps of this many percent. */
const toldEvery = 10;

interface Parts {
	ledger: Ledger;
	clock: Env["clock"];
	holder: Holder;
	book: IncidentBook;
	timers: Timers;
	/** Undefined when a crashed session is ended at once. */
	policy: () => CrashPolicy | undefined;
	/** Comes back through the inbox, to `takeIn`. */
	onDump(dump: HostDump): void;
	/** Comes back through the inbox as a call of `tell`. */
	onProgress(session: number, percent: number): void;
}

/**
 * What happens between a crash and the end of its session: the guest writes its own dump, or the host keeps one of its
 * memory.
 *
 * INVARIANTS
 * - The crash is an incident already, and users are held: the session that crashed never serves anybody again. QEMU is
 *   told beforehand that a restart of the guest is its end.
 * - It is over in time, whatever guest and QEMU do.
 */
export class Aftermath {
	private readonly parts: Parts;
	private dumping: Dumping = beginDumping(0);
	private toldPercent = 0;

	constructor(parts: Parts) {
		this.parts = parts;
	}

	get isOn(): boolean {
		return this.parts.ledger.record.aftermath !== null;
	}

	/** Remembers what is to be done about a failure, with the next save of the record. */
	plan({ cause, restarted }: Failure): void {
		const { ledger, clock, holder } = this.parts;
		const policy = this.parts.policy();
		// What has restarted already has nothing to dump any more.
		if (cause !== "panic" || restarted || !policy || !holder.machine) return;
		ledger.set({ aftermath: { does: policy.does, until: clock.now() + policy.withinMs } });
	}

	/** Begins what was planned, by this daemon or by the one before. @returns whether it is under way */
	async begin(): Promise<boolean> {
		const { aftermath } = this.parts.ledger.record;
		const { machine } = this.parts.holder;
		if (!aftermath) return false;
		const leftMs = Math.min(
			aftermath.until - this.parts.clock.now(),
			this.parts.policy()?.withinMs ?? longestMs,
		);
		if (!machine || leftMs <= 0) {
			await this.end("there is no time left for its dump");
			return false;
		}
		return aftermath.does === "let-guest-dump"
			? await this.letGuestDump(machine, leftMs)
			: await this.dumpMemory(machine, leftMs);
	}

	private async letGuestDump(machine: Machine, leftMs: number): Promise<boolean> {
		const { clock, timers } = this.parts;
		this.dumping = beginDumping(clock.now());
		this.toldPercent = 0;
		// Before anything is waited for.
		timers.due("aftermath", leftMs);
		try {
			await machine.letGuestDump();
		} catch (error) {
			await this.end(`the guest could not be let run on: ${explain(error)}`);
			return false;
		}
		await this.isUnderWay(`the guest runs on to write its own dump, for ${formatDuration(leftMs)} at most`);
		return true;
	}

	private async dumpMemory(machine: Machine, leftMs: number): Promise<boolean> {
		const { book, onDump, onProgress, timers } = this.parts;
		const incident = book.open?.id;
		if (incident === undefined) return false;
		const session = machine.session.number;
		this.toldPercent = 0;
		timers.due("aftermath", leftMs + graceMs);
		await this.isUnderWay(`a dump of its memory is being kept, in ${formatDuration(leftMs)} at most`);
		machine
			.dumpMemory(incident, leftMs, (percent) => onProgress(session, percent))
			.then(
				(file) => onDump({ session, file }),
				(error) => onDump({ session, failed: explain(error) }),
			);
		return true;
	}

	private async isUnderWay(words: string): Promise<void> {
		const { book, ledger } = this.parts;
		book.note(words);
		await book.save();
		await ledger.become("recovering", words);
	}

	/** How far a dump of the session's memory is. */
	async tell(session: number, percent: number): Promise<void> {
		if (this.isOn && session === this.parts.ledger.record.session?.number && percent < 100)
			await this.tellProgress(percent, "of its memory is kept");
	}

	/** @returns what came of the host's dump, in words; undefined when nobody waits for it any more */
	takeIn(dump: HostDump): string | undefined {
		const { ledger, book } = this.parts;
		if (!this.isOn || dump.session !== ledger.record.session?.number) return undefined;
		if ("failed" in dump) return `no dump of its memory could be kept: ${dump.failed}`;
		book.addEvidence([dump.file]);
		return "a dump of its memory is kept";
	}

	/** Takes in what the crashed session says by itself. @returns why it is over, in words; undefined while it is not */
	hear(sign: Sign): string | undefined {
		const verdict = judgeSign(sign);
		if (verdict.kind === "failed" && verdict.cause === "panic") this.learn(verdict);
		// The host's dump ends by itself, whatever becomes of QEMU.
		if (this.parts.ledger.record.aftermath?.does !== "let-guest-dump") return undefined;
		switch (verdict.kind) {
			case "rebooted":
				return "the guest restarts: its session ends with that";
			case "ended":
				return "the guest has shut itself down";
			case "failed":
				return verdict.cause === "panic" ? undefined : verdict.summary;
			default:
				return undefined;
		}
	}

	/** Takes in a look at the crashed session. @returns why it is over, in words; undefined while it is not */
	async follow({ at, process, status, screen }: Pulse): Promise<string | undefined> {
		if (screen?.kind === "blue-screen" && screen.stop) this.learn(crashed(screen.stop));
		if (this.parts.ledger.record.aftermath?.does !== "let-guest-dump") return undefined;
		if (process === "ended") return "QEMU has ended";
		if (status === "shutdown") return "the guest has restarted or shut down: its session ends with that";
		if (status === "internal-error") return "QEMU stopped the guest with an internal error";
		this.dumping = followDumping(this.dumping, at, screen);
		if (this.dumping.percent !== undefined)
			await this.tellProgress(this.dumping.percent, "of the guest's dump is written");
		return dumpingIsOver(this.dumping);
	}

	/** It is over: the session is to be ended. */
	async end(words: string): Promise<void> {
		const { ledger, book, timers } = this.parts;
		timers.cancel();
		ledger.set({ aftermath: null });
		book.note(words);
		await book.save();
	}

	/** The first sign of a crash may say less than those that follow. */
	private learn({ summary, details = {}, stop }: Failure): void {
		const { open } = this.parts.book;
		if (stop && open && !("stop code" in open.details)) this.parts.book.learn(summary, details);
	}

	/** Only what is new, and only in steps: what the guest's screen says may go up and down without end. */
	private async tellProgress(percent: number, what: string): Promise<void> {
		if (percent < this.toldPercent + toldEvery) return;
		this.toldPercent = percent;
		this.parts.book.note(`${percent} % ${what}`);
		// Somebody may be looking.
		await this.parts.book.save();
	}
}
