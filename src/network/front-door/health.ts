import type { ServicePlan } from "../plan.ts";
import { healthNameOf } from "./names.ts";
import { parseStat } from "./stat.ts";

export type Health = "up" | "down" | "unknown";

/** Reads `show stat`: what the checks of each service last found. */
export function healthOf(stat: string, services: readonly ServicePlan[]): Record<string, Health> {
	const rows = parseStat(stat);
	const found: Record<string, Health> = {};
	for (const service of services) {
		const row = rows.find(({ proxy, server }) => proxy === healthNameOf(service) && server === "guest");
		found[service.service] = row ? judge(row.text("status"), row.text("check_status")) : "unknown";
	}
	return found;
}

/** A server counts as up until its first check has ended (INI); that is not a finding. */
function judge(status: string, checkStatus: string): Health {
	if (checkStatus === "" || checkStatus.includes("INI")) return "unknown";
	return status.startsWith("UP") ? "up" : "down";
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
