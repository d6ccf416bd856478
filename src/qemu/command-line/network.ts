import type { Card } from "../../api/guest.ts";
import type { Hardware } from "../hardware.ts";

const drivers: Record<Card, string> = {
	virtio: "virtio-net-pci",
	e1000e: "e1000e",
	e1000: "e1000",
	vmxnet3: "vmxnet3",
	rtl8139: "rtl8139",
	pcnet: "pcnet",
};

/** The session's tap, made beforehand and owned by its user. No boot ROM: a guest never boots from the network. */
export function networkArguments({ nic }: Hardware): string[] {
	if (!nic) return [];
	return [
		...["-netdev", `tap,id=net0,ifname=${nic.tap},script=no,downscript=no`],
		...["-device", `${drivers[nic.card]},id=nic0,netdev=net0,mac=${nic.mac},romfile=`],
	];
}
