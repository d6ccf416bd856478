import type { Env } from "./env.ts";
import type { IncidentBook } from "./incident-book.ts";
import type { Ledger } from "./ledger.ts";
import { type Budget, isSuspect, nextStep, type Step, type Way, youngDeaths } from "./recovery.ts";
import type { Reserve } from "./reserve.ts";

/** Counts a server's recoveries against its budget, and its sessions' early ends against its seal. */
export class Recoveries {
	private readonly ledger: Ledger;
	private readonly clock: Env["clock"];
	private readonly book: IncidentBook;
	private readonly reserve: Reserve;
	private readonly budget: () => Budget;

	constructor(
		ledger: Ledger,
		clock: Env["clock"],
		book: IncidentBook,
		reserve: Reserve,
		budget: () => Budget,
	) {
		this.ledger = ledger;
		this.clock = clock;
		this.book = book;
		this.reserve = reserve;
		this.budget = budget;
	}

	/** @param sealed whether there is a seal to start from, as far as that is known */
	nextStep(sealed = this.reserve.sealed): Step {
		const { recoveries } = this.ledger.record;
		return nextStep(recoveries, this.clock.now(), this.budget(), sealed);
	}

	/** @param counts against the budget: a drill is no sign of trouble, but what fails after it is */
	count(way: Way, counts: boolean): void {
		const kept = this.ledger.record.recoveries.slice(-100);
		const attempt = { at: this.clock.now(), ready: false, way };
		this.ledger.set({ recoveries: counts ? [...kept, attempt] : kept });
	}

	/** The session that was started last is ready. */
	noteReady(): void {
		const { recoveries: made } = this.ledger.record;
		const recoveries = made.map((attempt, i) =>
			i === made.length - 1 ? { ...attempt, ready: true } : attempt,
		);
		this.ledger.set({ recoveries });
	}

	/** A session from the seal that fails early speaks against the seal. */
	countYoungDeath(at: number): void {
		const { session, youngDeaths: before } = this.ledger.record;
		if (session?.from !== "seal" || this.book.open?.drill) return;
		const deaths = youngDeaths(before, at - session.startedAt);
		this.ledger.set({ youngDeaths: isSuspect(deaths) ? 0 : deaths });
		if (isSuspect(deaths)) this.reserve.distrust("its sessions died young, one after the other");
	}
}
