import type { ServicePlan } from "../plan.ts";
import { checkEveryMs, checkWithinMs, type Health } from "./health.ts";
import { healthNameOf } from "./names.ts";
import { parseStat, type StatRow } from "./stat.ts";

/** What is known of a service's last good answer. */
export interface Answer {
	/** Milliseconds since it came, at the most. */
	ageMs: number;
	/** Whether it has been asked again, and takes longer than it usually does. */
	late: boolean;
}

/** What takes longer than it usually does is late: shorter waits say nothing, as a host may be busy; longer ones do. Milliseconds. */
const late = { leastMs: 2000, mostMs: 10_000 };
/** Milliseconds by which HAProxy may begin a check after its time. */
const slackMs = 100;

interface Known {
	/** No later than this the last good answer came; milliseconds of an arbitrary clock, as all here. */
	answeredAt: number;
	/** When the check that runs was first seen to run; one that is asked often may be another one by now. */
	askedAt: number | undefined;
}

/**
 * Tells how fresh it is what HAProxy says of its services. It does not say itself when a check has ended: while one runs it
 * repeats what the one before found, for as long as the check may take, which is half a minute and more for some.
 * Folded from one answer to `show stat` after the other.
 */
export class Freshness {
	private readonly known = new Map<string, Known>();
	/** When it was looked last; milliseconds. */
	private lookedAt = Number.NEGATIVE_INFINITY;

	/**
	 * @param healths what it says of the services
	 * @param now milliseconds of a clock that only goes forward
	 * @returns what is known of those that are up
	 */
	takeIn(
		stat: string,
		services: readonly ServicePlan[],
		healths: Readonly<Record<string, Health>>,
		now: number,
	): Record<string, Answer> {
		// HAProxy did not say anything, which says nothing of its services.
		if (stat === "") return {};
		const rows = parseStat(stat);
		const answers: Record<string, Answer> = {};
		for (const service of services) {
			const name = healthNameOf(service);
			const row = rows.find(({ proxy, server }) => proxy === name && server === "guest");
			if (row && healths[service.service] === "up") answers[service.service] = this.follow(row, service, now);
			else this.known.delete(name);
		}
		this.lookedAt = now;
		return answers;
	}

	private follow(row: StatRow, service: ServicePlan, now: number): Answer {
		const name = healthNameOf(service);
		const runs = row.text("check_status").startsWith("* ");
		const before = this.known.get(name);
		// What was not up a look ago has answered since.
		const known = before?.answeredAt ?? this.lookedAt;
		const [every, within] = [checkEveryMs(service) + slackMs, checkWithinMs(service)];
		// While none runs, the last one has ended since it was due. One that runs is no older than it may be: it would have
		// failed. Looks may see a check run each time, and each time another one: of those that are asked as often as is looked.
		const answeredAt = Math.max(known, now - every - (runs ? within : 0));
		const since = before?.askedAt !== undefined && now - before.askedAt <= within ? before.askedAt : now;
		const askedAt = runs ? since : undefined;
		this.known.set(name, { answeredAt, askedAt });
		const usual = Math.min(late.mostMs, Math.max(late.leastMs, 2 * row.number("check_duration")));
		return { ageMs: now - answeredAt, late: askedAt !== undefined && now - askedAt > usual };
	}
}
