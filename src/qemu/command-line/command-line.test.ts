import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { Disk, Hardware } from "../hardware.ts";
import { commandLine } from "./index.ts";

/**
 * What QEMU is started with, held by goldens: one option a line, with its value. `UPDATE=1` writes them anew; a
 * difference is a change of hardware, which guests may notice.
 */
const goldens = join(import.meta.dirname, "goldens");

const disposable: Disk = { name: "system", file: "/session/system.qcow2", keep: "throw-away" };
const kept = (name: string): Disk => ({ name, file: `/disks/${name}.qcow2`, keep: "kept" });

const tiny: Hardware = {
	name: "web#7",
	uuid: "6f1d9a52-0c8e-4f3b-9d27-5b1f0a7c3e11",
	accelerator: "tcg",
	generation: "d3b07384-d113-4ec6-a7a8-0c9f5b1e2a44",
	memoryBytes: 128 * 2 ** 20,
	memory: { kind: "own" },
	dataBus: "virtio-blk",
	cpus: 1,
	boot: {
		kind: "kernel",
		append: "console=ttyS0 quiet bulkhead.address=10.77.0.10/24 bulkhead.server=web bulkhead.session=7",
	},
	disks: [disposable],
	nic: { tap: "tap1", mac: "52:54:00:a1:15:fb" },
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
	"kvm-kernel": { ...tiny, accelerator: "kvm" },
	"kvm-disk-image": {
		...tiny,
		name: "erp#1",
		accelerator: "kvm",
		memoryBytes: 8 * 2 ** 30,
		cpus: 4,
		boot: { kind: "disk" },
		disks: [kept("system")],
	},
	"tcg-tiny-sealing": { ...tiny, dataBus: "scsi", memory: { kind: "sealing", descriptor: 4 } },
	"tcg-tiny-sealed": { ...tiny, dataBus: "scsi", memory: { kind: "sealed", descriptor: 4 } },
	"kvm-warm-booted": { ...tiny, accelerator: "kvm", dataBus: "scsi", disks: [disposable, kept("ledger")] },
	"kvm-sealed": { ...tiny, accelerator: "kvm", dataBus: "scsi", memory: { kind: "sealed", descriptor: 4 } },
	"no-network": { ...tiny, nic: null },
};

/** Options with their value, a line each. */
function lines(command: readonly string[]): string {
	return `${command.join("\n").replaceAll(/\n(?!-)/g, " ")}\n`;
}

test.each(Object.entries(machines))("%s", (name, hardware) => {
	const file = join(goldens, `${name}.args`);
	const text = lines(commandLine(hardware));
	if (process.env.UPDATE) writeFileSync(file, text);
	expect(text).toBe(readFileSync(file, "utf8"));
});

test("memory that is no whole number of MiB is rounded up, never down", () => {
	const command = commandLine({ ...tiny, memoryBytes: 100.5 * 2 ** 20 });
	expect(command[command.indexOf("-m") + 1]).toBe("101M");
});
