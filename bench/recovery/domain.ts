/** The guest that Bulkhead runs, as its own command line says it. */
export interface GuestHardware {
	/** `pc-q35-7.2` */
	machine: string;
	accelerator: "kvm" | "tcg";
	memoryMiB: number;
	cpus: number;
	/** The kernel's command line without what Bulkhead adds for a session. */
	append: string;
}

/** @param argv QEMU's command line as a session's argv.json has it */
export function hardwareOf(argv: readonly string[]): GuestHardware {
	const value = (option: string) => {
		const found = argv[argv.indexOf(option) + 1];
		if (!argv.includes(option) || found === undefined) throw new Error(`QEMU was started without ${option}`);
		return found;
	};
	return {
		machine: value("-machine").split(",")[0] ?? "",
		accelerator: value("-accel").startsWith("kvm") ? "kvm" : "tcg",
		memoryMiB: Number.parseInt(value("-m"), 10),
		cpus: Number.parseInt(value("-smp"), 10),
		append: value("-append")
			.split(" ")
			.filter((word) => !word.startsWith("bulkhead."))
			.join(" "),
	};
}

export interface DomainPlace {
	name: string;
	uuid: string;
	bridge: string;
	/** With the length of its network: 10.81.0.10/24 */
	address: string;
	gateway: string;
	/** Folder with kernel, initrd and disk.qcow2, as libvirtd sees it. */
	folder: string;
}

/**
 * The same guest as a libvirt domain: machine type, accelerator, processor, memory and devices of Bulkhead's, the
 * devices on the root bus as there (libvirt would give each a bridge of its own, which costs boot time), the disk
 * as little cached as a throw-away one. What is libvirt's own: on_crash, and a reset of the same QEMU process.
 */
export function domainXml(guest: GuestHardware, place: DomainPlace): string {
	const kvm = guest.accelerator === "kvm";
	const append = `${guest.append} bulkhead.address=${place.address} bulkhead.gateway=${place.gateway} bulkhead.server=libvirt bulkhead.session=1`;
	const pci = (slot: number) => `<address type='pci' bus='0x00' slot='0x0${slot}'/>`;
	return `<domain type='${kvm ? "kvm" : "qemu"}'>
  <name>${place.name}</name>
  <uuid>${place.uuid}</uuid>
  <memory unit='MiB'>${guest.memoryMiB}</memory>
  <vcpu>${guest.cpus}</vcpu>
  <os>
    <type arch='x86_64' machine='${guest.machine}'>hvm</type>
    <kernel>${place.folder}/kernel</kernel>
    <initrd>${place.folder}/initrd</initrd>
    <cmdline>${escapeXml(append)}</cmdline>
  </os>
  <features><acpi/><smm state='off'/>${kvm ? "" : "<tcg><tb-cache unit='MiB'>128</tb-cache></tcg>"}</features>
  <cpu mode='${kvm ? "host-passthrough" : "maximum"}'/>
  <clock offset='utc'/>
  <on_poweroff>destroy</on_poweroff>
  <on_reboot>restart</on_reboot>
  <on_crash>restart</on_crash>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
    <controller type='usb' model='none'/>
    <controller type='virtio-serial' index='0'>${pci(5)}</controller>
    <disk type='file' device='disk'>
      <driver name='qemu' type='qcow2' cache='unsafe' discard='unmap'/>
      <source file='${place.folder}/disk.qcow2'/>
      <target dev='vda' bus='virtio'/>
      <serial>system</serial>
      ${pci(3)}
    </disk>
    <interface type='bridge'>
      <mac address='52:54:00:b0:00:02'/>
      <source bridge='${place.bridge}'/>
      <model type='virtio'/>
      <driver name='qemu'/>
      <rom enabled='no'/>
      ${pci(4)}
    </interface>
    <serial type='file'><source path='${place.folder}/console.log'/><target type='isa-serial' port='0'/></serial>
    <channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>
    <video><model type='vga' vram='16384'/>${pci(1)}</video>
    <rng model='virtio'><backend model='random'>/dev/urandom</backend>${pci(2)}</rng>
    <memballoon model='none'/>
    <panic model='isa'/>
  </devices>
</domain>
`;
}

function escapeXml(text: string): string {
	return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}
