import type { ServicePlan } from "../plan.ts";
import { healthNameOf } from "./config.ts";

export type Health = "up" | "down" | "unknown";

/** Reads `show stat` (CSV with a heading): what the checks of each service last found. */
export function healthOf(stat: string, services: readonly ServicePlan[]): Record<string, Health> {
	const [heading = "", ...lines] = stat.split("\n");
	const columns = heading.replace(/^# /, "").split(",");
	const rows = lines.map((line) => line.split(","));
	const cell = (row: readonly string[], name: string) => row[columns.indexOf(name)] ?? "";
	const found: Record<string, Health> = {};
	for (const service of services) {
		const row = rows.find(
			(row) => cell(row, "pxname") === healthNameOf(service) && cell(row, "svname") === "guest",
		);
		found[service.service] = row ? judge(cell(row, "status"), cell(row, "check_status")) : "unknown";
	}
	return found;
}

/** A server counts as up until its first check has ended (INI); that is not a finding. */
function judge(status: string, checkStatus: string): Health {
	if (checkStatus === "" || checkStatus.includes("INI")) return "unknown";
	return status.startsWith("UP") ? "up" : "down";
}
