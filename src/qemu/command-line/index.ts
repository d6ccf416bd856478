import type { Hardware } from "../hardware.ts";
import { diskArguments } from "./disks.ts";
import { monitorArguments } from "./monitor.ts";
import { networkArguments } from "./network.ts";
import { machineType, systemArguments } from "./system.ts";
import { watchArguments } from "./watch.ts";

/**
 * The command line of one session. Each part is small and pure; the whole is held by goldens (goldens/ beside this file).
 */
export function commandLine(hardware: Hardware): string[] {
	return [
		"qemu-system-x86_64",
		...systemArguments(hardware),
		...diskArguments(hardware),
		...networkArguments(hardware),
		...watchArguments(),
		...monitorArguments(),
	];
}

export { machineType };
