import { type Hardware, inside } from "../hardware.ts";

/** What failures are noticed by: panic device, guest agent, and a machine that stays for its evidence. */
export function watchArguments({ platform }: Hardware): string[] {
	return [
		...["-device", "pvpanic"],
		// Both leave QEMU paused instead of gone: also a daemon that comes later can read what happened.
		...["-action", "panic=pause,shutdown=pause,reboot=reset"],
		...(platform.virtio ? agentArguments() : []),
	];
}

function agentArguments(): string[] {
	return [
		...["-device", "virtio-serial-pci"],
		...["-chardev", `socket,id=agent,path=${inside.agent},server=on,wait=off`],
		...["-device", "virtserialport,chardev=agent,name=org.qemu.guest_agent.0"],
	];
}
