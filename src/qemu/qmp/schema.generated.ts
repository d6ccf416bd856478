// Made by scripts/qmp-types.ts from QEMU 7.2. Do not edit.

type T18 = { enable?: readonly T43[] };
type T43 = "oob";
type T0 = Record<string, never>;
type T1 = { running: boolean; singlestep: boolean; status: T23 };
type T23 =
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
type T19 = { qemu: T44; package: string };
type T44 = { major: number; minor: number; micro: number };
type T11 = { filename: string; device?: string; head?: number; format?: T35 };
type T35 = "ppm" | "png";
type T12 = { keys: readonly T36[]; "hold-time"?: number };
type T36 = { type: T53 } & (({ type: "number" } & T54) | ({ type: "qcode" } & T55) | object);
type T53 = "number" | "qcode";
type T54 = { data: number };
type T55 = { data: T57 };
type T57 =
	| "unmapped"
	| "shift"
	| "shift_r"
	| "alt"
	| "alt_r"
	| "ctrl"
	| "ctrl_r"
	| "menu"
	| "esc"
	| "1"
	| "2"
	| "3"
	| "4"
	| "5"
	| "6"
	| "7"
	| "8"
	| "9"
	| "0"
	| "minus"
	| "equal"
	| "backspace"
	| "tab"
	| "q"
	| "w"
	| "e"
	| "r"
	| "t"
	| "y"
	| "u"
	| "i"
	| "o"
	| "p"
	| "bracket_left"
	| "bracket_right"
	| "ret"
	| "a"
	| "s"
	| "d"
	| "f"
	| "g"
	| "h"
	| "j"
	| "k"
	| "l"
	| "semicolon"
	| "apostrophe"
	| "grave_accent"
	| "backslash"
	| "z"
	| "x"
	| "c"
	| "v"
	| "b"
	| "n"
	| "m"
	| "comma"
	| "dot"
	| "slash"
	| "asterisk"
	| "spc"
	| "caps_lock"
	| "f1"
	| "f2"
	| "f3"
	| "f4"
	| "f5"
	| "f6"
	| "f7"
	| "f8"
	| "f9"
	| "f10"
	| "num_lock"
	| "scroll_lock"
	| "kp_divide"
	| "kp_multiply"
	| "kp_subtract"
	| "kp_add"
	| "kp_enter"
	| "kp_decimal"
	| "sysrq"
	| "kp_0"
	| "kp_1"
	| "kp_2"
	| "kp_3"
	| "kp_4"
	| "kp_5"
	| "kp_6"
	| "kp_7"
	| "kp_8"
	| "kp_9"
	| "less"
	| "f11"
	| "f12"
	| "print"
	| "home"
	| "pgup"
	| "pgdn"
	| "end"
	| "left"
	| "up"
	| "down"
	| "right"
	| "insert"
	| "delete"
	| "stop"
	| "again"
	| "props"
	| "undo"
	| "front"
	| "copy"
	| "open"
	| "paste"
	| "find"
	| "cut"
	| "lf"
	| "help"
	| "meta_l"
	| "meta_r"
	| "compose"
	| "pause"
	| "ro"
	| "hiragana"
	| "henkan"
	| "yen"
	| "muhenkan"
	| "katakanahiragana"
	| "kp_comma"
	| "kp_equals"
	| "power"
	| "sleep"
	| "wake"
	| "audionext"
	| "audioprev"
	| "audiostop"
	| "audioplay"
	| "audiomute"
	| "volumeup"
	| "volumedown"
	| "mediaselect"
	| "mail"
	| "calculator"
	| "computer"
	| "ac_home"
	| "ac_back"
	| "ac_forward"
	| "ac_refresh"
	| "ac_bookmarks"
	| "lang1"
	| "lang2";
