import { mkdir, open, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parseDocument } from "yaml";
import type { ServerDefinition } from "../../src/api/site.ts";
import { run } from "../../src/host/command.ts";
import { freePort, type Instance, instanceForTests, patience, text, until } from "./harness.ts";
import { ownBootDisk } from "./own-boot.ts";

/**
 * Machines that come from elsewhere: a disk that boots by its own boot loader, as each other house packs it. Each is
 * moved here by `bulkhead import`. Of each kind of hardware one has to serve its page, and what is another format of the same
 * has to be the same to the last byte; what is wrong with one is told, and nothing is written then.
 */

const bulkhead = instanceForTests();
const folder = `/tmp/bhvm-import-${process.pid}`;
const at = (name: string) => join(folder, name);
const site = at("site.yaml");
let disk = "";

const sh = async (command: string) =>
	await run("sh", ["-euc", command], { deadlineMs: patience.build, cwd: folder, env: { DISK: disk } });

const ovf = (file: string, bytes: number) => `<?xml version="1.0" encoding="UTF-8"?>
<Envelope xmlns="http://schemas.dmtf.org/ovf/envelope/1" xmlns:ovf="http://schemas.dmtf.org/ovf/envelope/1"
  xmlns:rasd="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_ResourceAllocationSettingData"
  xmlns:vmw="http://www.vmware.com/schema/ovf">
  <References><File ovf:id="file1" ovf:href="${file}"/></References>
  <DiskSection><Info/><Disk ovf:capacity="${bytes}" ovf:diskId="vmdisk1" ovf:fileRef="file1"/></DiskSection>
  <VirtualSystem ovf:id="Old Web">
    <Info/><Name>Old Web</Name>
    <OperatingSystemSection ovf:id="96" vmw:osType="debian11_64Guest"><Info/></OperatingSystemSection>
    <VirtualHardwareSection>
      <Info/>
      <Item><rasd:InstanceID>1</rasd:InstanceID><rasd:ResourceType>3</rasd:ResourceType><rasd:VirtualQuantity>1</rasd:VirtualQuantity></Item>
      <Item><rasd:AllocationUnits>byte * 2^20</rasd:AllocationUnits><rasd:InstanceID>2</rasd:InstanceID><rasd:ResourceType>4</rasd:ResourceType><rasd:VirtualQuantity>256</rasd:VirtualQuantity></Item>
      <Item><rasd:Address>0</rasd:Address><rasd:InstanceID>3</rasd:InstanceID><rasd:ResourceSubType>VirtualSCSI</rasd:ResourceSubType><rasd:ResourceType>6</rasd:ResourceType></Item>
      <Item><rasd:AddressOnParent>0</rasd:AddressOnParent><rasd:ElementName>disk0</rasd:ElementName><rasd:HostResource>ovf:/disk/vmdisk1</rasd:HostResource><rasd:InstanceID>4</rasd:InstanceID><rasd:Parent>3</rasd:Parent><rasd:ResourceType>17</rasd:ResourceType></Item>
      <Item><rasd:Address>00:50:56:aa:bb:01</rasd:Address><rasd:InstanceID>5</rasd:InstanceID><rasd:ResourceSubType>VmxNet3</rasd:ResourceSubType><rasd:ResourceType>10</rasd:ResourceType></Item>
    </VirtualHardwareSection>
  </VirtualSystem>
</Envelope>
`;

const vmx = `.encoding = "UTF-8"
config.version = "8"
virtualHW.version = "19"
displayName = "Old web (split)"
guestOS = "debian11-64"
memsize = "256"
numvcpus = "2"
scsi0.present = "TRUE"
scsi0.virtualDev = "lsisas1068"
scsi0:0.present = "TRUE"
scsi0:0.fileName = "split.vmdk"
ethernet0.present = "TRUE"
ethernet0.virtualDev = "e1000e"
ethernet0.addressType = "generated"
ethernet0.generatedAddress = "00:0c:29:12:34:56"
`;

const proxmox = `boot: order=scsi0;net0
cores: 1
memory: 256
name: old-web
net0: e1000=52:54:00:AA:BB:02,bridge=vmbr0,firewall=1
numa: 0
ostype: l26
scsi0: local:100/web.qcow2,size=257M
scsihw: virtio-scsi-pci
sockets: 1

[before]
memory: 128
scsi0: local:100/web.qcow2,size=257M
`;

