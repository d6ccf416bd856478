import type { ServicePlan } from "../plan.ts";
import type { Talk } from "../talk.ts";
import { healthNameOf } from "./names.ts";
import { parseStat, type StatRow } from "./stat.ts";

export type Health = "up" | "down" | "unknown";

/** Milliseconds between two checks of a service that is well. */
export function checkEveryMs({ health }: ServicePlan): number {
	return isTalk(health) ? health.everyMs : 400;
}

/** Milliseconds that a check may take until it fails: `defaults health` and `timeout check` of the configuration. */
export function checkWithinMs({ health }: ServicePlan): number {
	return isTalk(health) ? health.withinMs + 300 : 1300;
}

/** Whether a service that hangs up on its check is well: to HAProxy it is down then. */
export function mayHangUp({ health }: ServicePlan): boolean {
	return isTalk(health) && health.hangUp !== undefined;
}

function isTalk(health: ServicePlan["health"]): health is Talk {
	return health !== null && typeof health === "object" && "rules" in health;
}

/**
 * Reads `show stat`: what the checks of each service last found.
 * @param forgottenMs how long ago all that was found before was to be forgotten; milliseconds
 */
export function healthOf(
	stat: string,
	services: readonly ServicePlan[],
	forgottenMs = Number.POSITIVE_INFINITY,
): Record<string, Health> {
	const rows = parseStat(stat);
	const found: Record<string, Health> = {};
	for (const service of services) {
		const row = rows.find(({ proxy, server }) => proxy === healthNameOf(service) && server === "guest");
		found[service.service] = row ? judge(row, service, forgottenMs) : "unknown";
	}
	return found;
}

/** A server counts as up until its first check has ended (INI); that is not a finding. */
function judge(row: StatRow, { health }: ServicePlan, forgottenMs: number): Health {
	const checkStatus = row.text("check_status");
	if (checkStatus === "" || checkStatus.includes("INI")) return "unknown";
	if (row.text("status").startsWith("UP")) return "up";
	if (!isTalk(health) || !health.hangUp) return "down";
	return forgottenMs > forgetsHangUpsMs(health) && hasHungUp(row) ? "up" : "down";
}

/**
 * HAProxy keeps a check's words when it is told that a server is down, and the check that runs then may end with the session
 * before being cut off, which looks like a hang-up: only what the one after it finds is of the session that is there.
 */
const forgetsHangUpsMs = ({ everyMs, withinMs }: Talk) => 2 * withinMs + everyMs;

/**
 * Whether the server closed a connection that it had taken. To HAProxy 2.6 no rule can make that a success: it says L7RSP
 * of one that closes, or answers otherwise than expected, and SOCKERR of one that resets (`chk_report_conn_err`: any
 * error after the connection, ours too). Why is in its words; while the next check runs they are gone.
 */
function hasHungUp(row: StatRow): boolean {
	const status = row.text("check_status").replace("* ", "");
	const said = row.text("last_chk");
	return (
		status === "L7RSP" ||
		(status === "SOCKERR" && (said === "" || said.startsWith("Connection reset by peer")))
	);
}

/** Every check stops; one whose connection has begun runs to its end. */
export function pauseCommand(services: readonly ServicePlan[]): string {
	return services.map((service) => `disable health ${healthNameOf(service)}/guest`).join("; ");
}

/**
 * Reads `show stat`. @returns the commands that make the paused checks go on: what they found before is forgotten, and
 *   their services are down until a check has passed. Checks that go on already are left alone; then "" may be all.
 */
export function resumeCommand(stat: string, services: readonly ServicePlan[]): string {
	const paused = new Set(
		parseStat(stat)
			.filter((row) => row.server === "guest" && row.text("status") === "no check")
			.map(({ proxy }) => proxy),
	);
	return services
		.map(healthNameOf)
		.filter((name) => paused.has(name))
		.map((name) => `enable health ${name}/guest; set server ${name}/guest health down`)
		.join("; ");
}
