import type { Commands } from "./schema.generated.ts";

/** How long QEMU may take to answer, in milliseconds. No monitor call waits for ever. */
const deadlines: Partial<Record<keyof Commands, number>> = {
	qmp_capabilities: 5000,
	"query-status": 10_000,
	quit: 2000,
	stop: 2000,
	cont: 2000,
	screendump: 2000,
	"human-monitor-command": 2000,
};

export function deadlineOf(command: keyof Commands): number {
	return deadlines[command] ?? 5000;
}