const libvirt = `<domain type='kvm'>
  <name>old-web</name>
  <memory unit='KiB'>262144</memory>
  <vcpu placement='static'>1</vcpu>
  <os><type arch='x86_64' machine='pc-i440fx-7.2'>hvm</type></os>
  <devices>
    <disk type='file' device='disk'>
      <driver name='qemu' type='raw'/>
      <source file='/var/lib/libvirt/images/nowhere/raw.img'/>
      <target dev='hda' bus='ide'/>
    </disk>
    <interface type='network'><mac address='52:54:00:aa:bb:03'/><model type='rtl8139'/></interface>
  </devices>
</domain>
`;

/** Everything that is kept, but the history of events and what belongs to the running daemon itself. */
async function kept({ state }: Instance): Promise<string[]> {
	const entries = await readdir(state, { recursive: true, withFileTypes: true });
	const lines = entries.map(async (entry) => {
		const path = join(entry.parentPath, entry.name);
		const { size, mtimeMs, mode, uid } = await stat(path);
		return entry.isDirectory()
			? `${path} ${mode} ${uid}`
			: `${path} ${mode} ${uid} ${size} ${Math.round(mtimeMs)}`;
	});
	return (await Promise.all(lines)).filter((line) => !line.includes("/history.sqlite")).sort();
}

/** @returns what nobody can write to it without changing */
async function identityOf(path: string): Promise<string> {
	const { dev, ino, size, mtimeNs, ctimeNs } = await stat(path, { bigint: true });
	return [dev, ino, size, mtimeNs, ctimeNs].join(" ");
}

const sources = async () =>
	await Promise.all(
		(await readdir(folder, { withFileTypes: true }))
			.filter((entry) => entry.isFile() && entry.name !== "site.yaml")
			.map(async ({ name }) => `${name} ${await identityOf(at(name))}`),
	);

beforeAll(async () => {
	disk = await ownBootDisk();
	await mkdir(folder, { recursive: true });
	await writeFile(site, "# Ours.\nname: moved\nsegments:\n  lab: { subnet: 10.96.0.0/24 }\n");
	const vmdk = (kind: string, name: string) =>
		`qemu-img convert -f raw -O vmdk -o subformat=${kind},adapter_type=ide "$DISK" ${name}.vmdk`;
	await sh(
		[
			vmdk("monolithicSparse", "sparse"),
			vmdk("streamOptimized", "packed"),
			vmdk("twoGbMaxExtentSparse", "split"),
			vmdk("monolithicFlat", "flat"),
			'qemu-img convert -f raw -O vhdx "$DISK" web.vhdx',
			'qemu-img convert -f raw -O vpc -o force_size=on "$DISK" web.vhd',
			'qemu-img convert -f raw -O qcow2 "$DISK" web.qcow2',
			'qemu-img convert -f raw -O vdi "$DISK" web.vdi',
			'cp --sparse=always "$DISK" raw.img',
		].join("\n"),
	);
	const { size } = await stat(disk);
	await writeFile(at("web.ovf"), ovf("packed.vmdk", size));
	await sh(
		'for f in web.ovf packed.vmdk; do echo "SHA256($f)= $(sha256sum < $f | cut -d" " -f1)"; done > web.mf; tar --format=ustar -cf web.ova web.ovf packed.vmdk web.mf',
	);
	await writeFile(at("split.vmx"), vmx);
	await writeFile(at("100.conf"), proxmox);
	await writeFile(at("web.xml"), libvirt);
});
afterAll(async () => await rm(folder, { recursive: true, force: true }));

