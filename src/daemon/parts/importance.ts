import { Turns } from "../turns.ts";

/** How much a session's process counts against others when processors or memory are short. */
export const importance = {
	serving: { cpuWeight: 50, expendable: 200 },
	/** One that waits, or is looked at after its failure, takes nothing from those that serve. */
	waiting: { cpuWeight: 1, expendable: 1000 },
	/** One that is loaded to stand by: as long as there is anything else to do, it does nothing. */
	loading: { cpuWeight: "idle", expendable: 1000 },
	/** One whose loading, or boot to be sealed, takes too long, as nobody leaves it any time. */
	late: { cpuWeight: 25, expendable: 1000 },
} as const;
export type Importance = keyof typeof importance;

/** Share of one that comes back while another does its work: its users are with that one. */
const yieldingWeight = 5;
/** It yields no longer than that: on a busy host it would never be back, and then nobody stands in for the other. */
const yieldsForMs = 20_000;

type Weigh = (session: number, cpuWeight: number) => Promise<void>;

/** The share of one server's serving session, whichever that is, which is small while others do its work. */
export class ServingShare {
	private readonly weigh: Weigh;
	private inService: number | undefined;
	private yielding: NodeJS.Timeout | undefined;
	private yields = false;
	private readonly turns = new Turns();
	private readonly log: (error: unknown) => void;

	/**
	 * @param weigh gives a session another share; one that is gone is no error
	 * @param log is told when it fails while nobody waits for it
	 */
	constructor(weigh: Weigh, log: (error: unknown) => void) {
		this.weigh = weigh;
		this.log = log;
	}

	/**
	 * Takes note of what a session is from now on.
	 * @param give it the share of that: nothing else is given meanwhile, so that what was decided last is what holds
	 */
	async become<T>(
		session: number,
		level: Importance,
		give: (cpuWeight: number | "idle") => Promise<T>,
	): Promise<T> {
		return await this.turns.take(async () => await give(this.weightOf(session, level)));
	}

	private weightOf(session: number, level: Importance): number | "idle" {
		if (level === "serving") {
			this.inService = session;
			// It may begin long after others began to do its server's work.
			if (this.yields) this.beginYielding();
		} else if (this.inService === session) this.inService = undefined;
		return level === "serving" ? this.weight : importance[level].cpuWeight;
	}

	/** A session that an earlier daemon started is the one that serves. */
	async takeOver(session: number): Promise<void> {
		this.inService = session;
		await this.apply();
	}

	/** @param yields whether others do its server's work meanwhile */
	async setYielding(yields: boolean): Promise<void> {
		if (this.yields === yields) return;
		this.yields = yields;
		if (yields) this.beginYielding();
		else this.endYielding();
		await this.apply();
	}

	private beginYielding(): void {
		this.endYielding();
		this.yielding = setTimeout(() => {
			this.endYielding();
			this.apply().catch(this.log);
		}, yieldsForMs).unref();
	}

	private endYielding(): void {
		clearTimeout(this.yielding);
		this.yielding = undefined;
	}

	private get weight(): number {
		return this.yielding ? yieldingWeight : importance.serving.cpuWeight;
	}

	private async apply(): Promise<void> {
		await this.turns.take(async () => {
			if (this.inService !== undefined) await this.weigh(this.inService, this.weight);
		});
	}
}
