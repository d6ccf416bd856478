import { describe, expect, test } from "vitest";
import { type Described, DescriptionError } from "./described.ts";
import { guessGuest } from "./guess.ts";
import { readLibvirt } from "./libvirt.ts";
import { readManifest } from "./manifest.ts";
import { readOvf } from "./ovf.ts";
import { readProxmox } from "./proxmox.ts";
import { readVmx } from "./vmx.ts";
import { readXml } from "./xml.ts";

/** Descriptions as each house writes them, put together after its documentation. */

const short = ({ disks, ...rest }: Described) => ({
	...rest,
	disks: disks.map(({ called, file, bus, system }) => [called, file, bus, system]),
});

describe("VMware's .vmx", () => {
	const esxi = `.encoding = "UTF-8"
config.version = "8"
virtualHW.version = "14"
nvram = "ERP.nvram"
pciBridge0.present = "TRUE"
svga.present = "TRUE"
displayName = "ERP |22old|22"
guestOS = "windows2019srv-64"
firmware = "efi"
uefi.secureBoot.enabled = "TRUE"
memSize = "8192"
numvcpus = "4"
cpuid.coresPerSocket = "2"
scsi0.virtualDev = "lsisas1068"
scsi0.present = "TRUE"
sata0.present = "TRUE"
scsi0:0.deviceType = "scsi-hardDisk"
scsi0:0.fileName = "ERP.vmdk"
scsi0:0.present = "TRUE"
scsi0:1.deviceType = "scsi-hardDisk"
scsi0:1.fileName = "ERP_1.vmdk"
scsi0:1.present = "TRUE"
scsi0:2.fileName = "gone.vmdk"
scsi0:2.present = "FALSE"
sata0:0.deviceType = "cdrom-image"
sata0:0.fileName = "/vmfs/volumes/isos/x.iso"
sata0:0.present = "TRUE"
ethernet0.virtualDev = "vmxnet3"
ethernet0.networkName = "VM Network"
ethernet0.addressType = "vpx"
ethernet0.generatedAddress = "00:50:56:9A:12:34"
ethernet0.present = "TRUE"
ethernet1.virtualDev = "e1000e"
ethernet1.present = "TRUE"
`;

	test("ESXi, a server with two disks, UEFI and two cards", () => {
		const described = readVmx(esxi);
		expect(short(described)).toMatchObject({
			name: 'ERP "old"',
			guest: "windows-server-2019",
			machine: null,
			firmware: "uefi-secure",
			memoryBytes: 8 * 2 ** 30,
			cpus: 4,
			disks: [
				["scsi0:0", "ERP.vmdk", "lsi-sas", true],
				["scsi0:1", "ERP_1.vmdk", "lsi-sas", false],
			],
			cards: [
				{ mac: "00:50:56:9a:12:34", card: "vmxnet3" },
				{ mac: null, card: "e1000e" },
			],
		});
		expect(described.notes.join(" ")).toMatch(/UEFI's variables.*CD and floppy.*2 network cards/);
	});

	test("Workstation, an old one on IDE, with sound and shared folders", () => {
		const text = `config.version = "8"
virtualHW.version = "4"
displayName = "Old"
guestOS = "winnetstandard"
memsize = "512"
ide0:0.present = "TRUE"
ide0:0.fileName = "Old-cl1.vmdk"
ide1:0.present = "TRUE"
ide1:0.fileName = "auto detect"
ide1:0.deviceType = "cdrom-raw"
ethernet0.present = "TRUE"
ethernet0.addressType = "static"
ethernet0.address = "00:50:56:00:00:01"
sound.present = "TRUE"
sharedFolder0.present = "TRUE"
`;
		const described = readVmx(text);
		expect(short(described)).toMatchObject({
			guest: "windows-server-2003",
			machine: "pc",
			firmware: "bios",
			memoryBytes: 512 * 2 ** 20,
			cpus: 1,
			disks: [["ide0:0", "Old-cl1.vmdk", "ide", true]],
			cards: [{ mac: "00:50:56:00:00:01", card: "pcnet" }],
		});
		expect(described.notes.join(" ")).toMatch(/sound card.*shared folders/);
	});

	test.each([
		[
			"an encrypted one",
			`${esxi}encryption.keySafe = "vmware:key/list/x"\n`,
			/encrypted machine; take the encryption away/,
		],
		[
			"a snapshot",
			esxi.replace('"ERP.vmdk"', '"ERP-000002.vmdk"'),
			/has a snapshot \(ERP-000002\.vmdk\); delete all snapshots/,
		],
		[
			"a file name with a zero",
			esxi.replace('"ERP.vmdk"', '"ERP|00.vmdk"'),
			/has a disk scsi0:0 \(ERP\?\.vmdk\) whose file name has control characters/,
		],
		["without a disk", 'config.version = "8"\n', /without a disk/],
		["something else", 'a = "b"\n', /no \.vmx/],
	])("%s is refused", (_, text, words) => {
		expect(() => readVmx(text)).toThrow(DescriptionError);
		expect(() => readVmx(text)).toThrow(words);
	});

	test("LSI Logic Parallel is not built by QEMU, and that is told", () => {
		const described = readVmx(esxi.replace('"lsisas1068"', '"lsilogic"').replace('firmware = "efi"\n', ""));
		expect(described).toMatchObject({ machine: "pc", disks: [{ bus: "ide" }, { bus: "ide" }] });
		expect(described.notes.join(" ")).toMatch(/change the controller to LSI Logic SAS/);
	});
});

const rasd = (parts: Record<string, string | number>) =>
	`<Item>${Object.entries(parts)
		.map(([key, value]) => `<rasd:${key}>${value}</rasd:${key}>`)
		.join("")}</Item>`;

const envelope = (
	system: string,
	disks = '<Disk ovf:capacity="40" ovf:diskId="vmdisk1" ovf:fileRef="file1"/>',
) => `<?xml version="1.0"?>
<Envelope vmw:buildId="build-9" xmlns="http://schemas.dmtf.org/ovf/envelope/1" xmlns:ovf="http://schemas.dmtf.org/ovf/envelope/1"
 xmlns:rasd="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_ResourceAllocationSettingData" xmlns:vmw="http://www.vmware.com/schema/ovf"
 xmlns:vbox="http://www.virtualbox.org/ovf/machine" xmlns:sasd="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_StorageAllocationSettingData.xsd">
 <References><File ovf:href="My%20ERP-disk1.vmdk" ovf:id="file1" ovf:size="68608"/></References>
 <DiskSection><Info>Virtual disk information</Info>${disks}</DiskSection>${system}</Envelope>`;

describe("OVF", () => {
	const vmware = envelope(`<VirtualSystem ovf:id="vm"><Info/><Name>My ERP</Name>
  <OperatingSystemSection ovf:id="1" vmw:osType="windows2019srvNext_64Guest"><Info/></OperatingSystemSection>
  <VirtualHardwareSection><Info/>
   ${rasd({ AllocationUnits: "hertz * 10^6", ElementName: "2 virtual CPU(s)", InstanceID: 1, ResourceType: 3, VirtualQuantity: 2 })}
   ${rasd({ AllocationUnits: "byte * 2^20", InstanceID: 2, ResourceType: 4, VirtualQuantity: 4096 })}
   ${rasd({ Address: 0, ElementName: "SCSI Controller 0", InstanceID: 3, ResourceSubType: "lsilogicsas", ResourceType: 6 })}
   ${rasd({ AddressOnParent: 0, ElementName: "Hard Disk 1", HostResource: "ovf:/disk/vmdisk1", InstanceID: 4, Parent: 3, ResourceType: 17 })}
   ${rasd({ AddressOnParent: 7, Connection: "VM Network", ElementName: "Ethernet 1", InstanceID: 5, ResourceSubType: "E1000e", ResourceType: 10 })}
   ${rasd({ AddressOnParent: 0, ElementName: "CD/DVD drive 1", InstanceID: 6, ResourceSubType: "vmware.cdrom.remotepassthrough", ResourceType: 15 })}
   <vmw:Config ovf:required="false" vmw:key="firmware" vmw:value="efi"/>
  </VirtualHardwareSection></VirtualSystem>`);

	test("VMware's", () => {
		expect(short(readOvf(readXml(vmware)))).toMatchObject({
			name: "My ERP",
			guest: "windows-server-2022",
			firmware: "uefi",
			memoryBytes: 4 * 2 ** 30,
			cpus: 2,
			disks: [["Hard Disk 1", "My ERP-disk1.vmdk", "lsi-sas", true]],
			cards: [{ mac: null, card: "e1000e" }],
		});
	});

	test("disks that are all called the same are told by their own names", () => {
		const item = (id: number) =>
			rasd({
				AddressOnParent: id,
				ElementName: "Hard disk",
				HostResource: `ovf:/disk/vmdisk${id}`,
				Parent: 3,
				ResourceType: 17,
			});
		const disk = (id: number) => `<Disk ovf:diskId="vmdisk${id}" ovf:fileRef="file1"/>`;
		const hardware = `<VirtualHardwareSection><Info/>${item(1)}${item(2)}</VirtualHardwareSection>`;
		const text = envelope(`<VirtualSystem ovf:id="vm"><Info/>${hardware}</VirtualSystem>`, disk(1) + disk(2));
		expect(readOvf(readXml(text)).disks.map(({ called }) => called)).toEqual(["vmdisk1", "vmdisk2"]);
	});

	test("units and controllers that are called as objects' own parts are none", () => {
		const text = vmware.replace("lsilogicsas", "constructor").replace("byte * 2^20", "constructor");
		const described = readOvf(readXml(text));
		expect(described).toMatchObject({ memoryBytes: null, disks: [{ bus: "sata" }] });
	});

	test("VirtualBox', with what it keeps in a section of its own", () => {
		const text = envelope(`<VirtualSystem ovf:id="Web"><Info/>
  <OperatingSystemSection ovf:id="96"><Info/><Description>Debian_64</Description><vbox:OSType ovf:required="false">Debian_64</vbox:OSType></OperatingSystemSection>
  <VirtualHardwareSection><Info/>
   ${rasd({ ElementName: "1 virtual CPU", InstanceID: 1, ResourceType: 3, VirtualQuantity: 1 })}
   ${rasd({ AllocationUnits: "MegaBytes", InstanceID: 2, ResourceType: 4, VirtualQuantity: 1024 })}
   ${rasd({ Address: 0, ElementName: "ideController0", InstanceID: 3, ResourceSubType: "PIIX4", ResourceType: 5 })}
   ${rasd({ Address: 0, ElementName: "sataController0", InstanceID: 5, ResourceSubType: "AHCI", ResourceType: 20 })}
   ${rasd({ AddressOnParent: 3, ElementName: "sound", InstanceID: 7, ResourceSubType: "ensoniq1371", ResourceType: 35 })}
   ${rasd({ AddressOnParent: 0, ElementName: "disk2", HostResource: "/disk/vmdisk1", InstanceID: 9, Parent: 5, ResourceType: 17 })}
   ${rasd({ AutomaticAllocation: "true", ElementName: "Ethernet adapter on 'NAT'", InstanceID: 10, ResourceSubType: "E1000", ResourceType: 10 })}
  </VirtualHardwareSection>
  <vbox:Machine ovf:required="false" version="1.16-linux" name="Web" OSType="Debian_64"><Hardware><Firmware type="EFI"/><Network>
   <Adapter slot="0" enabled="true" MACAddress="080027AABBCC" type="82540EM"/><Adapter slot="1" enabled="false" MACAddress="080027000000"/>
  </Network></Hardware></vbox:Machine></VirtualSystem>`);
		const described = readOvf(readXml(text));
		expect(short(described)).toMatchObject({
			name: "Web",
			guest: "linux",
			firmware: "uefi",
			memoryBytes: 2 ** 30,
			disks: [["disk2", "My ERP-disk1.vmdk", "sata", true]],
			cards: [{ mac: "08:00:27:aa:bb:cc", card: "e1000" }],
		});
		expect(described.notes.join(" ")).toMatch(/sound card/);
	});

	test.each([
		[
			"a disk with a parent",
			vmware.replace('ovf:fileRef="file1"', 'ovf:fileRef="file1" ovf:parentRef="d0"'),
			/has a snapshot/,
		],
		["an empty disk", vmware.replace(' ovf:fileRef="file1"', ""), /without a file/],
		[
			"a packed disk",
			vmware.replace('ovf:size="68608"', 'ovf:size="1" ovf:compression="gzip"'),
			/compressed; unpack it/,
		],
		["a file name with a zero", vmware.replace("My%20ERP", "x%00"), /file name has control characters/],
		["a disk in pieces", vmware.replace('ovf:size="68608"', 'ovf:size="1" ovf:chunkSize="1"'), /in pieces/],
		[
			"several machines",
			vmware.replace("</Envelope>", '<VirtualSystem ovf:id="b"/></Envelope>'),
			/holds 2 machines/,
		],
	])("%s is refused", (_, text, words) => {
		expect(() => readOvf(readXml(text))).toThrow(words);
	});
});

describe("XML", () => {
	test.each([
		[
			"entities",
			'<!DOCTYPE lolz [<!ENTITY lol "lol"><!ENTITY b "&lol;&lol;">]><domain>&b;</domain>',
			/declares a document type/,
		],
		["an outer document type", '<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>', /declares a document type/],
		["an unknown entity", "<a>&x;</a>", /no XML/],
		["one that does not end", "<a><b>", /no XML/],
		["one that is nested too deeply", "<a>".repeat(100), /nested too deeply/],
		["too many parts", `<a>${"<b/>".repeat(60_000)}</a>`, /too many parts/],
		["one that is too long", `<a>${"x".repeat(5 * 2 ** 20)}</a>`, /too long/],
		["nothing", "", /no XML|is empty/],
	])("with %s is refused", (_, text, words) => {
		expect(() => readXml(text)).toThrow(DescriptionError);
		expect(() => readXml(text)).toThrow(words);
	});
});

describe("Proxmox' .conf", () => {
	const conf = `#Notes: the old ERP
agent: 1
balloon: 0
bios: ovmf
boot: order=virtio0;ide2;net0
cores: 2
cpu: host
efidisk0: local-lvm:vm-100-disk-0,efitype=4m,pre-enrolled-keys=1,size=4M
ide2: local:iso/virtio-win.iso,media=cdrom,size=522284K
machine: pc-q35-7.1
memory: 8192
name: erp
net0: virtio=BC:24:11:2E:C1:7F,bridge=vmbr0,firewall=1,tag=20
net1: e1000=BC:24:11:2E:C1:80,bridge=vmbr1
numa: 0
ostype: win10
parent: before
scsi0: local:100/vm-100-disk-2.qcow2,cache=writeback,size=100G
scsihw: virtio-scsi-single
smbios1: uuid=6f1d9a52-0c8e-4f3b-9d27-5b1f0a7c3e11
sockets: 2
tpmstate0: local-lvm:vm-100-disk-3,size=4M,version=v2.0
usb0: host=0529:0001
virtio0: local-lvm:vm-100-disk-1,size=60G

[before]
bios: seabios
memory: 2048
scsi5: local:100/vm-100-disk-9.qcow2
`;
	test("a server with UEFI, a TPM, two disks and a snapshot", () => {
		const described = readProxmox(conf);
		expect(short(described)).toMatchObject({
			name: "erp",
			guest: "windows-server-2019",
			machine: "q35",
			firmware: "uefi-secure",
			tpm: true,
			memoryBytes: 8 * 2 ** 30,
			cpus: 4,
			disks: [
				["scsi0", "local:100/vm-100-disk-2.qcow2", "virtio-scsi", false],
				["virtio0", "local-lvm:vm-100-disk-1", "virtio", true],
			],
			cards: [
				{ mac: "bc:24:11:2e:c1:7f", card: "virtio" },
				{ mac: "bc:24:11:2e:c1:80", card: "e1000" },
			],
		});
		expect(described.disks.map(({ places }) => places)).toEqual([
			["/var/lib/vz/images/100/vm-100-disk-2.qcow2"],
			["/dev/pve/vm-100-disk-1"],
		]);
		expect(described.notes.join(" ")).toMatch(
			/snapshots.*UEFI's variables.*BitLocker.*passed through.*CD and floppy.*2 network cards/,
		);
	});

	test("an old one: i440FX, BIOS, the LSI 53C895A that Proxmox takes when nothing is said", () => {
		const text =
			"bootdisk: scsi0\nmemory: 1024\nostype: w2k3\nscsi0: local:1/a.raw,size=8G\nnet0: rtl8139=52:54:00:00:00:01,bridge=vmbr0\n";
		expect(short(readProxmox(text))).toMatchObject({
			guest: "windows-server-2003",
			machine: "pc",
			firmware: "bios",
			cpus: 1,
			disks: [["scsi0", "local:1/a.raw", "lsi", true]],
			cards: [{ mac: "52:54:00:00:00:01", card: "rtl8139" }],
		});
	});

	test("a system that is called as objects' own parts are is another", () => {
		const described = readProxmox("memory: 1\nscsi0: a:b\nostype: constructor\n");
		expect(described).toMatchObject({ guest: "other", notes: [] });
	});

	test("a volume that leads elsewhere is looked for nowhere", () => {
		expect(readProxmox("memory: 1\nscsi0: local:../../etc/shadow\n").disks[0]?.places).toEqual([]);
		expect(readProxmox("memory: 1\nscsi0: /etc/shadow\n").disks[0]?.places).toEqual([]);
	});
});

describe("libvirt's XML", () => {
	const xml = `<domain type='kvm' id='3' xmlns:libosinfo='x'>
  <name>dc1</name>
  <uuid>6f1d9a52-0c8e-4f3b-9d27-5b1f0a7c3e11</uuid>
  <metadata><libosinfo:libosinfo xmlns:libosinfo="http://libosinfo.org/xmlns/libvirt/domain/1.0"><libosinfo:os id="http://microsoft.com/win/2k16"/></libosinfo:libosinfo></metadata>
  <memory unit='KiB'>4194304</memory>
  <currentMemory unit='KiB'>2097152</currentMemory>
  <vcpu placement='static' current='1'>2</vcpu>
  <os firmware='efi'>
    <type arch='x86_64' machine='pc-q35-6.2'>hvm</type>
    <firmware><feature enabled='yes' name='enrolled-keys'/><feature enabled='yes' name='secure-boot'/></firmware>
    <loader readonly='yes' secure='yes' type='pflash'>/usr/share/OVMF/OVMF_CODE_4M.ms.fd</loader>
    <nvram>/var/lib/libvirt/qemu/nvram/dc1_VARS.fd</nvram>
  </os>
  <devices>
    <disk type='file' device='cdrom'><target dev='sda' bus='sata'/><readonly/></disk>
    <disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='/var/lib/libvirt/images/dc1-data.qcow2'/><backingStore/><target dev='vdb' bus='virtio'/></disk>
    <disk type='block' device='disk'><driver name='qemu' type='raw'/><source dev='/dev/vg/dc1'/><target dev='sdb' bus='scsi'/><boot order='1'/><address type='drive' controller='0' bus='0' target='0' unit='0'/></disk>
    <controller type='scsi' index='0' model='virtio-scsi'/>
    <interface type='network'><mac address='52:54:00:6b:29:58'/><source network='default'/><model type='e1000e'/></interface>
    <tpm model='tpm-crb'><backend type='emulator' version='2.0'/></tpm>
    <sound model='ich9'/>
    <hostdev mode='subsystem' type='usb'/>
  </devices>
</domain>`;
	test("a server with UEFI, a TPM and disks on two buses", () => {
		const described = readLibvirt(readXml(xml));
		expect(short(described)).toMatchObject({
			name: "dc1",
			guest: "windows-server-2016",
			machine: "q35",
			firmware: "uefi-secure",
			tpm: true,
			memoryBytes: 4 * 2 ** 30,
			cpus: 2,
			disks: [
				["sdb", "/dev/vg/dc1", "virtio-scsi", true],
				["vdb", "/var/lib/libvirt/images/dc1-data.qcow2", "virtio", false],
			],
			cards: [{ mac: "52:54:00:6b:29:58", card: "e1000e" }],
		});
		// A volume of LVM may be anybody's.
		expect(described.disks.map(({ places }) => places)).toEqual([
			[],
			["/var/lib/libvirt/images/dc1-data.qcow2"],
		]);
		expect(described.notes.join(" ")).toMatch(/UEFI.*BitLocker.*sound.*passed through.*CD and floppy/);
	});

	test.each([
		["8", "GiB", 8 * 2 ** 30],
		["500", "MB", 500e6],
		["1048576", "KiB", 2 ** 30],
		["nonsense", "KiB", null],
	])("memory of %s %s", (number, unit, bytes) => {
		const text = xml.replace("<memory unit='KiB'>4194304<", `<memory unit='${unit}'>${number}<`);
		expect(readLibvirt(readXml(text)).memoryBytes).toBe(bytes);
	});

	test("units and controllers that are called as objects' own parts are none", () => {
		const text = xml.replace("<memory unit='KiB'>", "<memory unit='constructor'>");
		const described = readLibvirt(readXml(text.replace("model='virtio-scsi'", "model='constructor'")));
		expect(described.memoryBytes).toBe(null);
		expect(described.disks[0]).toMatchObject({ called: "sdb", bus: "sata" });
	});

	test("a chain of images is refused", () => {
		const chain = xml.replace(
			"<backingStore/>",
			"<backingStore type='file'><format type='qcow2'/></backingStore>",
		);
		expect(() => readLibvirt(readXml(chain))).toThrow(/leans on another image \(vdb\); merge it in libvirt/);
	});

	test("a file anywhere on the host is looked for nowhere", () => {
		const text = xml.replace("/var/lib/libvirt/images/dc1-data.qcow2", "/etc/shadow");
		expect(readLibvirt(readXml(text)).disks.map(({ places }) => places)).toEqual([[], []]);
	});
});

test.each([
	["windows2022srvNext-64", "windows-server-2025"],
	["windows2019srvNext_64Guest", "windows-server-2022"],
	["Windows2022_64", "windows-server-2022"],
	["windows9Server64Guest", "windows-server-2016"],
	["windows9srv-64", "windows-server-2016"],
	["Windows2012_64", "windows-server-2012-r2"],
	["windows8Server64Guest", "windows-server-2012-r2"],
	["windows7Server64Guest", "windows-server-2008-r2"],
	["http://microsoft.com/win/2k8r2", "windows-server-2008-r2"],
	["winNetEnterprise64Guest", "windows-server-2003"],
	["win2000ServGuest", "windows-2000"],
	["http://microsoft.com/win/2k", "windows-2000"],
	["WindowsNT4", "windows-nt4"],
	["Windows11_64", "windows-11"],
	["windows9-64", "windows-10"],
	["http://microsoft.com/win/10", "windows-10"],
	["windows7_64Guest", "windows-7"],
	["Microsoft Windows Server 2025 (64-bit)", "windows-server-2025"],
	["Microsoft Windows Server 2022 (64-bit)", "windows-server-2022"],
	["Microsoft Windows Server 2019 (64-bit)", "windows-server-2019"],
	[
		"familyName='Windows' prettyName='Windows Server 2019 Datacenter, 64-bit (Build 17763.1)'",
		"windows-server-2019",
	],
	["Microsoft Windows Server 2016 or later (64-bit)", "windows-server-2016"],
	["Windows Server 2012 R2", "windows-server-2012-r2"],
	["Microsoft Windows Server 2012 (64-bit)", "windows-server-2012-r2"],
	["Microsoft Windows Server 2008 R2 (64-bit)", "windows-server-2008-r2"],
	["Windows Server 2008", "windows-server-2008-r2"],
	["Microsoft Windows Server 2003 Standard (32-bit)", "windows-server-2003"],
	["winXPPro", "windows-server-2003"],
	["winXPPro64Guest", "windows-server-2003"],
	["WindowsXP_64", "windows-server-2003"],
	["Microsoft Windows XP Professional (32-bit)", "windows-server-2003"],
	["http://microsoft.com/win/xp", "windows-server-2003"],
	["http://microsoft.com/win/2k3r2", "windows-server-2003"],
	["Microsoft Windows 2000 Server", "windows-2000"],
	["Microsoft Windows NT", "windows-nt4"],
	["http://microsoft.com/winnt/4.0", "windows-nt4"],
	["Microsoft Windows 11 (64-bit)", "windows-11"],
	["Microsoft Windows 10 (64-bit)", "windows-10"],
	["Microsoft Windows 7 (64-bit)", "windows-7"],
	["Windows95", "other"],
	["Windows98", "other"],
	["Microsoft Windows 98", "other"],
	["http://microsoft.com/win/98", "other"],
	["WindowsMe", "other"],
	["WindowsVista_64", "other"],
	["windows8-64", "other"],
	["http://debian.org/debian/12", "linux"],
	["ubuntu-64", "linux"],
	["l26", "linux"],
	["freebsd12_64Guest", "freebsd"],
	["darwin10_64Guest", "other"],
	["darwin19_64Guest", "other"],
	["solaris", "other"],
])("%s is taken for %s", (text, guest) => {
	expect(guessGuest(text)).toBe(guest);
});

test("a manifest tells what each file has to come to; a line that is none is an error", () => {
	expect(readManifest("SHA256(a b.ovf)= 00FF\r\nSHA1(c.vmdk)= 12\n")).toEqual([
		{ file: "a b.ovf", algorithm: "sha256", digest: "00ff" },
		{ file: "c.vmdk", algorithm: "sha1", digest: "12" },
	]);
	expect(() => readManifest("SHA256(a) = xyz")).toThrow(DescriptionError);
	expect(() => readManifest("MD5(a)= 00")).toThrow(DescriptionError);
	expect(() => readManifest("SHA1(a)= 00\nSHA1(./a)= 00")).toThrow(/names a twice/);
	expect(readManifest("SHA1(a)= 00\nSHA256(a)= 00")).toHaveLength(2);
});
