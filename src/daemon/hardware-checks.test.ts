import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import type { ServerDefinition } from "../api/site.ts";
import { hungShare } from "../host/testing/hung-share.ts";
import type { StoredServer } from "../store/servers.ts";
import { hardwareOnHost } from "./hardware-checks.ts";

const gone = "/nowhere/installer.iso";
const definition: ServerDefinition = { install: { iso: gone }, system: { size: "1GiB" } };
const messages = async (one: ServerDefinition, old?: StoredServer) =>
	(await hardwareOnHost("lab", one, old)).map(({ path, message }) => `${path.join(".")}: ${message}`);
const stored = (ejected: string[]) =>
	({ definition, ejected, installed: { guest: "other" } }) as unknown as StoredServer;

test("a disc that is not there is told, unless it was ejected", async () => {
	const missing = [
		expect.stringMatching(/^servers\.lab\.install\.iso: \/nowhere\/installer\.iso cannot be read/),
	];
	expect(await messages(definition)).toEqual(missing);
	expect(await messages(definition, stored([]))).toEqual(missing);
	expect(await messages(definition, stored([gone]))).toEqual([]);
});

test("a disc on a share that answers never is told, and not waited for", async ({ skip }) => {
	const folder = await mkdtemp(join(tmpdir(), "bulkhead-discs-"));
	onTestFinished(async () => await rm(folder, { recursive: true }));
	await using hung = await hungShare(folder);
	if (!hung) return skip("this host has no FUSE");
	const install = { iso: join(folder, "disc.iso") };
	expect(await hardwareOnHost("lab", { ...definition, install }, undefined, 1000)).toEqual([
		{
			path: ["servers", "lab", "install", "iso"],
			message: `${folder}/disc.iso cannot be looked at within 1.00 s; is the disk or the network there that it is on?`,
		},
	]);
});

test("disks without a place are told, and the mend", async () => {
	const ide: ServerDefinition = {
		...definition,
		install: { iso: import.meta.filename },
		system: { size: "1GiB", bus: "ide" },
	};
	expect(await messages(ide)).toEqual([
		expect.stringMatching(/system\.bus: the chip set q35 has no IDE; say `machine: pc`/),
	]);
	const data = ["a", "b", "c"].map((name) => ({ name, size: "1GiB" }));
	expect(await messages({ ...ide, machine: "pc", data, system: { size: "1GiB", bus: "ide" } })).toEqual([]);
	const many = ["a", "b", "c", "d", "e"].map((name) => ({ name, size: "1GiB" }));
	expect(
		await messages({
			...definition,
			install: { iso: import.meta.filename },
			data: [...many, { name: "f", size: "1GiB" }],
		}),
	).toEqual([expect.stringMatching(/sata has room for 6 disks and CD drives, and these are 8/)]);
});

test("a data disk with the name of another of the server's devices is told by its field", async () => {
	const data = (...names: string[]) => names.map((name) => ({ name, size: "1GiB" }));
	const network = { segment: "office", address: "10.77.0.10" };
	const taken = (disk: string, i: number) =>
		`servers.lab.data.${i}.name: "${disk}" is what another of this server's devices is called; choose another name`;
	const template: ServerDefinition = {
		template: "tiny",
		data: data("ledger", "nic0", "usb", "sata"),
		network,
	};
	expect(await messages(template)).toEqual([taken("nic0", 1)]);
	expect(await messages({ ...template, recovery: { mode: "warm" } })).toEqual([taken("nic0", 1)]);
	const image: ServerDefinition = { image: "/srv/x.qcow2", guest: "windows-7", data: data("usb", "nic0") };
	expect(await messages(image)).toEqual([taken("usb", 0)]);
	expect(await messages({ ...image, guest: "linux" })).toEqual([]);
	const scsi: ServerDefinition = {
		...{ image: "/srv/x.qcow2", guest: "linux", system: { bus: "lsi" } },
		data: [
			{ name: "lsi", size: "1GiB" },
			{ name: "pvscsi", size: "1GiB", bus: "pvscsi" },
		],
	};
	expect(await messages(scsi)).toEqual([taken("lsi", 0), taken("pvscsi", 1)]);
});

test("a server that recovers warm has neither UEFI nor a TPM", async () => {
	const warm: ServerDefinition = {
		image: "/srv/x.qcow2",
		agent: true,
		firmware: "uefi",
		system: { disk: "disposable" },
		recovery: { mode: "warm" },
	};
	expect(await messages(warm)).toContainEqual(
		expect.stringMatching(/recovery\.mode: warm is not possible with UEFI or a TPM/),
	);
	expect(await messages({ ...warm, firmware: "bios" })).toEqual([]);
});

