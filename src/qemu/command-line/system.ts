import { type Hardware, inside } from "../hardware.ts";

/** Versioned, so that a newer QEMU builds the same machine: Windows asks for activation again when hardware moves. */
const machineType = "pc-q35-7.2";

/** Machine, processor, memory, clock and boot. */
export function systemArguments(hardware: Hardware): string[] {
	const { name, uuid, memoryBytes, cpus } = hardware;
	return [
		...["-name", `guest=${name},process=bulkhead-${name.replace("#", "-")}`],
		...["-uuid", uuid],
		...["-machine", `${machineType},usb=off,smm=off`],
		...accelerator(hardware),
		...["-m", `${Math.ceil(memoryBytes / 2 ** 20)}M`],
		...["-smp", `${cpus},sockets=1,cores=${cpus},threads=1`],
		...["-rtc", "base=utc,clock=host"],
		...["-nodefaults", "-no-user-config"],
		...["-display", "none"],
		...["-device", "VGA,vgamem_mb=16"],
		...["-device", "virtio-rng-pci"],
		// The last wall: a captured QEMU can neither start programs nor regain privileges.
		...["-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"],
		...boot(hardware),
	];
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
