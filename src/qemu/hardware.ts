import type { Bus, Card, FirmwareKind, MachineKind } from "../api/guest.ts";

/** A virtual machine as QEMU shall build it. Paths are those inside the session's confinement. */
export interface Hardware {
	/** Shown by QEMU and in process lists: `dc1#7`. */
	name: string;
	uuid: string;
	/** VM-GenerationID: a guest that sees a new one knows that it runs from a copy, and makes new random numbers. */
	generation: string;
	accelerator: "kvm" | "tcg";
	memoryBytes: number;
	memory: Memory;
	cpus: number;
	boot: Boot;
	/** What suits the guest. */
	platform: Platform;
	/** Those that are there when it starts. */
	disks: readonly Disk[];
	/** Whether there is a controller for data disks that come and go. */
	hotplug: boolean;
	/** CD drives, in the order in which they are booted from, after all disks; and a floppy drive. */
	drives: readonly Drive[];
	nic: Nic | null;
	/** Whether its screen can be watched and its keyboard used from outside, by VNC. */
	screen: boolean;
	limits: DiskLimits;
}

/**
 * Where the guest's memory is: in QEMU's own, or in a file that QEMU gets as an open descriptor. `sealing` writes
 * through to the file; `sealed` starts paused, takes its state from elsewhere, and keeps what it changes to itself.
 */
export type Memory = { kind: "own" } | { kind: "sealing" | "sealed"; descriptor: number };

/** A kernel that QEMU loads itself, or whatever the system disk holds. */
export type Boot = { kind: "kernel"; append: string } | { kind: "disk" };

/** What suits a guest: see guests/NAME.yaml, and `guestSchema` for what each means. */
export interface Platform {
	machine: MachineKind;
	firmware: FirmwareKind;
	/** QEMU's `-cpu`, with all its properties. */
	processor: string;
	tpm: "none" | "crb" | "tis";
	clock: "utc" | "localtime";
	hpet: boolean;
	video: "VGA" | "cirrus-vga";
	usb: "none" | "uhci" | "xhci";
	virtio: boolean;
	diskFullBug: boolean;
}

/** A CD or floppy drive; null: without a disc. Discs are only read. */
export interface Drive {
	name: string;
	kind: "cd" | "floppy";
	file: string | null;
}

export interface Disk {
	/** `system`, or the data disk's name; the guest sees it as the disk's serial number. */
	name: string;
	file: string;
	/** `throw-away` disks may lose what was flushed; all others never do. */
	keep: "kept" | "throw-away";
	bus: Bus;
}

export interface Nic {
	tap: string;
	mac: string;
	card: Card;
}

export interface DiskLimits {
	bytesPerSecond: number;
	operationsPerSecond: number;
}

/** Where a session finds its files inside its confinement. */
export const inside = {
	session: "/session",
	sockets: "/sockets",
	boot: "/boot",
	disks: "/disks",
	firmware: "/firmware",
	discs: "/discs",
	console: "/session/console.log",
	qmp: "/sockets/qmp.sock",
	serial: "/sockets/console.sock",
	agent: "/sockets/agent.sock",
	gdb: "/sockets/gdb.sock",
	tpm: "/sockets/tpm.sock",
	vnc: "/sockets/vnc.sock",
	screen: "/session/screen.png",
	/** In memory. */
	frames: "/frames",
	dump: "/session/memory.dump",
	state: "/sockets/state.sock",
} as const;
