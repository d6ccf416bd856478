import type { DoorPlan } from "../plan.ts";
import { guestBackendsOf } from "./names.ts";
import { parseStat } from "./stat.ts";

/** New requests and connections wait at the hold server; those that are with the guest go on. */
export function drainCommand(plan: DoorPlan): string {
	return guestCommand(plan, ["maint"]);
}

/** New requests and connections go to the guest again, those that wait with their next attempt. */
export function releaseCommand(plan: DoorPlan): string {
	return guestCommand(plan, ["ready"]);
}

/**
 * Closes the connections that HAProxy keeps for later requests: it does so only when a server goes out of service, and
 * those of requests that ended since are kept. A request that slips through between the two goes to the guest, and is
 * waited for like the others.
 */
export function closeIdleCommand(plan: DoorPlan): string {
	return guestCommand(plan, ["ready", "maint"]);
}

function guestCommand(plan: DoorPlan, states: readonly ("maint" | "ready")[]): string {
	return guestBackendsOf(plan)
		.flatMap((backend) => states.map((state) => `set server ${backend}/guest state ${state}`))
		.join("; ");
}

/** HAProxy's connections to the guest. */
export interface WithGuest {
	/** Requests and connections of users. */
	busy: number;
	/** Kept open for a later request, which would be lost with the connection. */
	idle: number;
}

/** Reads `show stat`. */
export function withGuest(stat: string, plan: DoorPlan): WithGuest {
	const backends = new Set(guestBackendsOf(plan));
	const rows = parseStat(stat).filter(({ proxy, server }) => server === "guest" && backends.has(proxy));
	const sum = (...columns: string[]) =>
		rows.flatMap((row) => columns.map(row.number)).reduce((all, one) => all + one, 0);
	return { busy: sum("scur"), idle: sum("idle_conn_cur", "safe_conn_cur") };
}
