import { createHash } from "node:crypto";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { ImportView } from "../../api/import.ts";
import { run } from "../../host/command.ts";
import { tarEnd, tarHeader, tarPadding } from "../../host/tar.ts";
import { paths } from "../../store/paths.ts";
import type { Context } from "../context.ts";
import { examineImport } from "./examine.ts";

let folder = "";
beforeEach(async () => {
	folder = await mkdtemp(join(tmpdir(), "bulkhead-imports-"));
});
afterEach(async () => {
	await rm(folder, { recursive: true });
});

const at = (name: string) => join(folder, name);
const put = async (name: string, content: string | Buffer) => await writeFile(at(name), content);
const examine = async (name: string, disks: Record<string, string> = {}): Promise<ImportView> => {
	const context = { paths: paths(folder, folder) } as Context;
	return await examineImport({ source: at(name), disks }, [], context, AbortSignal.timeout(60_000));
};
const images = ({ disks }: ImportView) => disks.map(({ called, image }) => [called, image]);

const makeDisk = async (name: string, format: string) =>
	await run("qemu-img", ["create", "-q", "-f", format, at(name), "4M"], { deadlineMs: 20_000 });

describe("two disks of one file name", () => {
	beforeEach(async () => {
		await mkdir(at("nas"));
		await makeDisk("erp.vmdk", "vmdk");
		await makeDisk("nas/erp.vmdk", "vmdk");
		await makeDisk("vm-100-disk-0.qcow2", "qcow2");
		await put(
			"erp.vmx",
			'config.version = "8"\nscsi0:0.fileName = "erp.vmdk"\nscsi0:1.fileName = "/vmfs/volumes/ds2/erp/erp.vmdk"\n',
		);
		await put(
			"100.conf",
			"memory: 1024\nscsi0: local:100/vm-100-disk-0.qcow2\nscsi1: nas:100/vm-100-disk-0.qcow2\n",
		);
	});

	test.each([
		["erp.vmx", "scsi0:0 (erp.vmdk) and scsi0:1 (/vmfs/volumes/ds2/erp/erp.vmdk)", "scsi0:0=/path/of/disk1"],
		[
			"100.conf",
			"scsi0 (local:100/vm-100-disk-0.qcow2) and scsi1 (nas:100/vm-100-disk-0.qcow2)",
			"scsi1=/path/of/disk2",
		],
	])("%s: are not taken for one", async (name, both, mend) => {
		const refusal = expect(examine(name)).rejects;
		await refusal.toMatchObject({ code: "bad-input", message: expect.stringContaining(both) });
		await refusal.toMatchObject({ message: expect.stringContaining(`--disk ${mend}`) });
	});

	test("are taken where each is said to be, by what the description calls them", async () => {
		const second = at("nas/erp.vmdk");
		expect(images(await examine("erp.vmx", { "scsi0:1": second }))).toEqual([
			["scsi0:0", at("erp.vmdk")],
			["scsi0:1", second],
		]);
	});

	test("cannot be told by that name", async () => {
		await expect(examine("erp.vmx", { "erp.vmdk": at("nas/erp.vmdk") })).rejects.toMatchObject({
			code: "bad-input",
			message: expect.stringMatching(
				/has 2 disks erp\.vmdk: scsi0:0 \(erp\.vmdk\), scsi0:1 \(\/vmfs.*\); say where each is: --disk scsi0:0=/,
			),
		});
	});

	test("are one, too, when a link makes them so, and when both are said to be there", async () => {
		await symlink(at("erp.vmdk"), at("link.vmdk"));
		await expect(examine("erp.vmx", { "scsi0:1": at("link.vmdk") })).rejects.toThrow(
			/two disks that are one file/,
		);
		const [one, other] = [at("nas/erp.vmdk"), at("nas/erp.vmdk")];
		await expect(examine("erp.vmx", { "scsi0:0": one, "scsi0:1": other })).rejects.toThrow(/one file here/);
	});
});

test("a disk that two options mean is said once", async () => {
	await makeDisk("web.qcow2", "qcow2");
	await put("100.conf", "memory: 1024\nscsi0: nas:100/web.qcow2\n");
	expect(images(await examine("100.conf", { "web.qcow2": at("web.qcow2") }))).toEqual([
		["scsi0", at("web.qcow2")],
	]);
	const both = { scsi0: at("web.qcow2"), "web.qcow2": at("web.qcow2") };
	await expect(examine("100.conf", both)).rejects.toThrow(/--disk says twice where it is/);
	await expect(examine("100.conf", { sda: at("web.qcow2") })).rejects.toThrow(
		"has no disk sda; its disks are scsi0",
	);
});