type T7 = { device?: string; id?: string; force?: boolean };
type T22 = { "command-line": string; "cpu-index"?: number };
type T14 = { capabilities: readonly T15[] };
type T15 = { capability: T42; state: boolean };
type T42 =
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
type T16 = { uri: string; blk?: boolean; inc?: boolean; detach?: boolean; resume?: boolean };
type T17 = { uri: string };
type T13 = {
	status?: T37;
	ram?: T38;
	disk?: T38;
	vfio?: T39;
	"xbzrle-cache"?: T40;
	"total-time"?: number;
	"expected-downtime"?: number;
	downtime?: number;
	"setup-time"?: number;
	"cpu-throttle-percentage"?: number;
	"error-desc"?: string;
	"blocked-reasons"?: readonly string[];
	"postcopy-blocktime"?: number;
	"postcopy-vcpu-blocktime"?: readonly number[];
	compression?: T41;
	"socket-address"?: readonly T34[];
};
type T37 =
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
type T38 = {
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
type T39 = { transferred: number };
type T40 = {
	"cache-size": number;
	bytes: number;
	pages: number;
	"cache-miss": number;
	"cache-miss-rate": number;
	"encoding-rate": number;
	overflow: number;
};
type T41 = {
	pages: number;
	busy: number;
	"busy-rate": number;
	"compressed-size": number;
	"compression-rate": number;
};
type T34 = { type: T49 } & (
	| ({ type: "inet" } & T48)
	| ({ type: "unix" } & T51)
	| ({ type: "vsock" } & T52)
	| ({ type: "fd" } & T50)
	| object
);
type T49 = "inet" | "unix" | "vsock" | "fd";
type T48 = {
	host: string;
	port: string;
	numeric?: boolean;
	to?: number;
	ipv4?: boolean;
	ipv6?: boolean;
	"keep-alive"?: boolean;
	mptcp?: boolean;
};
type T51 = { path: string; abstract?: boolean; tight?: boolean };
type T52 = { cid: string; port: string };
type T50 = { str: string };
type T10 = {
	paging: boolean;
	protocol: string;
	detach?: boolean;
	begin?: number;
	length?: number;
	format?: T33;
};
type T33 = "elf" | "kdump-zlib" | "kdump-lzo" | "kdump-snappy" | "win-dmp";
type T8 = { "node-name": string };
type T21 = { id: string };
type T20 = { id: string };
type T5 = { action: T26; info?: T27 };
type T26 = "pause" | "poweroff" | "run";
type T27 = { type: T45 } & (({ type: "hyper-v" } & T46) | ({ type: "s390" } & T47) | object);
type T45 = "hyper-v" | "s390";
type T46 = { arg1: number; arg2: number; arg3: number; arg4: number; arg5: number };
type T47 = { core: number; "psw-mask": number; "psw-addr": number; reason: T56 };
type T56 = "unknown" | "disabled-wait" | "extint-loop" | "pgmint-loop" | "opint-loop";
type T2 = { guest: boolean; reason: T24 };
type T24 =
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
type T3 = { guest: boolean; reason: T24 };
type T9 = {
	device: string;
	"node-name"?: string;
	operation: T31;
	action: T32;
	nospace?: boolean;
	reason: string;
};
type T31 = "read" | "write";
type T32 = "ignore" | "report" | "stop";
type T4 = { action: T25 };
type T25 = "reset" | "shutdown" | "poweroff" | "pause" | "debug" | "none" | "inject-nmi";
type T6 = { recipient: T28; action: T29; flags: T30 };
type T28 = "hypervisor" | "guest";
type T29 = "ignore" | "inject" | "fatal" | "reset";
type T30 = { "action-required": boolean; recursive: boolean };

/** The QMP commands that Bulkhead uses. */
export interface Commands {
	qmp_capabilities: { arguments: T18; return: T0 };
	"query-status": { arguments: T0; return: T1 };
	"query-version": { arguments: T0; return: T19 };
	system_powerdown: { arguments: T0; return: T0 };
	quit: { arguments: T0; return: T0 };
	stop: { arguments: T0; return: T0 };
	cont: { arguments: T0; return: T0 };
	"inject-nmi": { arguments: T0; return: T0 };
	screendump: { arguments: T11; return: T0 };
	"send-key": { arguments: T12; return: T0 };
	eject: { arguments: T7; return: T0 };
	"human-monitor-command": { arguments: T22; return: string };
	"migrate-set-capabilities": { arguments: T14; return: T0 };
	migrate: { arguments: T16; return: T0 };
	"migrate-incoming": { arguments: T17; return: T0 };
	"query-migrate": { arguments: T0; return: T13 };
	"dump-guest-memory": { arguments: T10; return: T0 };
	"blockdev-add": { arguments: Record<string, unknown>; return: T0 };
	"blockdev-del": { arguments: T8; return: T0 };
	device_add: { arguments: Record<string, unknown>; return: T0 };
	device_del: { arguments: T21; return: T0 };
	"object-add": { arguments: Record<string, unknown>; return: T0 };
	"object-del": { arguments: T20; return: T0 };
}

/** The QMP events that Bulkhead acts on. */
export interface Events {
	GUEST_PANICKED: T5;
	SHUTDOWN: T2;
	RESET: T3;
	STOP: T0;
	RESUME: T0;
	POWERDOWN: T0;
	BLOCK_IO_ERROR: T9;
	WATCHDOG: T4;
	MEMORY_FAILURE: T6;
}
