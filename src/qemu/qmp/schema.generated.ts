// Made by scripts/qmp-types.ts from QEMU 7.2. Do not edit.

type T9 = { enable?: readonly T23[] };
type T23 = "oob";
type T0 = Record<string, never>;
type T1 = { running: boolean; singlestep: boolean; status: T12 };
type T12 =
	| "debug"
	| "inmigrate"
	| "internal-error"
	| "io-error"
	| "paused"
	| "postmigrate"
	| "prelaunch"
	| "finish-migrate"
	| "restore-vm"
	| "running"
	| "save-vm"
	| "shutdown"
	| "suspended"
	| "watchdog"
	| "guest-panicked"
	| "colo";
type T10 = { qemu: T24; package: string };
type T24 = { major: number; minor: number; micro: number };
type T8 = { filename: string; device?: string; head?: number; format?: T22 };
type T22 = "ppm" | "png";
type T11 = { "command-line": string; "cpu-index"?: number };
type T5 = { action: T15; info?: T16 };
type T15 = "pause" | "poweroff" | "run";
type T16 = { type: T25 } & (({ type: "hyper-v" } & T26) | ({ type: "s390" } & T27) | object);
type T25 = "hyper-v" | "s390";
type T26 = { arg1: number; arg2: number; arg3: number; arg4: number; arg5: number };
type T27 = { core: number; "psw-mask": number; "psw-addr": number; reason: T28 };
type T28 = "unknown" | "disabled-wait" | "extint-loop" | "pgmint-loop" | "opint-loop";
type T2 = { guest: boolean; reason: T13 };
type T13 =
	| "none"
	| "host-error"
	| "host-qmp-quit"
	| "host-qmp-system-reset"
	| "host-signal"
	| "host-ui"
	| "guest-shutdown"
	| "guest-reset"
	| "guest-panic"
	| "subsystem-reset"
	| "snapshot-load";
type T3 = { guest: boolean; reason: T13 };
type T7 = {
	device: string;
	"node-name"?: string;
	operation: T20;
	action: T21;
	nospace?: boolean;
	reason: string;
};
type T20 = "read" | "write";
type T21 = "ignore" | "report" | "stop";
type T4 = { action: T14 };
type T14 = "reset" | "shutdown" | "poweroff" | "pause" | "debug" | "none" | "inject-nmi";
type T6 = { recipient: T17; action: T18; flags: T19 };
type T17 = "hypervisor" | "guest";
type T18 = "ignore" | "inject" | "fatal" | "reset";
type T19 = { "action-required": boolean; recursive: boolean };

/** The QMP commands that Bulkhead uses. */
export interface Commands {
	qmp_capabilities: { arguments: T9; return: T0 };
	"query-status": { arguments: T0; return: T1 };
	"query-version": { arguments: T0; return: T10 };
	system_powerdown: { arguments: T0; return: T0 };
	quit: { arguments: T0; return: T0 };
	stop: { arguments: T0; return: T0 };
	cont: { arguments: T0; return: T0 };
	"inject-nmi": { arguments: T0; return: T0 };
	screendump: { arguments: T8; return: T0 };
	"human-monitor-command": { arguments: T11; return: string };
}

/** The QMP events that Bulkhead acts on. */
export interface Events {
	GUEST_PANICKED: T5;
	SHUTDOWN: T2;
	RESET: T3;
	STOP: T0;
	RESUME: T0;
	POWERDOWN: T0;
	BLOCK_IO_ERROR: T7;
	WATCHDOG: T4;
	MEMORY_FAILURE: T6;
}
