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
	/** Those that are there when it starts. */
	disks: readonly Disk[];
	/** How data disks are attached: to a controller of their own, where they can come and go, or each by itself. */
	dataBus: "virtio-blk" | "scsi";
	nic: Nic | null;
	limits: DiskLimits;
}

/**
 * Where the guest's memory is: in QEMU's own, or in a file that QEMU gets as an open descriptor. `sealing` writes
 * through to the file; `sealed` starts paused, takes its state from elsewhere, and keeps what it changes to itself.
 */
export type Memory = { kind: "own" } | { kind: "sealing" | "sealed"; descriptor: number };

/** A kernel that QEMU loads itself, or whatever the system disk holds. */
export type Boot = { kind: "kernel"; append: string } | { kind: "disk" };

export interface Disk {
	/** `system`, or the data disk's name; the guest sees it as the disk's serial number. */
	name: string;
	file: string;
	/** `throw-away` disks may lose what was flushed; all others never do. */
	keep: "kept" | "throw-away";
}

export interface Nic {
	tap: string;
	mac: string;
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
	console: "/session/console.log",
	qmp: "/sockets/qmp.sock",
	serial: "/sockets/console.sock",
	agent: "/sockets/agent.sock",
	gdb: "/sockets/gdb.sock",
	screen: "/session/screen.png",
	dump: "/session/memory.dump",
	state: "/sockets/state.sock",
} as const;
