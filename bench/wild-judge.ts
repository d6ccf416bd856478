import type { Verdict } from "./recovery/judge.ts";

/** How quickly others answered for a while. Milliseconds. */
export interface Figures {
	host: { median: number; worst: number };
	daemon: { median: number; worst: number };
	calm: { sent: number; failed: number; median: number; worst: number };
}

/** The same beside a guest that burned something. */
export interface Beside extends Figures {
	/** How long it did, until its first incident or the end. */
	burntMs: number;
	/** Its own incidents meanwhile, and when they were noticed. */
	incidents: { id: string; cause: string; afterMs: number }[];
}

/** A guest that is gone sooner bothers nobody. */
const leastBurntMs = 2000;

/** @param wild by what was burned */
export function verdictsOf(wild: Readonly<Record<string, Beside>>, incidentsOfCalm: number): Verdict[] {
	const all = (promise: string, broken: (one: Beside) => string | null): Verdict => {
		const found = Object.entries(wild).flatMap(([kind, one]) => {
			const why = broken(one);
			return why === null ? [] : [`${kind}: ${why}`];
		});
		return { promise, broken: found.length === 0 ? null : found.join("; ") };
	};
	const under = (ms: number, limitMs: number) => (ms < limitMs ? null : `${ms} ms`);
	return [
		all(`the guest burns each for ${leastBurntMs / 1000} s at least`, ({ burntMs, incidents }) =>
			burntMs >= leastBurntMs ? null : `${burntMs} ms (${incidents[0]?.cause ?? "no incident"})`,
		),
		{
			promise: "the second server has no incident",
			broken: incidentsOfCalm === 0 ? null : `${incidentsOfCalm}`,
		},
		all("none of its requests fails", ({ calm }) =>
			calm.sent === 0 ? "none was sent" : calm.failed === 0 ? null : `${calm.failed} of ${calm.sent}`,
		),
		all("each is answered within 5 s", ({ calm }) => under(calm.worst, 5000)),
		all("the daemon answers within 2 s", ({ daemon }) => under(daemon.worst, 2000)),
		all("no sleep on the host ends a second late", ({ host }) => under(host.worst, 1000)),
	];
}
