import { type Hardware, inside, type Memory } from "../hardware.ts";

/** Versioned, so that a newer QEMU builds the same machine: Windows asks for activation again when hardware moves. */
export const machineType = "pc-q35-7.2";

/** Machine, processor, memory, clock and boot. */
export function systemArguments(hardware: Hardware): string[] {
	const { name, uuid, memory, cpus } = hardware;
	const size = `${Math.ceil(hardware.memoryBytes / 2 ** 20)}M`;
	return [
		...["-name", `guest=${name},process=bulkhead-${name.replace("#", "-")}`],
		...["-uuid", uuid],
		...["-machine", `${machineType},usb=off,smm=off${memory.kind === "own" ? "" : ",memory-backend=ram"}`],
		...accelerator(hardware),
		...["-m", size],
		...memoryArguments(memory, size),
		...["-smp", `${cpus},sockets=1,cores=${cpus},threads=1`],
		...["-rtc", "base=utc,clock=host"],
		...["-nodefaults", "-no-user-config"],
		...["-display", "none"],
		...["-device", "VGA,vgamem_mb=16"],
		...["-device", "virtio-rng-pci"],
		...["-device", `vmgenid,guid=${hardware.generation}`],
		// The last wall: a captured QEMU can neither start programs nor regain privileges.
		...["-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"],
		...boot(hardware),
	];
}

/**
 * Memory in a file that is shared is left out of the saved state, so sealing writes a few hundred kilobytes and
 * loading reads as few. QEMU opens the file read-write in either case; only a sealed memfd keeps it from writing.
 */
function memoryArguments(memory: Memory, size: string): string[] {
	if (memory.kind === "own") return [];
	const { descriptor, kind } = memory;
	const share = kind === "sealing" ? "on" : "off";
	const file = `memory-backend-file,id=ram,size=${size},mem-path=/proc/self/fd/${descriptor},share=${share}`;
	return ["-object", file, ...(kind === "sealed" ? ["-S", "-incoming", "defer"] : [])];
}

function accelerator({ accelerator }: Hardware): string[] {
	return accelerator === "kvm"
		? ["-accel", "kvm", "-cpu", "host,migratable=on"]
		: ["-accel", "tcg,thread=multi,tb-size=128", "-cpu", "max"];
}

function boot({ boot }: Hardware): string[] {
	if (boot.kind === "disk") return ["-boot", "order=c,strict=on"];
	return ["-kernel", `${inside.boot}/kernel`, "-initrd", `${inside.boot}/initrd`, "-append", boot.append];
}
