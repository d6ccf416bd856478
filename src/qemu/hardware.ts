/** A virtual machine as QEMU shall build it. Paths are those inside the session's confinement. */
export interface Hardware {
	/** Shown by QEMU and in process lists: `dc1#7`. */
	name: string;
	uuid: string;
	accelerator: "kvm" | "tcg";
	memoryBytes: number;
	cpus: number;
	boot: Boot;
	disks: readonly Disk[];
	nic: Nic | null;
	limits: DiskLimits;
}

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
} as const;
