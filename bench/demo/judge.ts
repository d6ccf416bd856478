import type { Sample } from "../steady-client.ts";

export interface DaemonResult {
	/** The session's process is the same one after the daemon was killed and started again. */
	samePid: boolean;
	failedRequests: number;
	/** The guest panicked while no daemon was there; the next one recovered it. */
	recoveredAfterwards: boolean;
}

/** All that was asked from beginning to end: during the failures, between them, and while no daemon was there. */
export interface Requests {
	sent: number;
	failed: number;
	/** The first of those that failed: of which server, when (milliseconds since the Unix epoch), and what was said. */
	failures: { server: string; at: number; said: string }[];
}

const mostListed = 10;

/** @param clients those of each server, which ask nothing any more */
export function requestsOf(
	clients: Iterable<readonly [server: string, client: { samples: readonly Sample[] }]>,
): Requests {
	const all = [...clients].flatMap(([server, { samples }]) =>
		samples.map((sample) => ({ server, ...sample })),
	);
	const failed = all.filter(({ ok }) => !ok).sort((a, b) => a.at - b.at);
	return {
		sent: all.length,
		failed: failed.length,
		failures: failed.slice(0, mostListed).map(({ server, at, said }) => ({ server, at, said })),
	};
}

/** @returns what is not as it should be, in words */
export function brokenOf({ sent, failed }: Requests, daemon: DaemonResult): string[] {
	return [
		...(sent === 0 ? ["nothing was asked"] : []),
		...(failed > 0 ? [`${failed} of ${sent} requests failed`] : []),
		...(daemon.samePid ? [] : ["a session did not outlive its daemon"]),
		...(daemon.recoveredAfterwards ? [] : ["a panic without a daemon was not recovered by the next one"]),
	];
}
