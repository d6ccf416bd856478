import type { MachineEvent } from "../../qemu/machine.ts";
import type { QmpEvent } from "../../qemu/qmp/connection.ts";
import type { Sign } from "../../session/evidence.ts";

const textLimit = 400;
const depthLimit = 3;
const widthLimit = 20;

/** What a machine said, in the supervisor's words. @returns undefined for what means nothing to it */
export function signOf(event: MachineEvent): Sign | undefined {
	switch (event.kind) {
		case "ended":
			return { kind: "process-ended", code: event.code, at: event.at };
		case "monitor-lost":
			return { kind: "qmp-lost", why: event.why, at: event.at };
		case "qmp":
			return signOfQmp(event.event, event.at);
		default:
			return event satisfies never;
	}
}

function signOfQmp({ event, data }: QmpEvent, at: number): Sign | undefined {
	switch (event) {
		case "GUEST_PANICKED":
			return { kind: "panicked", details: detailsOf(data), at };
		case "SHUTDOWN":
			return { kind: "shutdown", guest: data.guest === true, reason: text(data.reason), at };
		case "RESET":
			return { kind: "reset", guest: data.guest === true, reason: text(data.reason), at };
		case "BLOCK_IO_ERROR":
			return { kind: "disk-error", diskFull: data.nospace === true, text: text(data.reason), at };
		default:
			return undefined;
	}
}

/**
 * Flattens what a panic event tells: for Windows on KVM the stop code and its parameters. QEMU may be captured: what
 * is deep or wide is left out.
 */
function detailsOf(data: object): Record<string, string> {
	const details: Record<string, string> = {};
	const add = (prefix: string, value: unknown, depth: number) => {
		if (typeof value !== "object" || value === null) details[prefix.slice(0, 80)] = text(value);
		else if (depth < depthLimit)
			for (const [key, inner] of Object.entries(value).slice(0, widthLimit))
				add(prefix ? `${prefix}.${key}` : key, inner, depth + 1);
	};
	add("", data, 0);
	return details;
}

function text(value: unknown): string {
	return String(value).slice(0, textLimit);
}
