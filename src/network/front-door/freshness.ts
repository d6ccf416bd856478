import type { ServicePlan } from "../plan.ts";
import { checkEveryMs, type Health } from "./health.ts";
import { healthNameOf } from "./names.ts";
import { parseStat, type StatRow } from "./stat.ts";

/** What is known of a service's last good answer. */
export interface Answer {
	/** Milliseconds since it came, at the most. */
	ageMs: number;
	/** Whether it has been asked again, and takes longer than it usually does. */
	late: boolean;
}

/** Shorter waits say nothing: a host may be busy. Milliseconds. */
const leastLateMs = 2000;
/** Milliseconds by which HAProxy may begin a check after its time. */
const slackMs = 100;

interface Known {
	/** No later than this the last good answer came; milliseconds of an arbitrary clock, as all here. */
	answeredAt: number;
	/** When the check that runs was first seen to run. */
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
		// While none runs, the last one has ended since it was due.
		const answeredAt = runs ? known : Math.max(known, now - checkEveryMs(service) - slackMs);
		const askedAt = runs ? (before?.askedAt ?? now) : undefined;
		this.known.set(name, { answeredAt, askedAt });
		const usual = Math.max(leastLateMs, 2 * row.number("check_duration"));
		return { ageMs: now - answeredAt, late: askedAt !== undefined && now - askedAt > usual };
	}
}
