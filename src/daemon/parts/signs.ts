import type { MachineEvent } from "../../qemu/machine.ts";
import type { QmpEvent } from "../../qemu/qmp/connection.ts";
import { wordsOf } from "../../qemu/words.ts";
import type { Stop } from "../../session/crash.ts";
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
			return panicOf(data, at);
		// What dumps its memory by itself, as a Linux with kdump does, says so instead.
		case "GUEST_CRASHLOADED":
			return panicOf(data, at);
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

function panicOf(data: object, at: number): Sign {
	const { info, ...rest } = data as { info?: unknown };
	const stop = stopOf(info);
	return stop
		? { kind: "panicked", details: detailsOf(rest), stop, at }
		: { kind: "panicked", details: detailsOf(data), at };
}

/** Of a Linux on Hyper-V the second number is what it calls itself there (HV_LINUX_VENDOR_ID in its hyperv-tlfs.h). */
const linux = 0x8100n;

/**
 * Reads Hyper-V's crash event (GuestPanicInformationHyperV in QEMU's qapi/run-state.json), which holds what the guest
 * wrote into HV_X64_MSR_CRASH_P0 to P4: of a Windows its stop code and the four parameters. A guest that leaves a message
 * in its memory instead (CrashMessage of HV_X64_MSR_CRASH_CTL, with P3 and P4) has 0 for the code.
 */
function stopOf(info: unknown): Stop | undefined {
	const { type, ...args } = (info ?? {}) as Record<string, unknown>;
	if (type !== "hyper-v") return undefined;
	const numbers = [1, 2, 3, 4, 5].map((i) => wholeOf(args[`arg${i}`]));
	const [code, ...parameters] = numbers.filter((number) => number !== undefined);
	if (code === undefined || parameters.length < 4) return undefined;
	if (code === 0n || code > 0xffffffffn || (parameters[0] ?? 0n) >> 48n === linux) return undefined;
	const hex = (number: bigint) => `0x${number.toString(16).toUpperCase()}`;
	return { code: Number(code), parameters: parameters.map(hex) };
}

/** @returns a number of QEMU's, which has 64 bits */
function wholeOf(value: unknown): bigint | undefined {
	if (typeof value === "bigint") return BigInt.asUintN(64, value);
	return Number.isSafeInteger(value) ? BigInt.asUintN(64, BigInt(value as number)) : undefined;
}

/** Flattens what a panic event tells. QEMU may be captured: what is deep or wide is left out. */
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
	return wordsOf(value, textLimit);
}