const ovf = (disk: string) =>
	`<Envelope><References><File id="f" href="${disk}"/></References><DiskSection><Disk diskId="d" fileRef="f"/></DiskSection><VirtualSystem id="erp"><VirtualHardwareSection><Item><ElementName>Hard Disk 1</ElementName><HostResource>ovf:/disk/d</HostResource><ResourceType>17</ResourceType></Item></VirtualHardwareSection></VirtualSystem></Envelope>`;
const archive = (files: Record<string, string | Buffer>) =>
	Buffer.concat([
		...Object.entries(files).flatMap(([name, content]) => {
			const bytes = Buffer.from(content);
			return [tarHeader(name, bytes.length, new Date(0)), bytes, tarPadding(bytes.length)];
		}),
		tarEnd(),
	]);
const manifest = (files: Record<string, string | Buffer>) =>
	Object.entries(files)
		.map(([name, content]) => `SHA256(${name})= ${createHash("sha256").update(content).digest("hex")}\n`)
		.join("");

describe.each([
	["erp.ovf", "as they are"],
	["./erp.ovf", "below ./"],
])("an OVA whose files are named %s (%s)", (description) => {
	const before = description.replace("erp.ovf", "");
	const withDisk = async (change: (files: Record<string, string | Buffer>) => void, listed = "") => {
		const files: Record<string, string | Buffer> = {
			"erp.ovf": ovf("d.img"),
			"d.img": Buffer.alloc(65_536, 1),
		};
		const mf = manifest(
			Object.fromEntries(Object.entries(files).map(([name, bytes]) => [listed + name, bytes])),
		);
		change(files);
		const named = Object.entries({ ...files, "erp.mf": mf }).map(([name, bytes]) => [before + name, bytes]);
		await put("erp.ova", archive(Object.fromEntries(named)));
	};

	test("is taken when its checksums are right", async () => {
		await withDisk(() => {});
		expect(images(await examine("erp.ova"))).toEqual([["Hard Disk 1", `${at("erp.ova")}#${before}d.img`]]);
	});

	test.each(["", "./"])(
		"is refused when its disk was changed, and its manifest begins names by '%s'",
		async (listed) => {
			await withDisk((files) => {
				files["d.img"] = Buffer.alloc(65_536, 2);
			}, listed);
			await expect(examine("erp.ova")).rejects.toThrow(/holds d\.img, which is not what its manifest/);
		},
	);

	test("is refused when its description was changed", async () => {
		await withDisk((files) => {
			files["erp.ovf"] += " ";
		});
		await expect(examine("erp.ova")).rejects.toThrow(/holds erp\.ovf, which is not what its manifest/);
	});
});

test("an OVA that holds a file by two names is refused", async () => {
	await put("erp.ova", archive({ "erp.ovf": ovf("d.img"), "d.img": "a", "./d.img": "b" }));
	await expect(examine("erp.ova")).rejects.toMatchObject({ code: "bad-input" });
});

test("an OVA is read where its own name and its disk's have a # in them", async () => {
	const disk = "srv #2 #a-disk1.img";
	await put(
		"old #1.ova",
		archive({ "erp.ovf": ovf(encodeURIComponent(disk)), [disk]: Buffer.alloc(65_536, 1) }),
	);
	const found = await examine("old #1.ova");
	expect(images(found)).toEqual([["Hard Disk 1", `${at("old #1.ova")}#${disk}`]]);
	// As the site file names it: a bare disk.
	expect(await examine(`old #1.ova#${disk}`)).toMatchObject({ kind: "disk", disks: [{ format: "raw" }] });
	await expect(examine("old #1.ova#srv #3.img")).rejects.toThrow(/there is no "srv #3.img" in the archive/);
	await expect(examine("old #3.ova#srv #3.img")).rejects.toThrow(/there is no such file/);
});

test("a file name that none can have is told as what is wrong with the description", async () => {
	await put("zero.vmx", 'config.version = "8"\nscsi0:0.fileName = "x|00.vmdk"\n');
	await expect(examine("zero.vmx")).rejects.toMatchObject({
		code: "bad-input",
		message: expect.stringContaining(
			"zero.vmx has a disk scsi0:0 (x?.vmdk) whose file name has control characters",
		),
	});
	const long = `/var/lib/libvirt/images/${"x".repeat(300)}`;
	const disk = `<disk><source file="${long}"/><target dev="vda" bus="virtio"/></disk>`;
	await put("long.xml", `<domain><devices>${disk}</devices></domain>`);
	await expect(examine("long.xml")).rejects.toMatchObject({
		code: "bad-input",
		message: expect.stringMatching(
			/has a disk vda \(.*\) that is not beside it; say where it is: --disk vda=/,
		),
	});
	await expect(examine("long.xml", { vda: long })).rejects.toMatchObject({
		code: "bad-input",
		message: expect.stringContaining("there is no such file"),
	});
});
