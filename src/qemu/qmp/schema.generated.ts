// Made by scripts/qmp-types.ts from QEMU 7.2. Do not edit.

type T16 = { enable?: readonly T40[] };
type T40 = "oob";
type T0 = Record<string, never>;
type T1 = { running: boolean; singlestep: boolean; status: T21 };
type T21 =
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
type T17 = { qemu: T41; package: string };
type T41 = { major: number; minor: number; micro: number };
type T10 = { filename: string; device?: string; head?: number; format?: T33 };
type T33 = "ppm" | "png";
type T20 = { "command-line": string; "cpu-index"?: number };
type T12 = { capabilities: readonly T13[] };
type T13 = { capability: T39; state: boolean };
type T39 =
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
type T14 = { uri: string; blk?: boolean; inc?: boolean; detach?: boolean; resume?: boolean };
type T15 = { uri: string };
type T11 = {
	status?: T34;
	ram?: T35;
	disk?: T35;
	vfio?: T36;
	"xbzrle-cache"?: T37;
	"total-time"?: number;
	"expected-downtime"?: number;
	downtime?: number;
	"setup-time"?: number;
	"cpu-throttle-percentage"?: number;
	"error-desc"?: string;
	"blocked-reasons"?: readonly string[];
	"postcopy-blocktime"?: number;
	"postcopy-vcpu-blocktime"?: readonly number[];
	compression?: T38;
	"socket-address"?: readonly T32[];
};
type T34 =
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
type T35 = {
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
type T36 = { transferred: number };
type T37 = {
	"cache-size": number;
	bytes: number;
	pages: number;
	"cache-miss": number;
	"cache-miss-rate": number;
	"encoding-rate": number;
	overflow: number;
};
type T38 = {
	pages: number;
	busy: number;
	"busy-rate": number;
	"compressed-size": number;
	"compression-rate": number;
};
type T32 = { type: T46 } & (
	| ({ type: "inet" } & T45)
	| ({ type: "unix" } & T48)
	| ({ type: "vsock" } & T49)
	| ({ type: "fd" } & T47)
	| object
);
type T46 = "inet" | "unix" | "vsock" | "fd";
type T45 = {
	host: string;
	port: string;
	numeric?: boolean;
	to?: number;
	ipv4?: boolean;
	ipv6?: boolean;
	"keep-alive"?: boolean;
	mptcp?: boolean;
};
type T48 = { path: string; abstract?: boolean; tight?: boolean };
type T49 = { cid: string; port: string };
type T47 = { str: string };
type T9 = {
	paging: boolean;
	protocol: string;
	detach?: boolean;
	begin?: number;
	length?: number;
	format?: T31;
};
type T31 = "elf" | "kdump-zlib" | "kdump-lzo" | "kdump-snappy" | "win-dmp";
type T7 = { "node-name": string };
type T19 = { id: string };
type T18 = { id: string };
type T5 = { action: T24; info?: T25 };
type T24 = "pause" | "poweroff" | "run";
type T25 = { type: T42 } & (({ type: "hyper-v" } & T43) | ({ type: "s390" } & T44) | object);
type T42 = "hyper-v" | "s390";
type T43 = { arg1: number; arg2: number; arg3: number; arg4: number; arg5: number };
type T44 = { core: number; "psw-mask": number; "psw-addr": number; reason: T50 };
type T50 = "unknown" | "disabled-wait" | "extint-loop" | "pgmint-loop" | "opint-loop";
type T2 = { guest: boolean; reason: T22 };
type T22 =
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
type T3 = { guest: boolean; reason: T22 };
type T8 = {
	device: string;
	"node-name"?: string;
	operation: T29;
	action: T30;
	nospace?: boolean;
	reason: string;
};
type T29 = "read" | "write";
type T30 = "ignore" | "report" | "stop";
type T4 = { action: T23 };
type T23 = "reset" | "shutdown" | "poweroff" | "pause" | "debug" | "none" | "inject-nmi";
type T6 = { recipient: T26; action: T27; flags: T28 };
type T26 = "hypervisor" | "guest";
type T27 = "ignore" | "inject" | "fatal" | "reset";
type T28 = { "action-required": boolean; recursive: boolean };

/** The QMP commands that Bulkhead uses. */
export interface Commands {
	qmp_capabilities: { arguments: T16; return: T0 };
	"query-status": { arguments: T0; return: T1 };
	"query-version": { arguments: T0; return: T17 };
	system_powerdown: { arguments: T0; return: T0 };
	quit: { arguments: T0; return: T0 };
	stop: { arguments: T0; return: T0 };
	cont: { arguments: T0; return: T0 };
	"inject-nmi": { arguments: T0; return: T0 };
	screendump: { arguments: T10; return: T0 };
	"human-monitor-command": { arguments: T20; return: string };
	"migrate-set-capabilities": { arguments: T12; return: T0 };
	migrate: { arguments: T14; return: T0 };
	"migrate-incoming": { arguments: T15; return: T0 };
	"query-migrate": { arguments: T0; return: T11 };
	"dump-guest-memory": { arguments: T9; return: T0 };
	"blockdev-add": { arguments: Record<string, unknown>; return: T0 };
	"blockdev-del": { arguments: T7; return: T0 };
	device_add: { arguments: Record<string, unknown>; return: T0 };
	device_del: { arguments: T19; return: T0 };
	"object-add": { arguments: Record<string, unknown>; return: T0 };
	"object-del": { arguments: T18; return: T0 };
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
