// Made by scripts/qmp-types.ts from QEMU 7.2. Do not edit.

type T20 = { enable?: readonly T48[] };
type T48 = "oob";
type T0 = Record<string, never>;
type T1 = { running: boolean; singlestep: boolean; status: T25 };
type T25 =
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
type T21 = { qemu: T49; package: string };
type T49 = { major: number; minor: number; micro: number };
type T14 = { filename: string; device?: string; head?: number; format?: T41 };
type T41 = "ppm" | "png";
type T24 = { "command-line": string; "cpu-index"?: number };
type T16 = { capabilities: readonly T17[] };
type T17 = { capability: T47; state: boolean };
type T47 =
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
type T18 = { uri: string; blk?: boolean; inc?: boolean; detach?: boolean; resume?: boolean };
type T19 = { uri: string };
type T15 = {
	status?: T42;
	ram?: T43;
	disk?: T43;
	vfio?: T44;
	"xbzrle-cache"?: T45;
	"total-time"?: number;
	"expected-downtime"?: number;
	downtime?: number;
	"setup-time"?: number;
	"cpu-throttle-percentage"?: number;
	"error-desc"?: string;
	"blocked-reasons"?: readonly string[];
	"postcopy-blocktime"?: number;
	"postcopy-vcpu-blocktime"?: readonly number[];
	compression?: T46;
	"socket-address"?: readonly T40[];
};
type T42 =
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
type T43 = {
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
type T44 = { transferred: number };
type T45 = {
	"cache-size": number;
	bytes: number;
	pages: number;
	"cache-miss": number;
	"cache-miss-rate": number;
	"encoding-rate": number;
	overflow: number;
};
type T46 = {
	pages: number;
	busy: number;
	"busy-rate": number;
	"compressed-size": number;
	"compression-rate": number;
};
type T40 = { type: T54 } & (
	| ({ type: "inet" } & T53)
	| ({ type: "unix" } & T56)
	| ({ type: "vsock" } & T57)
	| ({ type: "fd" } & T55)
	| object
);
type T54 = "inet" | "unix" | "vsock" | "fd";
type T53 = {
	host: string;
	port: string;
	numeric?: boolean;
	to?: number;
	ipv4?: boolean;
	ipv6?: boolean;
	"keep-alive"?: boolean;
	mptcp?: boolean;
};
type T56 = { path: string; abstract?: boolean; tight?: boolean };
type T57 = { cid: string; port: string };
type T55 = { str: string };
type T11 = {
	paging: boolean;
	protocol: string;
	detach?: boolean;
	begin?: number;
	length?: number;
	format?: T38;
};
type T38 = "elf" | "kdump-zlib" | "kdump-lzo" | "kdump-snappy" | "win-dmp";
type T9 = { "node-name": string };
type T23 = { id: string };
type T22 = { id: string };
type T5 = { reboot?: T28; shutdown?: T29; panic?: T30; watchdog?: T27 };
type T28 = "reset" | "shutdown";
type T29 = "poweroff" | "pause";
type T30 = "pause" | "shutdown" | "exit-failure" | "none";
type T27 = "reset" | "shutdown" | "poweroff" | "pause" | "debug" | "none" | "inject-nmi";
type T13 = { name: string; up: boolean };
type T12 = { status: T39; completed: number; total: number };
type T39 = "none" | "active" | "completed" | "failed";
type T6 = { action: T31; info?: T32 };
type T31 = "pause" | "poweroff" | "run";
type T32 = { type: T50 } & (({ type: "hyper-v" } & T51) | ({ type: "s390" } & T52) | object);
type T50 = "hyper-v" | "s390";
type T51 = { arg1: number; arg2: number; arg3: number; arg4: number; arg5: number };
type T52 = { core: number; "psw-mask": number; "psw-addr": number; reason: T58 };
type T58 = "unknown" | "disabled-wait" | "extint-loop" | "pgmint-loop" | "opint-loop";
type T7 = { action: T31; info?: T32 };
type T2 = { guest: boolean; reason: T26 };
type T26 =
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
type T3 = { guest: boolean; reason: T26 };
type T10 = {
	device: string;
	"node-name"?: string;
	operation: T36;
	action: T37;
	nospace?: boolean;
	reason: string;
};
type T36 = "read" | "write";
type T37 = "ignore" | "report" | "stop";
type T4 = { action: T27 };
type T8 = { recipient: T33; action: T34; flags: T35 };
type T33 = "hypervisor" | "guest";
type T34 = "ignore" | "inject" | "fatal" | "reset";
type T35 = { "action-required": boolean; recursive: boolean };

/** The QMP commands that Bulkhead uses. */
export interface Commands {
	qmp_capabilities: { arguments: T20; return: T0 };
	"query-status": { arguments: T0; return: T1 };
	"query-version": { arguments: T0; return: T21 };
	system_powerdown: { arguments: T0; return: T0 };
	quit: { arguments: T0; return: T0 };
	stop: { arguments: T0; return: T0 };
	cont: { arguments: T0; return: T0 };
	"inject-nmi": { arguments: T0; return: T0 };
	screendump: { arguments: T14; return: T0 };
	"human-monitor-command": { arguments: T24; return: string };
	"migrate-set-capabilities": { arguments: T16; return: T0 };
	migrate: { arguments: T18; return: T0 };
	"migrate-incoming": { arguments: T19; return: T0 };
	"query-migrate": { arguments: T0; return: T15 };
	"dump-guest-memory": { arguments: T11; return: T0 };
	"blockdev-add": { arguments: Record<string, unknown>; return: T0 };
	"blockdev-del": { arguments: T9; return: T0 };
	device_add: { arguments: Record<string, unknown>; return: T0 };
	device_del: { arguments: T23; return: T0 };
	"object-add": { arguments: Record<string, unknown>; return: T0 };
	"object-del": { arguments: T22; return: T0 };
	"set-action": { arguments: T5; return: T0 };
	set_link: { arguments: T13; return: T0 };
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
