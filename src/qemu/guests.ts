import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parse } from "yaml";
import { z } from "zod";
import {
	buses,
	cards,
	type FirmwareKind,
	firmwares,
	type GuestName,
	guestNames,
	type MachineKind,
	machines,
} from "../api/guest.ts";
import { parseSize } from "../api/units.ts";
import type { Platform } from "./hardware.ts";

const folder = fileURLToPath(new URL("../../guests", import.meta.url));

/** guests/NAME.yaml: the virtual hardware that suits a guest as it comes, without drivers of its own. */
const guestSchema = z.strictObject({
	title: z.string(),
	family: z.enum(["windows", "linux", "freebsd", "other"]),
	machine: z.enum(machines),
	firmware: z.enum(firmwares),
	/** Interface of its TPM 2.0: `crb` for systems of 2012 and later, `tis` for older ones. */
	tpm: z.enum(["none", "crb", "tis"]),
	/** QEMU's `-cpu`, without Hyper-V's properties. */
	processor: z.strictObject({ kvm: z.string(), tcg: z.string() }),
	/** Hyper-V's enlightenments, without `hv-`: only KVM has them. */
	hyperv: z.array(z.string()),
	/** What the guest takes the hardware clock to show. */
	clock: z.enum(["utc", "localtime"]),
	/** Windows runs better without this timer, as QEMU's documentation of Hyper-V's says. */
	hpet: z.boolean(),
	disk: z.enum(buses),
	card: z.enum(cards),
	video: z.enum(["VGA", "cirrus-vga"]),
	/** Controller of its USB tablet, which keeps the pointer where the viewer's is; `none`: a PS/2 mouse. */
	usb: z.enum(["none", "uhci", "xhci"]),
	/** Whether there are a random number generator and a channel for the guest agent. */
	virtio: z.boolean(),
	/** Whether its installer takes a disk on IDE that answers at once for a full one (QEMU's `-win2k-hack`). */
	diskFullBug: z.boolean().default(false),
	/** Unless the site says otherwise. */
	memory: z.string().refine((text) => parseSize(text) !== undefined),
	cpus: z.int().min(1),
	note: z.string().default(""),
	/** Where that is written. */
	sources: z.array(z.url()).min(1),
});
export type Guest = z.infer<typeof guestSchema>;

/** All guests, by name. @throws Error for a file of another shape: they ship with Bulkhead */
function readGuests(): Readonly<Record<GuestName, Guest>> {
	const read = (name: string) => guestSchema.parse(parse(readFileSync(join(folder, `${name}.yaml`), "utf8")));
	return Object.fromEntries(guestNames.map((name) => [name, read(name)])) as Record<GuestName, Guest>;
}

export const guests = readGuests();

/** What a site says of a server's hardware, beside its guest. */
export interface Wishes {
	machine?: MachineKind | undefined;
	firmware?: FirmwareKind | undefined;
	tpm?: boolean | undefined;
}

/** The hardware for a guest: what suits it, and what the site says otherwise. */
export function platformOf(name: GuestName, accelerator: "kvm" | "tcg", wishes: Wishes = {}): Platform {
	const { machine, firmware, tpm, processor, hyperv } = guests[name];
	const { clock, hpet, video, usb, virtio, diskFullBug } = guests[name];
	const enlightened = accelerator === "kvm" ? hyperv.map((property) => `hv-${property}`) : [];
	return {
		machine: wishes.machine ?? machine,
		firmware: wishes.firmware ?? firmware,
		tpm: wishes.tpm === undefined ? tpm : !wishes.tpm ? "none" : tpm === "none" ? "tis" : tpm,
		processor: [processor[accelerator], ...enlightened].join(","),
		...{ clock, hpet, video, usb, virtio, diskFullBug },
	};
}
