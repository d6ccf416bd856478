// Made by scripts/qmp-types.ts from QEMU 7.2. Do not edit.

type T15 = { enable?: readonly T38[] };
type T38 = "oob";
type T0 = Record<string, never>;
type T1 = { running: boolean; singlestep: boolean; status: T20 };
type T20 =
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
type T16 = { qemu: T39; package: string };
type T39 = { major: number; minor: number; micro: number };
type T9 = { filename: string; device?: string; head?: number; format?: T31 };
type T31 = "ppm" | "png";
type T19 = { "command-line": string; "cpu-index"?: number };
type T11 = { capabilities: readonly T12[] };
type T12 = { capability: T37; state: boolean };
type T37 =
	| "xbzrle"
	| "rdma-pin-all"
	| "auto-converge"
	| "zero-blocks"
	| "compress"
	| "events"
	| "postcopy-ram"
	| "x-colo"
	| "release-ram"
	| "block"
	| "return-path"
	| "pause-before-switchover"
	| "multifd"
	| "dirty-bitmaps"
	| "postcopy-blocktime"
	| "late-block-activate"
	| "x-ignore-shared"
	| "validate-uuid"
	| "background-snapshot"
	| "zero-copy-send"
	| "postcopy-preempt";
type T13 = { uri: string; blk?: boolean; inc?: boolean; detach?: boolean; resume?: boolean };
type T14 = { uri: string };
type T10 = {
	status?: T32;
	ram?: T33;
	disk?: T33;
	vfio?: T34;
	"xbzrle-cache"?: T35;
	"total-time"?: number;
	"expected-downtime"?: number;
	downtime?: number;
	"setup-time"?: number;
	"cpu-throttle-percentage"?: number;
	"error-desc"?: string;
	"blocked-reasons"?: readonly string[];
	"postcopy-blocktime"?: number;
	"postcopy-vcpu-blocktime"?: readonly number[];
	compression?: T36;
	"socket-address"?: readonly T30[];
};
type T32 =
	| "none"
	| "setup"
	| "cancelling"
	| "cancelled"
	| "active"
	| "postcopy-active"
	| "postcopy-paused"
	| "postcopy-recover"
	| "completed"
	| "failed"
	| "colo"
	| "pre-switchover"
	| "device"
	| "wait-unplug";
type T33 = {
	transferred: number;
	remaining: number;
	total: number;
	duplicate: number;
	skipped: number;
	normal: number;
	"normal-bytes": number;
	"dirty-pages-rate": number;
	mbps: number;
	"dirty-sync-count": number;
	"postcopy-requests": number;
	"page-size": number;
	"multifd-bytes": number;
	"pages-per-second": number;
	"precopy-bytes": number;
	"downtime-bytes": number;
	"postcopy-bytes": number;
	"dirty-sync-missed-zero-copy": number;
};
type T34 = { transferred: number };
type T35 = {
	"cache-size": number;
	bytes: number;
	pages: number;
	"cache-miss": number;
	"cache-miss-rate": number;
	"encoding-rate": number;
	overflow: number;
};
type T36 = {
	pages: number;
	busy: number;
	"busy-rate": number;
	"compressed-size": number;
	"compression-rate": number;
};
type T30 = { type: T44 } & (
	| ({ type: "inet" } & T43)
	| ({ type: "unix" } & T46)
	| ({ type: "vsock" } & T47)
	| ({ type: "fd" } & T45)
	| object
);
type T44 = "inet" | "unix" | "vsock" | "fd";
type T43 = {
	host: string;
	port: string;
	numeric?: boolean;
	to?: number;
	ipv4?: boolean;
	ipv6?: boolean;
	"keep-alive"?: boolean;
	mptcp?: boolean;
};
type T46 = { path: string; abstract?: boolean; tight?: boolean };
type T47 = { cid: string; port: string };
type T45 = { str: string };
type T7 = { "node-name": string };
type T18 = { id: string };
type T17 = { id: string };
type T5 = { action: T23; info?: T24 };
type T23 = "pause" | "poweroff" | "run";
type T24 = { type: T40 } & (({ type: "hyper-v" } & T41) | ({ type: "s390" } & T42) | object);
type T40 = "hyper-v" | "s390";
type T41 = { arg1: number; arg2: number; arg3: number; arg4: number; arg5: number };
type T42 = { core: number; "psw-mask": number; "psw-addr": number; reason: T48 };
type T48 = "unknown" | "disabled-wait" | "extint-loop" | "pgmint-loop" | "opint-loop";
type T2 = { guest: boolean; reason: T21 };
type T21 =
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
type T3 = { guest: boolean; reason: T21 };
type T8 = {
	device: string;
	"node-name"?: string;
	operation: T28;
	action: T29;
	nospace?: boolean;
	reason: string;
};
type T28 = "read" | "write";
type T29 = "ignore" | "report" | "stop";
type T4 = { action: T22 };
type T22 = "reset" | "shutdown" | "poweroff" | "pause" | "debug" | "none" | "inject-nmi";
type T6 = { recipient: T25; action: T26; flags: T27 };
type T25 = "hypervisor" | "guest";
type T26 = "ignore" | "inject" | "fatal" | "reset";
type T27 = { "action-required": boolean; recursive: boolean };

/** The QMP commands that Bulkhead uses. */
export interface Commands {
	qmp_capabilities: { arguments: T15; return: T0 };
	"query-status": { arguments: T0; return: T1 };
	"query-version": { arguments: T0; return: T16 };
	system_powerdown: { arguments: T0; return: T0 };
	quit: { arguments: T0; return: T0 };
	stop: { arguments: T0; return: T0 };
	cont: { arguments: T0; return: T0 };
	"inject-nmi": { arguments: T0; return: T0 };
	screendump: { arguments: T9; return: T0 };
	"human-monitor-command": { arguments: T19; return: string };
	"migrate-set-capabilities": { arguments: T11; return: T0 };
	migrate: { arguments: T13; return: T0 };
	"migrate-incoming": { arguments: T14; return: T0 };
	"query-migrate": { arguments: T0; return: T10 };
	"blockdev-add": { arguments: Record<string, unknown>; return: T0 };
	"blockdev-del": { arguments: T7; return: T0 };
	device_add: { arguments: Record<string, unknown>; return: T0 };
	device_del: { arguments: T18; return: T0 };
	"object-add": { arguments: Record<string, unknown>; return: T0 };
	"object-del": { arguments: T17; return: T0 };
}

/** The QMP events that Bulkhead acts on. */
export interface Events {
	GUEST_PANICKED: T5;
	SHUTDOWN: T2;
	RESET: T3;
	STOP: T0;
	RESUME: T0;
	POWERDOWN: T0;
	BLOCK_IO_ERROR: T8;
	WATCHDOG: T4;
	MEMORY_FAILURE: T6;
}