test("a role that would format a data disk from an image is told by its field, for a server that is to be made", async () => {
	const lab = (disk: string): ServerDefinition => ({
		guest: "windows-server-2003",
		install: {
			iso: import.meta.filename,
			answers: {
				...{ computerName: "LAB", edition: 1, language: "en-US", timeZone: "UTC" },
				administrator: { passwordFile: gone },
				roles: [{ role: "sql-server-disk", letter: "S", label: "SQL", disk }],
			},
		},
		system: { size: "10GiB" },
		data: [
			{ name: "archive", size: "1GiB", image: "/srv/archive.vmdk" },
			{ name: "sql", size: "1GiB" },
		],
	});
	const ofDisk = async (one: ServerDefinition, old?: StoredServer) =>
		(await messages(one, old)).filter((text) => text.includes("roles"));
	expect(await ofDisk(lab("archive"))).toEqual([
		expect.stringMatching(/^servers\.lab\.install\.answers\.roles\.0\.disk: archive comes from an image/),
	]);
	expect(await ofDisk(lab("sql"))).toEqual([]);
	expect(await ofDisk(lab("archive"), stored([]))).toEqual([]);
});

/** Its file of a password is not there, which is no matter here. */
const windows = (changes: Partial<ServerDefinition> = {}): ServerDefinition => ({
	guest: "windows-server-2022",
	install: {
		iso: import.meta.filename,
		answers: {
			...{ computerName: "LAB", edition: 1, language: "en-US", timeZone: "UTC" },
			administrator: { passwordFile: gone },
		},
	},
	system: { size: "40GiB" },
	...{ firmware: "bios", tpm: false },
	...changes,
});
const ofHardware = async (one: ServerDefinition, old?: StoredServer) =>
	(await messages(one, old)).filter((text) => !text.includes("passwordFile"));

test("an unattended Windows is not installed where its Setup may wipe a data disk", async () => {
	const empty = { name: "sql", size: "1GiB" };
	expect(await ofHardware(windows({ data: [empty] }))).toEqual([]);
	expect(await ofHardware(windows({ data: [{ ...empty, bus: "virtio" }] }))).toEqual([
		expect.stringMatching(/^servers\.lab\.data\.0\.bus: .* which may be sql, .*; say `bus: sata` here/),
	]);
	const filled = { ...empty, name: "archive", image: "/srv/archive.vmdk" };
	expect(await ofHardware(windows({ data: [empty, filled] }))).toEqual([
		expect.stringMatching(/^servers\.lab\.data\.1\.image: .* which may be archive; add it after the install/),
	]);
	// Without the driver Setup sees the data disk alone.
	expect(await ofHardware(windows({ system: { size: "40GiB", bus: "virtio" }, data: [empty] }))).toEqual([
		expect.stringMatching(/^servers\.lab\.system\.bus: Windows' Setup has no driver for virtio/),
		expect.stringMatching(/^servers\.lab\.data\.0\.bus: /),
	]);
});

test("while Windows is being installed no disk is added that its Setup may wipe; afterwards any is", async () => {
	const old = (was: ServerDefinition, ejected: string[] = []) =>
		({ definition: was, ejected, installed: { guest: was.guest } }) as unknown as StoredServer;
	const filled = { name: "archive", size: "1GiB", image: "/srv/archive.vmdk" };
	const more = windows({ data: [{ name: "sql", size: "1GiB" }, filled] });
	expect(await ofHardware(more, old(windows()))).toEqual([
		expect.stringMatching(/^servers\.lab\.data\.1\.image: /),
	]);
	expect(await ofHardware(more, old(windows(), ["answers"]))).toEqual([]);
	expect(await ofHardware(more, old(windows({ data: [filled] })))).toEqual([]);
});

test("the drive with the answers of an installation has to have a place, too", async () => {
	const data = ["a", "b"].map((name) => ({ name, size: "1GiB" }));
	const install = { ...windows().install, iso: import.meta.filename, drivers: import.meta.filename };
	expect(await ofHardware(windows({ install, data }))).toEqual([]);
	expect(await ofHardware(windows({ install, data: [...data, { name: "c", size: "1GiB" }] }))).toEqual([
		expect.stringMatching(/sata has room for 6 disks and CD drives, and these are 7/),
	]);
	// Four devices on IDE have their places; the answers of this one are on a floppy disk.
	expect(
		await ofHardware(
			windows({ guest: "windows-server-2003", install: { ...install, drivers: undefined }, data }),
		),
	).toEqual([]);
});