describe("moved here, each boots by its own boot loader and serves its page, or is what another was that did", () => {
	const cases: { name: string; source: string; options?: string[]; hardware: RegExp[] }[] = [
		{ name: "sparse", source: "sparse.vmdk", hardware: [/ata/] },
		// As VirtualBox has it: SATA.
		{ name: "vdi", source: "web.vdi", hardware: [/ata/] },
		{ name: "qcow2", source: "web.qcow2", options: ["--guest", "linux"], hardware: [/virtio/] },
		{ name: "ova", source: "web.ova", hardware: [/00:50:56:aa:bb:01/] },
		{ name: "vmx", source: "split.vmx", hardware: [/00:0c:29:12:34:56/] },
		{
			name: "proxmox",
			source: "100.conf",
			options: ["--disk", "scsi0=web.qcow2"],
			hardware: [/virtio/, /52:54:00:aa:bb:02/],
		},
		{ name: "libvirt", source: "web.xml", hardware: [/ata/, /52:54:00:aa:bb:03/] },
	];
	let before: string[] = [];
	beforeAll(async () => {
		before = await sources();
	});

	test.each(cases)(
		"$name: $source",
		{ timeout: 4 * patience.state },
		async ({ name, source, options = [], hardware }) => {
			const address = `10.96.0.${10 + cases.findIndex((other) => other.name === name)}`;
			const where = ["--site", site, "--name", name, "--segment", "lab", "--address", address, "--yes"];
			const placed = options.map((option) => option.replace("=web", `=${folder}/web`));
			const said = await bulkhead.command("import", at(source), ...where, ...placed);
			expect(said, `${name}: ${said.stderr}`).toMatchObject({ code: 0 });
			const port = await freePort();
			await bulkhead.client.call("publish", { server: name }, { service: "http", to: "host", listen: port });
			const serves = async () => (await text(port).catch(() => "")).startsWith("server=imported");
			await until(`the page of ${name}`, serves, 3 * patience.state);
			const found = await text(port, "/hardware");
			for (const sign of hardware) expect(found).toMatch(sign);
			// It has shown what it had to; the next one gets its processor.
			await bulkhead.client.call("stop", { server: name }, { deadlineMs: 0 });
		},
	);

	test("the site file names them all, and has its comment still", async () => {
		const written = await readFile(site, "utf8");
		expect(written).toContain("# Ours.");
		for (const { name } of cases) expect(written).toContain(`  ${name}:\n`);
	});

	/** What would be written into the site file. */
	const seen = async (
		name: string,
		source: string,
		options: readonly string[],
	): Promise<ServerDefinition> => {
		const { code, stdout, stderr } = await bulkhead.command(
			...["import", at(source), "--name", name, "--json", ...options],
		);
		expect(code, stderr).toBe(0);
		return JSON.parse(stdout).definition;
	};

	test.each([
		{ name: "flat", source: "flat.vmdk", options: ["--guest", "linux"] },
		{ name: "vhdx", source: "web.vhdx" },
		{ name: "vhd", source: "web.vhd" },
	])(
		"$name: $source is the same disk to the last byte, in the same machine",
		async ({ name, source, options = [] }) => {
			const definition = await seen(name, source, options);
			const { image: _, ...machine } = await seen(name, "sparse.vmdk", options);
			expect(definition).toEqual({ ...machine, image: at(source) });
			const document = parseDocument(await readFile(site, "utf8"));
			document.setIn(["servers", name], { ...definition, start: "manual" });
			await writeFile(site, document.toString());
			expect(await bulkhead.command("apply", "--yes", site)).toMatchObject({ code: 0 });
			const copy = bulkhead.paths.server(name).disk("system");
			await run("qemu-img", ["compare", "-f", "raw", "-F", "qcow2", disk, copy], {
				deadlineMs: patience.build,
			});
		},
	);

	test("the sources are what they were", async () => {
		expect(await sources()).toEqual(before);
	});
});

/** Writes over some bytes of a copy of a file. */
async function patched(from: string, to: string, offset: number, bytes: Buffer): Promise<string> {
	await sh(`cp --sparse=always ${from} ${to}`);
	await using file = await open(at(to), "r+");
	const { size } = await file.stat();
	await file.write(bytes, 0, bytes.length, offset < 0 ? size + offset : offset);
	return to;
}

async function cut(from: string, to: string, by: number): Promise<string> {
	const { size } = await stat(at(from));
	await sh(`cp --sparse=always ${from} ${to}; truncate -s ${size - by} ${to}`);
	return to;
}

const large = (value: bigint, order: "BE" | "LE") => {
	const bytes = Buffer.alloc(8);
	bytes[`writeBigUInt64${order}`](value);
	return bytes;
};

