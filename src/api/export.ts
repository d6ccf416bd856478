import { z } from "zod";

export const exportFormats = ["qcow2", "vmdk", "vhdx", "vhd", "raw", "ova"] as const;
export type ExportFormat = (typeof exportFormats)[number];

export const exportBody = z.object({
	/** The file to make; it must not be there. Data disks come beside it, as `erp-ledger.qcow2`; in an OVA, into it. */
	to: z
		.string()
		.regex(/^\/[^\0\n]*[^\0\n/]$/, { error: "must be the absolute path of a file on this host" })
		.max(4000),
	format: z.enum(exportFormats),
});
export type ExportBody = z.infer<typeof exportBody>;
