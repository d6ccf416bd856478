import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { type Bus, type GuestName, guestNames } from "../../api/guest.ts";
import { guests, platformOf } from "../guests.ts";
import type { Disk, Hardware } from "../hardware.ts";
import { commandLine, takenNames } from "./index.ts";

/**
 * What QEMU is started with, held by goldens: one option a line, with its value. `UPDATE=1` writes them anew; a
 * difference is a change of hardware, which guests may notice.
 */
const goldens = join(import.meta.dirname, "goldens");

const disposable: Disk = { name: "system", file: "/session/system.qcow2", keep: "throw-away", bus: "virtio" };
const kept = (name: string, bus: Bus = "virtio"): Disk => ({
	name,
	file: `/disks/${name}.qcow2`,
	keep: "kept",
	bus,
});

const tiny: Hardware = {
	name: "web#7",
	uuid: "6f1d9a52-0c8e-4f3b-9d27-5b1f0a7c3e11",
	accelerator: "tcg",
	generation: "d3b07384-d113-4ec6-a7a8-0c9f5b1e2a44",
	memoryBytes: 128 * 2 ** 20,
	memory: { kind: "own" },
	hotplug: false,
	drives: [],
	screen: false,
	platform: platformOf("linux", "tcg"),
	cpus: 1,
	boot: {
		kind: "kernel",
		append: "console=ttyS0 quiet bulkhead.address=10.77.0.10/24 bulkhead.server=web bulkhead.session=7",
	},
	disks: [disposable],
	nic: { tap: "tap1", mac: "52:54:00:a1:15:fb", card: "virtio" },
	limits: { bytesPerSecond: 200 * 2 ** 20, operationsPerSecond: 4000 },
};

const machines: Record<string, Hardware> = {
	"tcg-tiny-disposable": tiny,
	"tcg-debian-kept": {
		...tiny,
		name: "dc1#12",
		memoryBytes: 1.5 * 2 ** 30,
		cpus: 2,
		disks: [kept("system"), kept("directory"), kept("mail")],
		limits: { bytesPerSecond: 20 * 2 ** 20, operationsPerSecond: 500 },
	},
	"kvm-kernel": { ...tiny, accelerator: "kvm", platform: platformOf("linux", "kvm") },
	"kvm-disk-image": {
		...tiny,
		name: "erp#1",
		accelerator: "kvm",
		platform: platformOf("linux", "kvm"),
		memoryBytes: 8 * 2 ** 30,
		cpus: 4,
		boot: { kind: "disk" },
		disks: [kept("system")],
	},
	"tcg-tiny-sealing": { ...tiny, hotplug: true, memory: { kind: "sealing", descriptor: 4 } },
	"tcg-tiny-sealed": { ...tiny, hotplug: true, memory: { kind: "sealed", descriptor: 4 } },
	"kvm-warm-booted": {
		...tiny,
		accelerator: "kvm",
		platform: platformOf("linux", "kvm"),
		hotplug: true,
		disks: [disposable, kept("ledger", "virtio-scsi")],
	},
	"kvm-sealed": {
		...tiny,
		accelerator: "kvm",
		platform: platformOf("linux", "kvm"),
		hotplug: true,
		memory: { kind: "sealed", descriptor: 4 },
	},
	"no-network": { ...tiny, nic: null },
};

/** A server as it is installed: an empty disk, a card and two discs, with what suits its guest. */
function guestMachine(guest: GuestName, accelerator: "kvm" | "tcg"): Hardware {
	const { disk, card } = guests[guest];
	return {
		...tiny,
		accelerator,
		platform: platformOf(guest, accelerator),
		boot: { kind: "disk" },
		disks: [kept("system", disk), kept("data", disk)],
		drives: [
			{ name: "installer", kind: "cd", file: "/discs/installer.iso" },
			{ name: "drivers", kind: "cd", file: null },
			...(guest === "windows-server-2003" || guest === "windows-2000"
				? [{ name: "answers", kind: "floppy" as const, file: "/discs/answers.img" }]
				: []),
		],
		nic: { tap: "tap1", mac: "52:54:00:a1:15:fb", card },
		screen: true,
	};
}