describe("what is wrong with an image is told, and nothing is written", () => {
	const wrong: [what: string, make: () => Promise<string>, said: RegExp][] = [
		[
			"a broken VMDK",
			async () => await patched("sparse.vmdk", "b.vmdk", 44, Buffer.alloc(4)),
			/claims sizes that no VMDK has/,
		],
		["a VMDK cut off", async () => await cut("sparse.vmdk", "c.vmdk", 65_536), /is cut off/],
		["a packed VMDK cut off", async () => await cut("packed.vmdk", "c2.vmdk", 65_536), /is cut off/],
		[
			"a VMDK that claims 8 EiB",
			async () => await patched("sparse.vmdk", "h.vmdk", 12, large(2n ** 54n, "LE")),
			/claims/,
		],
		[
			"a VMDK of a snapshot",
			async () => {
				await sh("qemu-img create -q -f vmdk -b sparse.vmdk -F vmdk s.vmdk");
				return "s.vmdk";
			},
			/is a snapshot that depends on another file; delete all snapshots in VMware/,
		],
		[
			"a split VMDK that lacks a part",
			async () => {
				await sh("mkdir -p lacking; cp split.vmdk lacking/");
				return "lacking/split.vmdk";
			},
			/lacks its part split-s001\.vmdk; copy that beside it/,
		],
		[
			"a VMDK that names the host's own files",
			async () => {
				const lines = [
					"# Disk DescriptorFile",
					"version=1",
					"CID=1",
					"parentCID=ffffffff",
					'createType="monolithicFlat"',
				];
				await writeFile(at("names.vmdk"), [...lines, 'RW 2048 FLAT "/etc/shadow" 0', ""].join("\n"));
				return "names.vmdk";
			},
			/names a file outside of its own folder/,
		],
		[
			"a broken VHDX",
			async () => await patched("web.vhdx", "b.vhdx", 196_608, Buffer.alloc(16)),
			/cut off|damaged/,
		],
		["a VHDX cut off", async () => await cut("web.vhdx", "c.vhdx", 9 * 2 ** 20), /cut off|truncated/],
		[
			"a VHDX that claims 1 EiB",
			async () => {
				const bytes = await readFile(at("web.vhdx"));
				const item = bytes.indexOf(
					Buffer.from("24 42 a5 2f 1b cd 76 48 b2 11 5d be d8 3b f4 b8".replaceAll(" ", ""), "hex"),
				);
				const place = bytes.indexOf("metadata") + bytes.readUInt32LE(item + 16);
				return await patched("web.vhdx", "h.vhdx", place, large(2n ** 60n, "LE"));
			},
			/claims|cannot be read/,
		],
		[
			"a checkpoint of Hyper-V",
			async () => {
				const bytes = await readFile(at("web.vhdx"));
				const item = bytes.indexOf(Buffer.from("3767a1ca36fa434db3b633f0aa44e76b", "hex"));
				const place = bytes.indexOf("metadata") + bytes.readUInt32LE(item + 16) + 4;
				return await patched("web.vhdx", "d.avhdx", place, Buffer.from([2]));
			},
			/is a checkpoint that depends on another file \(AVHDX/,
		],
		[
			"a broken VHD",
			async () => await patched("web.vhd", "b.vhd", -512 + 64, Buffer.alloc(4)),
			/checksum of its footer is wrong/,
		],
		["a VHD cut off", async () => await cut("web.vhd", "c.vhd", 512), /footer at its end is missing/],
		[
			"a VHD that claims 2^32 blocks",
			async () => await patched("web.vhd", "h.vhd", 512 + 28, Buffer.alloc(4, 0xff)),
			/damaged|claims/,
		],
		[
			"a checkpoint of Hyper-V as a VHD",
			async () => {
				// Of the footer and its copy before everything else: another kind, and the sum that is right for it.
				const bytes = await readFile(at("web.vhd"));
				for (const footer of [0, bytes.length - 512]) {
					bytes.writeUInt32BE(4, footer + 60);
					bytes.writeUInt32BE(bytes.readUInt32BE(footer + 64) - 1, footer + 64);
				}
				await writeFile(at("d.avhd.vhd"), bytes);
				return "d.avhd.vhd";
			},
			/is a checkpoint that depends on another file \(a differencing VHD\)/,
		],
		[
			"a broken OVA",
			async () => await patched("web.ova", "b.ova", 0, Buffer.from("x")),
			/is no OVA, or cut off/,
		],
		["an OVA cut off", async () => await cut("web.ova", "c.ova", 1 << 20), /the archive is cut off/],
		[
			"an OVA with a disk that was changed",
			async () => {
				await sh(
					"mkdir -p other; cp packed.vmdk web.ovf web.mf other/; printf x >> other/packed.vmdk; tar --format=ustar -C other -cf ch.ova web.ovf packed.vmdk web.mf",
				);
				return "ch.ova";
			},
			/is not what its manifest \(\.mf\) says/,
		],
		[
			"an OVA whose disk is a snapshot",
			async () => {
				const text = (await readFile(at("web.ovf"), "utf8")).replace(
					'ovf:fileRef="file1"',
					'ovf:fileRef="file1" ovf:parentRef="vmdisk0"',
				);
				await writeFile(at("sn.ovf"), text);
				await sh("tar --format=ustar -cf sn.ova sn.ovf packed.vmdk");
				return "sn.ova";
			},
			/has a snapshot/,
		],
		[
			"an OVA whose disk claims 8 EiB",
			async () => {
				await patched("packed.vmdk", "huge.vmdk", 12, large(2n ** 54n, "LE"));
				await writeFile(at("huge.ovf"), ovf("huge.vmdk", 2 ** 40));
				await sh("tar --format=ustar -cf huge.ova huge.ovf huge.vmdk; rm huge.ovf huge.vmdk");
				return "huge.ova";
			},
			/claims/,
		],
		[
			"a machine of VMware with two disks of one file name",
			async () => {
				await writeFile(at("two.vmx"), `${vmx}scsi0:1.fileName = "/vmfs/volumes/ds2/web/split.vmdk"\n`);
				return "two.vmx";
			},
			/two disks that are one file here .*split\.vmdk.*: scsi0:0 \(split\.vmdk\) and scsi0:1 \(\/vmfs\/.*--disk scsi0:1=/,
		],
		[
			"an OVF with entities",
			async () => {
				await writeFile(
					at("x.ovf"),
					'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/shadow">]><Envelope>&a;</Envelope>',
				);
				return "x.ovf";
			},
			/declares a document type/,
		],
		["a qcow2 cut off", async () => await cut("web.qcow2", "c.qcow2", 2 ** 20), /is damaged|cannot be read/],
		[
			"a qcow2 that claims 4 EiB",
			async () => await patched("web.qcow2", "h.qcow2", 24, large(2n ** 62n, "BE")),
			/claims|cannot be read/,
		],
		[
			"a qcow2 that leans on another",
			async () => {
				await sh("qemu-img create -q -f qcow2 -b web.qcow2 -F qcow2 l.qcow2");
				return "l.qcow2";
			},
			/depends on another file \(a backing file\)/,
		],
		[
			"a qcow2 whose tables lead twice to one place",
			async () => {
				const bytes = await readFile(at("web.qcow2"));
				const table = Number(bytes.readBigUInt64BE(Number(bytes.readBigUInt64BE(40))) & 0x00fffffffffffe00n);
				return await patched("web.qcow2", "b.qcow2", table + 8, bytes.subarray(table, table + 8));
			},
			/is damaged/,
		],
		[
			"a raw disk cut off",
			async () => await cut("raw.img", "c.img", 2 ** 20),
			/partition table names sectors beyond its end/,
		],
	];

	beforeAll(async () => {
		// What was published by hand goes now, and not with the first of these.
		await bulkhead.command("apply", "--yes", site);
	});

	test.each(wrong)("%s", async (_, make, said) => {
		const source = await make();
		const before = [await kept(bulkhead), await readFile(site, "utf8"), await identityOf(at(source))];
		const result = await bulkhead.command("import", at(source), "--site", site, "--name", "wrong", "--yes");
		expect(result.code, result.stdout).toBe(1);
		expect(result.stderr).toMatch(said);
		expect(result.stderr).toContain(basename(source));
		expect([await kept(bulkhead), await readFile(site, "utf8"), await identityOf(at(source))]).toEqual(
			before,
		);
		await rm(at(source), { force: true });
	});
});
