import { formatDuration } from "../api/units.ts";
import type { Env } from "./env.ts";
import type { Ledger } from "./ledger.ts";
import type { Renewal } from "./renewal.ts";
import type { Reserve, WarmPolicy } from "./reserve.ts";
import type { Sleep } from "./sleep.ts";

const lookEveryMs = 2000;

/** Users' connections, see Door. */
export type Activity = { current: number; total: number } | null;

interface Parts {
	ledger: Ledger;
	env: Env;
	reserve: Reserve;
	renewal: Renewal;
	sleep: Sleep;
	policy: () => WarmPolicy | null;
	/** Comes back through the inbox as a call of `look`. */
	lookLater(afterMs: number): void;
	/** Comes back through the inbox to `take in`. */
	onActivity(activity: Activity): void;
}

/** Notices that nobody uses a server, and puts it to sleep when that has lasted. */
export class Idleness {
	private readonly parts: Parts;
	/** `since`: by the monotonic clock. */
	private idle = { total: -1, since: 0 };

	constructor(parts: Parts) {
		this.parts = parts;
	}

	begin(): void {
		this.parts.lookLater(lookEveryMs);
	}

	look(): void {
		const { ledger, env, policy } = this.parts;
		this.parts.lookLater(lookEveryMs);
		if (!policy()?.sleepAfterMs || ledger.record.state !== "running") return;
		env.door.activity().then(
			(activity) => this.parts.onActivity(activity),
			() => {},
		);
	}

	async takeIn(activity: Activity): Promise<void> {
		const { ledger, env, reserve, renewal, policy } = this.parts;
		const after = policy()?.sleepAfterMs;
		const now = env.clock.monotonic();
		const { state, maintenance } = ledger.record;
		const used = !activity || activity.current > 0 || activity.total !== this.idle.total;
		if (used || state !== "running" || maintenance) this.idle = { total: activity?.total ?? -1, since: now };
		else if (after && now - this.idle.since >= after && reserve.hasStandby && !renewal.isUnderWay)
			await this.putToSleep(`nobody has used it for ${formatDuration(after)}`);
	}

	private async putToSleep(reason: string): Promise<void> {
		this.idle = { total: -1, since: this.parts.env.clock.monotonic() };
		await this.parts.sleep.begin(reason);
	}
}
