import { z } from "zod";
import { buses, cards, firmwares, guestNames, machines } from "./guest.ts";

const file = z
	.string()
	.regex(/^\/[^\0\n]*$/, { error: "must be an absolute path on this host" })
	.max(4096);

export const examineBody = z.object({
	/** What is to be imported: a disk image, or the description of a machine. */
	source: file,
	/** Where disks are that the description does not tell: by its name of each, such as `scsi0`. */
	disks: z.record(z.string().max(200), file),
});

export type ExamineBody = z.infer<typeof examineBody>;

export const importedDiskView = z.object({
	/** What the source calls it: `scsi0:0`, `sda`, the name of a file. */
	called: z.string(),
	/** For `image:` of the site file. */
	image: z.string(),
	/** `VMDK`, `qcow2`. */
	format: z.string(),
	virtualBytes: z.number(),
	bus: z.enum(buses).nullable(),
	/** The one that the machine starts from. */
	system: z.boolean(),
});

export const importView = z.object({
	source: z.string(),
	kind: z.enum(["disk", "ova", "ovf", "vmx", "proxmox", "libvirt"]),
	/** As it is called there; empty when it has no name. */
	name: z.string(),
	guest: z.enum(guestNames),
	/** Null where the guest's usual will do, or nobody knows. */
	machine: z.enum(machines).nullable(),
	firmware: z.enum(firmwares).nullable(),
	tpm: z.boolean(),
	memoryBytes: z.number().nullable(),
	cpus: z.int().nullable(),
	disks: z.array(importedDiskView),
	cards: z.array(
		z.object({
			mac: z.string().nullable(),
			card: z.enum(cards).nullable(),
			/** Servers of this site that have the same hardware address: a machine that was exported here has one. */
			takenBy: z.array(z.object({ server: z.string(), segment: z.string() })),
		}),
	),
	/** What is not taken over, or has to be seen to, in words. */
	notes: z.array(z.string()),
});
/** What is known of a machine that is to become a server here. */
export type ImportView = z.infer<typeof importView>;
export type ImportedDisk = z.infer<typeof importedDiskView>;
