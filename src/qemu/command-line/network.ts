import type { Hardware } from "../hardware.ts";

/** The session's tap, made beforehand and owned by its user. No boot ROM: a guest never boots from the network. */
export function networkArguments({ nic }: Hardware): string[] {
	if (!nic) return [];
	return [
		...["-netdev", `tap,id=net0,ifname=${nic.tap},script=no,downscript=no`],
		...["-device", `virtio-net-pci,id=nic0,netdev=net0,mac=${nic.mac},romfile=`],
	];
}
