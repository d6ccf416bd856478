// Made by scripts/qmp-types.ts from QEMU 7.2. Do not edit.

type T23 = { enable?: readonly T55[] };
type T55 = "oob";
type T0 = Record<string, never>;
type T1 = { running: boolean; singlestep: boolean; status: T28 };
type T28 =
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
type T24 = { qemu: T56; package: string };
type T56 = { major: number; minor: number; micro: number };
type T15 = { filename: string; device?: string; head?: number; format?: T45 };
type T45 = "ppm" | "png";
type T16 = { keys: readonly T46[]; "hold-time"?: number };
type T46 = { type: T65 } & (({ type: "number" } & T66) | ({ type: "qcode" } & T67) | object);
type T65 = "number" | "qcode";
type T66 = { data: number };
type T67 = { data: T70 };
type T70 =
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
type T27 = { "command-line": string; "cpu-index"?: number };
type T18 = { capabilities: readonly T19[] };
type T19 = { capability: T52; state: boolean };
type T52 =
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
type T20 = {
	"announce-initial"?: number;
	"announce-max"?: number;
	"announce-rounds"?: number;
	"announce-step"?: number;
	"compress-level"?: number;
	"compress-threads"?: number;
	"compress-wait-thread"?: boolean;
	"decompress-threads"?: number;
	"throttle-trigger-threshold"?: number;
	"cpu-throttle-initial"?: number;
	"cpu-throttle-increment"?: number;
	"cpu-throttle-tailslow"?: boolean;
	"tls-creds"?: T41;
	"tls-hostname"?: T41;
	"tls-authz"?: T41;
	"max-bandwidth"?: number;
	"downtime-limit"?: number;
	"x-checkpoint-delay"?: number;
	"block-incremental"?: boolean;
	"multifd-channels"?: number;
	"xbzrle-cache-size"?: number;
	"max-postcopy-bandwidth"?: number;
	"max-cpu-throttle"?: number;
	"multifd-compression"?: T53;
	"multifd-zlib-level"?: number;
	"multifd-zstd-level"?: number;
	"block-bitmap-mapping"?: readonly T54[];
};
type T41 = string | null;
type T53 = "none" | "zlib" | "zstd";
type T54 = { "node-name": string; alias: string; bitmaps: readonly T68[] };
type T68 = { name: string; alias: string; transform?: T71 };
type T71 = { persistent?: boolean };
type T21 = { uri: string; blk?: boolean; inc?: boolean; detach?: boolean; resume?: boolean };
type T22 = { uri: string };
type T17 = {
	status?: T47;
	ram?: T48;
	disk?: T48;
	vfio?: T49;
	"xbzrle-cache"?: T50;
	"total-time"?: number;
	"expected-downtime"?: number;
	downtime?: number;
	"setup-time"?: number;
	"cpu-throttle-percentage"?: number;
	"error-desc"?: string;
	"blocked-reasons"?: readonly string[];
	"postcopy-blocktime"?: number;
	"postcopy-vcpu-blocktime"?: readonly number[];
	compression?: T51;
	"socket-address"?: readonly T44[];
};
type T47 =
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
type T48 = {
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
type T49 = { transferred: number };
type T50 = {
	"cache-size": number;
	bytes: number;
	pages: number;
	"cache-miss": number;
	"cache-miss-rate": number;
	"encoding-rate": number;
	overflow: number;
};
type T51 = {
	pages: number;
	busy: number;
	"busy-rate": number;
	"compressed-size": number;
	"compression-rate": number;
};
type T44 = { type: T61 } & (
	| ({ type: "inet" } & T60)
	| ({ type: "unix" } & T63)
	| ({ type: "vsock" } & T64)
	| ({ type: "fd" } & T62)
	| object
);
type T61 = "inet" | "unix" | "vsock" | "fd";
type T60 = {
	host: string;
	port: string;
	numeric?: boolean;
	to?: number;
	ipv4?: boolean;
	ipv6?: boolean;
	"keep-alive"?: boolean;
	mptcp?: boolean;
};
type T63 = { path: string; abstract?: boolean; tight?: boolean };
type T64 = { cid: string; port: string };
type T62 = { str: string };
type T12 = {
	paging: boolean;
	protocol: string;
	detach?: boolean;
	begin?: number;
	length?: number;
	format?: T42;
};
type T42 = "elf" | "kdump-zlib" | "kdump-lzo" | "kdump-snappy" | "win-dmp";
type T10 = { "node-name": string };
type T26 = { id: string };
type T25 = { id: string };
type T5 = { reboot?: T31; shutdown?: T32; panic?: T33; watchdog?: T30 };
type T31 = "reset" | "shutdown";
type T32 = "poweroff" | "pause";
type T33 = "pause" | "shutdown" | "exit-failure" | "none";
type T30 = "reset" | "shutdown" | "poweroff" | "pause" | "debug" | "none" | "inject-nmi";
type T14 = { name: string; up: boolean };
type T13 = { status: T43; completed: number; total: number };
type T43 = "none" | "active" | "completed" | "failed";
type T6 = { action: T34; info?: T35 };
type T34 = "pause" | "poweroff" | "run";
type T35 = { type: T57 } & (({ type: "hyper-v" } & T58) | ({ type: "s390" } & T59) | object);
type T57 = "hyper-v" | "s390";
type T58 = { arg1: number; arg2: number; arg3: number; arg4: number; arg5: number };
type T59 = { core: number; "psw-mask": number; "psw-addr": number; reason: T69 };
type T69 = "unknown" | "disabled-wait" | "extint-loop" | "pgmint-loop" | "opint-loop";
type T7 = { action: T34; info?: T35 };
type T2 = { guest: boolean; reason: T29 };
type T29 =
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
type T3 = { guest: boolean; reason: T29 };
type T11 = {
	device: string;
	"node-name"?: string;
	operation: T39;
	action: T40;
	nospace?: boolean;
	reason: string;
};
type T39 = "read" | "write";
type T40 = "ignore" | "report" | "stop";
type T4 = { action: T30 };
type T8 = { recipient: T36; action: T37; flags: T38 };
type T36 = "hypervisor" | "guest";
type T37 = "ignore" | "inject" | "fatal" | "reset";
type T38 = { "action-required": boolean; recursive: boolean };

/** The QMP commands that Bulkhead uses. */
export interface Commands {
	qmp_capabilities: { arguments: T23; return: T0 };
	"query-status": { arguments: T0; return: T1 };
	"query-version": { arguments: T0; return: T24 };
	system_powerdown: { arguments: T0; return: T0 };
	quit: { arguments: T0; return: T0 };
	stop: { arguments: T0; return: T0 };
	cont: { arguments: T0; return: T0 };
	"inject-nmi": { arguments: T0; return: T0 };
	screendump: { arguments: T15; return: T0 };
	"send-key": { arguments: T16; return: T0 };
	eject: { arguments: T9; return: T0 };
	"human-monitor-command": { arguments: T27; return: string };
	"migrate-set-capabilities": { arguments: T18; return: T0 };
	"migrate-set-parameters": { arguments: T20; return: T0 };
	migrate: { arguments: T21; return: T0 };
	"migrate-incoming": { arguments: T22; return: T0 };
	"query-migrate": { arguments: T0; return: T17 };
	"dump-guest-memory": { arguments: T12; return: T0 };
	"blockdev-add": { arguments: Record<string, unknown>; return: T0 };
	"blockdev-del": { arguments: T10; return: T0 };
	device_add: { arguments: Record<string, unknown>; return: T0 };
	device_del: { arguments: T26; return: T0 };
	"object-add": { arguments: Record<string, unknown>; return: T0 };
	"object-del": { arguments: T25; return: T0 };
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