const ofGuests = guestNames.flatMap((guest) =>
	(["kvm", "tcg"] as const).map((accelerator): [string, Hardware] => [
		`guest-${guest}-${accelerator}`,
		guestMachine(guest, accelerator),
	]),
);

/** Disks on each kind of controller, as they come with imported servers. */
const buses: [string, Hardware][] = [
	[
		"buses-pc",
		{
			...guestMachine("windows-server-2003", "tcg"),
			disks: [
				kept("system", "lsi"),
				kept("a", "lsi-sas"),
				kept("b", "pvscsi"),
				kept("c", "ide"),
				kept("d", "sata"),
			],
		},
	],
	[
		"buses-q35",
		{ ...guestMachine("linux", "tcg"), disks: [kept("system", "virtio-scsi"), kept("a", "sata"), kept("b")] },
	],
];

/** Options with their value, a line each. */
function lines(command: readonly string[]): string {
	return `${command.join("\n").replaceAll(/\n(?!-)/g, " ")}\n`;
}

test.each([...Object.entries(machines), ...ofGuests, ...buses])("%s", (name, hardware) => {
	const file = join(goldens, `${name}.args`);
	const text = lines(commandLine(hardware));
	if (process.env.UPDATE) writeFileSync(file, text);
	expect(text).toBe(readFileSync(file, "utf8"));
});

test("once its discs are taken out, a Windows 2000 has a disk of full speed", () => {
	const machine = guestMachine("windows-2000", "kvm");
	const empty = machine.drives.map((drive) => ({ ...drive, file: null }));
	expect(commandLine(machine)).toContain("-win2k-hack");
	expect(commandLine({ ...machine, drives: empty })).not.toContain("-win2k-hack");
	expect(commandLine(guestMachine("windows-server-2003", "kvm"))).not.toContain("-win2k-hack");
});

test.each<[string, Hardware, number[]]>([
	[
		"cold",
		{
			...guestMachine("linux", "tcg"),
			disks: [kept("system", "virtio-scsi"), kept("a", "virtio-scsi"), kept("b")],
		},
		[1, 2, 3],
	],
	[
		"warm",
		{ ...tiny, hotplug: true, disks: [{ ...disposable, bus: "virtio-scsi" }, kept("a", "virtio-scsi")] },
		[1],
	],
])("a system disk on virtio-scsi is booted first, recovery %s", (_, hardware, expected) => {
	const disks = commandLine(hardware).filter((word) => /^(scsi-hd|virtio-blk)/.test(word));
	expect(disks[0]).toContain("id=system,");
	expect(disks.flatMap((word) => Number(/,bootindex=(\d+),/.exec(word)?.[1]) || [])).toEqual(expected);
});

/** A floppy drive on the newer board, which has no controller for one. */
const withFloppy: Hardware = (() => {
	const machine = guestMachine("windows-server-2003", "tcg");
	return { ...machine, platform: { ...machine.platform, machine: "q35" }, disks: [kept("system", "sata")] };
})();

test("a disk may not have the name of another device, on any board, and any other name", () => {
	const all = [...Object.values(machines), ...[...ofGuests, ...buses].map(([, each]) => each), withFloppy];
	const found = new Set<string>();
	for (const machine of all) {
		const devices = lines(commandLine(machine)).match(/^-device .*$/gm) ?? [];
		const ids = devices.flatMap((device) => /[, ]id=([^,]*)/.exec(device)?.[1] ?? []);
		const own = machine.disks.map(({ name }) => name);
		expect(takenNames(machine)).toEqual([]);
		// What cannot be the name of a disk is in nobody's way.
		for (const id of ids.filter((id) => /^[a-z][a-z0-9-]*$/.test(id) && !own.includes(id))) {
			found.add(id);
			const disks = [...machine.disks, kept(id, machine.disks[0]?.bus), kept("other", "virtio-scsi")];
			expect(takenNames({ ...machine, disks }), `${id} beside ${own}`).toEqual([id]);
		}
	}
	expect([...found].sort()).toEqual(["fdc", "lsi", "lsi-sas", "nic0", "pvscsi", "sata", "usb"]);
});

test("memory that is no whole number of MiB is rounded up, never down", () => {
	const command = commandLine({ ...tiny, memoryBytes: 100.5 * 2 ** 20 });
	expect(command[command.indexOf("-m") + 1]).toBe("101M");
});
