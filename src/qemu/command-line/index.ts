import type { Hardware } from "../hardware.ts";
import { diskArguments, driveArguments } from "./disks.ts";
import { monitorArguments } from "./monitor.ts";
import { networkArguments } from "./network.ts";
import { machineTypeOf, systemArguments } from "./system.ts";
import { watchArguments } from "./watch.ts";

/**
 * The command line of one session. Each part is small and pure; the whole is held by goldens (goldens/ beside this file).
 */
export function commandLine(hardware: Hardware): string[] {
	return [
		"qemu-system-x86_64",
		...systemArguments(hardware),
		...diskArguments(hardware),
		...driveArguments(hardware),
		...networkArguments(hardware),
		...watchArguments(hardware),
		...monitorArguments(),
	];
}

/**
 * Names of disks that another of the machine's devices has already: QEMU would not start.
 * @param hardware with all disks that it may ever have
 */
export function takenNames(hardware: Hardware): string[] {
	const words = commandLine(hardware);
	const ids = words.filter((_, i) => words[i - 1] === "-device").map((word) => /,id=([^,]+)/.exec(word)?.[1]);
	return hardware.disks.map(({ name }) => name).filter((name) => ids.filter((id) => id === name).length > 1);
}

export { whyNotAttachable } from "./controllers.ts";
export { firmwareFiles, variablesFile } from "./firmware.ts";
export { machineTypeOf };
