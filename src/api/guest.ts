/**
 * What a server runs, as far as its virtual hardware depends on it. What each stands for is data: guests/NAME.yaml.
 */
export const guestNames = [
	"linux",
	"freebsd",
	"windows-server-2025",
	"windows-server-2022",
	"windows-server-2019",
	"windows-server-2016",
	"windows-server-2012-r2",
	"windows-server-2008-r2",
	"windows-server-2003",
	"windows-2000",
	"windows-nt4",
	"windows-11",
	"windows-10",
	"windows-7",
	"other",
] as const;
export type GuestName = (typeof guestNames)[number];

export const machines = ["q35", "pc"] as const;
/** The chip set: Intel's of 2009 (PCI Express, SATA), or of 1996 (PCI, IDE). */
export type MachineKind = (typeof machines)[number];

export const firmwares = ["bios", "uefi", "uefi-secure"] as const;
export type FirmwareKind = (typeof firmwares)[number];

/**
 * What a disk is attached to. `virtio` and `virtio-scsi` are the fast ones, for which Windows needs drivers; the others
 * are real hardware: `lsi` is the LSI 53C895A, `lsi-sas` the SAS 1068, `pvscsi` that of VMware.
 */
export const buses = ["virtio", "virtio-scsi", "sata", "ide", "lsi", "lsi-sas", "pvscsi"] as const;
export type Bus = (typeof buses)[number];

/** `virtio` is the fast one, for which Windows needs a driver; `vmxnet3` is that of VMware. */
export const cards = ["virtio", "e1000e", "e1000", "vmxnet3", "rtl8139", "pcnet"] as const;
export type Card = (typeof cards)[number];
