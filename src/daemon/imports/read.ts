import type { ImportView } from "../../api/import.ts";
import type { Described } from "../../templates/import/described.ts";
import { DescriptionError } from "../../templates/import/described.ts";
import { readLibvirt } from "../../templates/import/libvirt.ts";
import { readOvf } from "../../templates/import/ovf.ts";
import { readProxmox } from "../../templates/import/proxmox.ts";
import { readVmx } from "../../templates/import/vmx.ts";
import { readXml } from "../../templates/import/xml.ts";

/**
 * Finds out what kind of description a text is, and reads it.
 * @param name of its file
 * @returns undefined for a text that describes no machine; it may describe a disk
 * @throws DescriptionError
 */
export function readDescription(
	text: string,
	name: string,
): { kind: Exclude<ImportView["kind"], "disk" | "ova">; described: Described } | undefined {
	const trimmed = text.replace(/^\ufeff/, "").trimStart();
	if (trimmed.startsWith("<")) {
		const root = readXml(trimmed);
		if (root.name === "Envelope") return { kind: "ovf", described: readOvf(root) };
		if (root.name === "domain") return { kind: "libvirt", described: readLibvirt(root) };
		throw new DescriptionError("is XML, and neither an OVF nor a machine of libvirt (virsh dumpxml)");
	}
	// Blanks within a line only: \s goes on over line ends, and from each line anew.
	if (/\.vmx$/i.test(name) || /^[ \t]*(config\.version|virtualHW\.version)[ \t]*=/im.test(text))
		return { kind: "vmx", described: readVmx(text) };
	const isProxmox =
		/^(scsi|sata|ide|virtio)\d+:[ \t]*\S/m.test(text) &&
		/^(memory|cores|ostype|net\d+|boot|bootdisk|scsihw|smbios1):/m.test(text);
	return isProxmox ? { kind: "proxmox", described: readProxmox(text) } : undefined;
}
