// Made by scripts/qmp-types.ts from QEMU 7.2. Do not edit.

type T22 = { enable?: readonly T51[] };
type T51 = "oob";
type T0 = Record<string, never>;
type T1 = { running: boolean; singlestep: boolean; status: T27 };
type T27 =
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
type T23 = { qemu: T52; package: string };
type T52 = { major: number; minor: number; micro: number };
type T15 = { filename: string; device?: string; head?: number; format?: T43 };
type T43 = "ppm" | "png";
type T16 = { keys: readonly T44[]; "hold-time"?: number };
type T44 = { type: T61 } & (({ type: "number" } & T62) | ({ type: "qcode" } & T63) | object);
type T61 = "number" | "qcode";
type T62 = { data: number };
type T63 = { data: T65 };
type T65 =
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
type T9 = { device?: string; id?: string; force?: boolean };
type T26 = { "command-line": string; "cpu-index"?: number };
type T18 = { capabilities: readonly T19[] };
type T19 = { capability: T50; state: boolean };
type T50 =
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
type T20 = { uri: string; blk?: boolean; inc?: boolean; detach?: boolean; resume?: boolean };
type T21 = { uri: string };
type T17 = {
	status?: T45;
	ram?: T46;
	disk?: T46;
	vfio?: T47;
	"xbzrle-cache"?: T48;
	"total-time"?: number;
	"expected-downtime"?: number;
	downtime?: number;
	"setup-time"?: number;
	"cpu-throttle-percentage"?: number;
	"error-desc"?: string;
	"blocked-reasons"?: readonly string[];
	"postcopy-blocktime"?: number;
	"postcopy-vcpu-blocktime"?: readonly number[];
	compression?: T49;
	"socket-address"?: readonly T42[];
};
type T45 =
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
type T46 = {
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
type T47 = { transferred: number };
type T48 = {
	"cache-size": number;
	bytes: number;
	pages: number;
	"cache-miss": number;
	"cache-miss-rate": number;
	"encoding-rate": number;
	overflow: number;
};
type T49 = {
	pages: number;
	busy: number;
	"busy-rate": number;
	"compressed-size": number;
	"compression-rate": number;
};
type T42 = { type: T57 } & (
	| ({ type: "inet" } & T56)
	| ({ type: "unix" } & T59)
	| ({ type: "vsock" } & T60)
	| ({ type: "fd" } & T58)
	| object
);
type T57 = "inet" | "unix" | "vsock" | "fd";
type T56 = {
	host: string;
	port: string;
	numeric?: boolean;
	to?: number;
	ipv4?: boolean;
	ipv6?: boolean;
	"keep-alive"?: boolean;
	mptcp?: boolean;
};
type T59 = { path: string; abstract?: boolean; tight?: boolean };
type T60 = { cid: string; port: string };
type T58 = { str: string };
type T12 = {
	paging: boolean;
	protocol: string;
	detach?: boolean;
	begin?: number;
	length?: number;
	format?: T40;
};
type T40 = "elf" | "kdump-zlib" | "kdump-lzo" | "kdump-snappy" | "win-dmp";
type T10 = { "node-name": string };
type T25 = { id: string };
type T24 = { id: string };
type T5 = { reboot?: T30; shutdown?: T31; panic?: T32; watchdog?: T29 };
type T30 = "reset" | "shutdown";
type T31 = "poweroff" | "pause";
type T32 = "pause" | "shutdown" | "exit-failure" | "none";
type T29 = "reset" | "shutdown" | "poweroff" | "pause" | "debug" | "none" | "inject-nmi";
type T14 = { name: string; up: boolean };
type T13 = { status: T41; completed: number; total: number };
type T41 = "none" | "active" | "completed" | "failed";
type T6 = { action: T33; info?: T34 };
type T33 = "pause" | "poweroff" | "run";
type T34 = { type: T53 } & (({ type: "hyper-v" } & T54) | ({ type: "s390" } & T55) | object);
type T53 = "hyper-v" | "s390";
type T54 = { arg1: number; arg2: number; arg3: number; arg4: number; arg5: number };
type T55 = { core: number; "psw-mask": number; "psw-addr": number; reason: T64 };
type T64 = "unknown" | "disabled-wait" | "extint-loop" | "pgmint-loop" | "opint-loop";
type T7 = { action: T33; info?: T34 };
type T2 = { guest: boolean; reason: T28 };
type T28 =
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
type T3 = { guest: boolean; reason: T28 };
type T11 = {
	device: string;
	"node-name"?: string;
	operation: T38;
	action: T39;
	nospace?: boolean;
	reason: string;
};
type T38 = "read" | "write";
type T39 = "ignore" | "report" | "stop";
type T4 = { action: T29 };
type T8 = { recipient: T35; action: T36; flags: T37 };
type T35 = "hypervisor" | "guest";
type T36 = "ignore" | "inject" | "fatal" | "reset";
type T37 = { "action-required": boolean; recursive: boolean };

/** The QMP commands that Bulkhead uses. */
export interface Commands {
	qmp_capabilities: { arguments: T22; return: T0 };
	"query-status": { arguments: T0; return: T1 };
	"query-version": { arguments: T0; return: T23 };
	system_powerdown: { arguments: T0; return: T0 };
	quit: { arguments: T0; return: T0 };
	stop: { arguments: T0; return: T0 };
	cont: { arguments: T0; return: T0 };
	"inject-nmi": { arguments: T0; return: T0 };
	screendump: { arguments: T15; return: T0 };
	"send-key": { arguments: T16; return: T0 };
	eject: { arguments: T9; return: T0 };
	"human-monitor-command": { arguments: T26; return: string };
	"migrate-set-capabilities": { arguments: T18; return: T0 };
	migrate: { arguments: T20; return: T0 };
	"migrate-incoming": { arguments: T21; return: T0 };
	"query-migrate": { arguments: T0; return: T17 };
	"dump-guest-memory": { arguments: T12; return: T0 };
	"blockdev-add": { arguments: Record<string, unknown>; return: T0 };
	"blockdev-del": { arguments: T10; return: T0 };
	device_add: { arguments: Record<string, unknown>; return: T0 };
	device_del: { arguments: T25; return: T0 };
	"object-add": { arguments: Record<string, unknown>; return: T0 };
	"object-del": { arguments: T24; return: T0 };
	"set-action": { arguments: T5; return: T0 };
	set_link: { arguments: T14; return: T0 };
	"query-dump": { arguments: T0; return: T13 };
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
	BLOCK_IO_ERROR: T11;
	WATCHDOG: T4;
	MEMORY_FAILURE: T8;
}
