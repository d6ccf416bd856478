import { BulkheadError } from "../api/errors.ts";
import type { Closing } from "./closing.ts";
import type { Machines } from "./env.ts";
import type { Ledger } from "./ledger.ts";
import type { Lifecycle } from "./lifecycle.ts";
import { refusal } from "./refusal.ts";
import type { Reserve } from "./reserve.ts";

const stopForChangesMs = 120_000;

/** Changes of a disposable system disk: made in sessions that boot, kept aside, and then committed or abandoned. */
export class Changes {
	private readonly ledger: Ledger;
	private readonly machines: Machines;
	private readonly reserve: Reserve;
	private readonly closing: Closing;
	private readonly life: Lifecycle;

	constructor(ledger: Ledger, machines: Machines, reserve: Reserve, closing: Closing, life: Lifecycle) {
		this.ledger = ledger;
		this.machines = machines;
		this.reserve = reserve;
		this.closing = closing;
		this.life = life;
	}

	/** @throws BulkheadError not-allowed-now, when it is being changed already */
	async begin(): Promise<void> {
		if (this.ledger.record.changing)
			throw refusal(this.ledger.server, "is being changed already; commit or abandon that first");
		await this.machines.beginChanges();
		this.ledger.set({ changing: true, maintenance: true });
		await this.reserve.disband();
		if (this.ledger.record.state === "running") await this.life.stop(stopForChangesMs, true);
		else await this.life.start();
		this.ledger.say("maintenance", "Its system disk is being changed; what is written there is kept aside");
	}

	/**
	 * @param keep whether they become part of the system disk, which no session uses now
	 * @throws BulkheadError not-allowed-now, when it is not being changed, or a session's process does not end
	 */
	async end(keep: boolean): Promise<void> {
		if (!this.ledger.record.changing)
			throw refusal(this.ledger.server, "is not being changed; begin with that");
		if (!(await this.closing.clear())) throw new BulkheadError("not-allowed-now", this.ledger.record.reason);
		if (keep) await this.machines.keepChanges();
		this.ledger.set({ changing: false, maintenance: false });
		await this.ledger.save();
		// While the record waits for room on the host's disk, the next daemon believes that they are needed.
		if (this.ledger.isKept) await this.machines.dropChanges();
		if (keep) await this.reserve.drop("the system disk was changed");
		this.ledger.say(
			"maintenance",
			keep ? "Its system disk has been changed" : "The changes were thrown away",
		);
		// What failed meanwhile was left alone, because of the maintenance that ends with this.
		const { state, wanted } = this.ledger.record;
		if (state === "stopped" && wanted === "running") await this.life.start();
	}
}
