import type { ServicePlan } from "../plan.ts";
import { healthNameOf } from "./config.ts";
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
