import { z } from "zod";

/** A disk as a guest says that it sees it. All of it is the guest's word. */
export const guestDisk = z.object({
	/** The name of its disk in the site file, which it has as its serial number; null where the guest does not tell. */
	serial: z.string().nullable(),
	/** What it is attached to, in QEMU's words (`virtio`, `sata`, `ide`, `scsi`); null where the guest does not tell. */
	bus: z.string().nullable(),
});
export type GuestDisk = z.infer<typeof guestDisk>;
