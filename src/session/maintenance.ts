import type { Failure } from "./detection.ts";
import type { Ledger } from "./ledger.ts";
import type { Lifecycle } from "./lifecycle.ts";
import type { Recoverer } from "./recoverer.ts";
import type { Reserve } from "./reserve.ts";
import type { Resumption } from "./resumption.ts";

/** Somebody works on the server: what fails is told, and nothing is done about it. */
export class Maintenance {
	private readonly ledger: Ledger;
	private readonly reserve: Reserve;
	private readonly life: Lifecycle;
	private readonly recoverer: Recoverer;
	private readonly resumption: Resumption;
	/** The cause that was told last. */
	private told = "";

	constructor(
		ledger: Ledger,
		reserve: Reserve,
		life: Lifecycle,
		recoverer: Recoverer,
		resumption: Resumption,
	) {
		this.ledger = ledger;
		this.reserve = reserve;
		this.life = life;
		this.recoverer = recoverer;
		this.resumption = resumption;
	}

	async set(on: boolean): Promise<void> {
		this.ledger.set({ maintenance: on });
		this.told = "";
		await this.ledger.save();
		const begins = "Maintenance begins: failures are told, and nothing is done about them";
		this.ledger.say("maintenance", on ? begins : "Maintenance ends");
		if (on) return await this.recoverer.suspend();
		this.reserve.tend();
		const { wanted, state } = this.ledger.record;
		if (wanted !== "running") return;
		if (state === "stopped") return await this.life.start();
		await this.resumption.resumeUnreachable();
	}

	/** In maintenance a failure is told once; only a process that has gone is put away. */
	async suspend(failure: Failure): Promise<void> {
		if (this.told !== failure.cause) {
			this.ledger.say("maintenance", `${failure.summary}; nothing is done, because of the maintenance`);
		}
		this.told = failure.cause;
		if (failure.cause === "process-ended")
			await this.life.closeAndStop(`${failure.summary}, during maintenance`);
	}
}
