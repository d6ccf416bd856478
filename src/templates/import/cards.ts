import type { Card } from "../../api/guest.ts";

/** Network cards by what VMware, VirtualBox, Proxmox and libvirt call them. */
const models: readonly [RegExp, Card][] = [
	[/^virtio/, "virtio"],
	[/^e1000e/, "e1000e"],
	[/^(e1000|8254|82545|82540|82543)/, "e1000"],
	[/^vmxnet3/, "vmxnet3"],
	[/^rtl8139|^rtl/, "rtl8139"],
	[/^(pcnet|vlance|am79|flexible)/, "pcnet"],
];

/** @returns the card; null for one that is not built here, in the place of which the guest's usual is */
export function cardOf(model: string | undefined): Card | null {
	const text = (model ?? "").toLowerCase();
	return models.find(([pattern]) => pattern.test(text))?.[1] ?? null;
}
