// Made by scripts/qmp-types.ts from QEMU 7.2. Do not edit.

type T19 = { enable?: readonly T47[] };
type T47 = "oob";
type T0 = Record<string, never>;
type T1 = { running: boolean; singlestep: boolean; status: T24 };
type T24 =
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
type T20 = { qemu: T48; package: string };
type T48 = { major: number; minor: number; micro: number };
type T13 = { filename: string; device?: string; head?: number; format?: T40 };
type T40 = "ppm" | "png";
type T23 = { "command-line": string; "cpu-index"?: number };
type T15 = { capabilities: readonly T16[] };
type T16 = { capability: T46; state: boolean };
type T46 =
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
type T17 = { uri: string; blk?: boolean; inc?: boolean; detach?: boolean; resume?: boolean };
type T18 = { uri: string };
type T14 = {
	status?: T41;
	ram?: T42;
	disk?: T42;
	vfio?: T43;
	"xbzrle-cache"?: T44;
	"total-time"?: number;
	"expected-downtime"?: number;
	downtime?: number;
	"setup-time"?: number;
	"cpu-throttle-percentage"?: number;
	"error-desc"?: string;
	"blocked-reasons"?: readonly string[];
	"postcopy-blocktime"?: number;
	"postcopy-vcpu-blocktime"?: readonly number[];
	compression?: T45;
	"socket-address"?: readonly T39[];
};
type T41 =
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
type T42 = {
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
type T43 = { transferred: number };
type T44 = {
	"cache-size": number;
	bytes: number;
	pages: number;
	"cache-miss": number;
	"cache-miss-rate": number;
	"encoding-rate": number;
	overflow: number;
};
type T45 = {
	pages: number;
	busy: number;
	"busy-rate": number;
	"compressed-size": number;
	"compression-rate": number;
};
type T39 = { type: T53 } & (
	| ({ type: "inet" } & T52)
	| ({ type: "unix" } & T55)
	| ({ type: "vsock" } & T56)
	| ({ type: "fd" } & T54)
	| object
);
type T53 = "inet" | "unix" | "vsock" | "fd";
type T52 = {
	host: string;
	port: string;
	numeric?: boolean;
	to?: number;
	ipv4?: boolean;
	ipv6?: boolean;
	"keep-alive"?: boolean;
	mptcp?: boolean;
};
type T55 = { path: string; abstract?: boolean; tight?: boolean };
type T56 = { cid: string; port: string };
type T54 = { str: string };
type T11 = {
	paging: boolean;
	protocol: string;
	detach?: boolean;
	begin?: number;
	length?: number;
	format?: T37;
};
type T37 = "elf" | "kdump-zlib" | "kdump-lzo" | "kdump-snappy" | "win-dmp";
type T9 = { "node-name": string };
type T22 = { id: string };
type T21 = { id: string };
type T5 = { reboot?: T27; shutdown?: T28; panic?: T29; watchdog?: T26 };
type T27 = "reset" | "shutdown";
type T28 = "poweroff" | "pause";
type T29 = "pause" | "shutdown" | "exit-failure" | "none";
type T26 = "reset" | "shutdown" | "poweroff" | "pause" | "debug" | "none" | "inject-nmi";
type T12 = { status: T38; completed: number; total: number };
type T38 = "none" | "active" | "completed" | "failed";
type T6 = { action: T30; info?: T31 };
type T30 = "pause" | "poweroff" | "run";
type T31 = { type: T49 } & (({ type: "hyper-v" } & T50) | ({ type: "s390" } & T51) | object);
type T49 = "hyper-v" | "s390";
type T50 = { arg1: number; arg2: number; arg3: number; arg4: number; arg5: number };
type T51 = { core: number; "psw-mask": number; "psw-addr": number; reason: T57 };
type T57 = "unknown" | "disabled-wait" | "extint-loop" | "pgmint-loop" | "opint-loop";
type T7 = { action: T30; info?: T31 };
type T2 = { guest: boolean; reason: T25 };
type T25 =
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
type T3 = { guest: boolean; reason: T25 };
type T10 = {
	device: string;
	"node-name"?: string;
	operation: T35;
	action: T36;
	nospace?: boolean;
	reason: string;
};
type T35 = "read" | "write";
type T36 = "ignore" | "report" | "stop";
type T4 = { action: T26 };
type T8 = { recipient: T32; action: T33; flags: T34 };
type T32 = "hypervisor" | "guest";
type T33 = "ignore" | "inject" | "fatal" | "reset";
type T34 = { "action-required": boolean; recursive: boolean };

/** The QMP commands that Bulkhead uses. */
export interface Commands {
	qmp_capabilities: { arguments: T19; return: T0 };
	"query-status": { arguments: T0; return: T1 };
	"query-version": { arguments: T0; return: T20 };
	system_powerdown: { arguments: T0; return: T0 };
	quit: { arguments: T0; return: T0 };
	stop: { arguments: T0; return: T0 };
	cont: { arguments: T0; return: T0 };
	"inject-nmi": { arguments: T0; return: T0 };
	screendump: { arguments: T13; return: T0 };
	"human-monitor-command": { arguments: T23; return: string };
	"migrate-set-capabilities": { arguments: T15; return: T0 };
	migrate: { arguments: T17; return: T0 };
	"migrate-incoming": { arguments: T18; return: T0 };
	"query-migrate": { arguments: T0; return: T14 };
	"dump-guest-memory": { arguments: T11; return: T0 };
	"blockdev-add": { arguments: Record<string, unknown>; return: T0 };
	"blockdev-del": { arguments: T9; return: T0 };
	device_add: { arguments: Record<string, unknown>; return: T0 };
	device_del: { arguments: T22; return: T0 };
	"object-add": { arguments: Record<string, unknown>; return: T0 };
	"object-del": { arguments: T21; return: T0 };
	"set-action": { arguments: T5; return: T0 };
	"query-dump": { arguments: T0; return: T12 };
}

/** The QMP events that Bulkhead acts on. */
export interface Events {
	GUEST_PANICKED: T6;
	GUEST_CRASHLOADED: T7;
	SHUTDOWN: T2;
	RESET: T3;
	STOP: T0;
	RESUME: T0;
	POWERDOWN: T0;
	BLOCK_IO_ERROR: T10;
	WATCHDOG: T4;
	MEMORY_FAILURE: T8;
}
