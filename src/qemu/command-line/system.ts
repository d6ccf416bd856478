import { type Hardware, inside, type Memory } from "../hardware.ts";
import { firmwareArguments, firmwareOptions } from "./firmware.ts";

/** Versioned, so that a newer QEMU builds the same machine: Windows asks for activation again when hardware moves. */
const machineTypes = { q35: "pc-q35-7.2", pc: "pc-i440fx-7.2" } as const;

export const machineTypeOf = ({ machine }: Hardware["platform"]) => machineTypes[machine];

/** Machine, processor, memory, clock and boot. */
export function systemArguments(hardware: Hardware): string[] {
	const { name, uuid, memory, cpus, platform } = hardware;
	const size = `${Math.ceil(hardware.memoryBytes / 2 ** 20)}M`;
	return [
		...["-name", `guest=${name},process=bulkhead-${name.replace("#", "-")}`],
		...["-uuid", uuid],
		...["-machine", machine(hardware)],
		...accelerator(hardware),
		...["-m", size],
		...memoryArguments(memory, size),
		...["-smp", `${cpus},sockets=1,cores=${cpus},threads=1`],
		...["-rtc", clock(platform)],
		...["-nodefaults", "-no-user-config"],
		...firmwareArguments(platform),
		...(hardware.screen ? ["-vnc", `unix:${inside.vnc}`] : ["-display", "none"]),
		...["-device", platform.video === "VGA" ? "VGA,vgamem_mb=16" : platform.video],
		...pointer(platform),
		...(platform.virtio ? ["-device", "virtio-rng-pci"] : []),
		...["-device", `vmgenid,guid=${hardware.generation}`],
		// The last wall: a captured QEMU can neither start programs nor regain privileges.
		...["-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"],
		...boot(hardware),
		...installerHack(hardware),
	];
}

function machine({ memory, platform }: Hardware): string {
	return [
		machineTypeOf(platform),
		"usb=off",
		...firmwareOptions(platform),
		...(platform.hpet ? [] : ["hpet=off"]),
		...(memory.kind === "own" ? [] : ["memory-backend=ram"]),
	].join(",");
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

function accelerator({ accelerator, platform }: Hardware): string[] {
	const accel = accelerator === "kvm" ? "kvm" : "tcg,thread=multi,tb-size=128";
	return ["-accel", accel, "-cpu", platform.processor];
}

/**
 * Windows counts the ticks of the real-time clock. QEMU drops those that came while the guest was not running;
 * `driftfix=slew` gives them back, which its manual (`-rtc`) advises for Windows' ACPI HAL. (The PIT gives its own back by
 * itself.) A Windows that has Hyper-V's timers counts those.
 */
function clock({ clock, processor }: Hardware["platform"]): string {
	const counted = clock === "localtime" && !processor.includes("hv-stimer");
	return `base=${clock},clock=host${counted ? ",driftfix=slew" : ""}`;
}

/** For as long as it is installed, by hand or not: it makes the disk slow (QEMU's manual, `-win2k-hack`). */
function installerHack({ platform, drives }: Hardware): string[] {
	return platform.diskFullBug && drives.some(({ file }) => file !== null) ? ["-win2k-hack"] : [];
}

/** The pointer of a tablet is where the viewer's is; that of a mouse drifts away. */
function pointer({ usb }: Hardware["platform"]): string[] {
	if (usb === "none") return [];
	const controller = usb === "xhci" ? "qemu-xhci" : "piix3-usb-uhci";
	return ["-device", `${controller},id=usb`, "-device", "usb-tablet,bus=usb.0"];
}

function boot({ boot }: Hardware): string[] {
	if (boot.kind === "disk") return ["-boot", "order=c,strict=on"];
	return ["-kernel", `${inside.boot}/kernel`, "-initrd", `${inside.boot}/initrd`, "-append", boot.append];
}
