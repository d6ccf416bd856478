import type { DoorPlan } from "../plan.ts";
import { hopBackendOf, nameOf, repeatBackendOf, uploadBackendOf } from "./names.ts";
import { parseStat } from "./stat.ts";

/** How much a server's published services are used. Health checks do not count. */
export interface Activity {
	/** Requests (HTTP) and connections (TCP) that are being served or wait now. An HTTP connection without a request is none. */
	current: number;
	/** Requests and connections since this front door started: one that was replaced since begins at 0 again. */
	total: number;
}

/** Reads `show stat`. */
export function activityOf(stat: string, plan: DoorPlan): Activity {
	const rows = parseStat(stat);
	const sum = (proxies: readonly string[], server: string, column: string) =>
		rows
			.filter((row) => row.server === server && proxies.includes(row.proxy))
			.reduce((all, row) => all + row.number(column), 0);
	const http = plan.services.filter(({ protocol }) => protocol === "http");
	const tcp = plan.services.filter(({ protocol }) => protocol === "tcp").map(nameOf);
	// Not the inner hop's own: its requests pass through the backends that lead there.
	const backends = http.flatMap((service) => [
		repeatBackendOf(service),
		hopBackendOf(service),
		uploadBackendOf(service),
	]);
	return {
		current: sum(backends, "BACKEND", "scur") + sum(tcp, "FRONTEND", "scur"),
		total: sum(http.map(nameOf), "FRONTEND", "req_tot") + sum(tcp, "FRONTEND", "stot"),
	};
}
