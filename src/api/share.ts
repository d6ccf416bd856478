import { z } from "zod";
import { accountSchema } from "./domain.ts";

/**
 * Folders of this host that users of its domain reach as file shares (SMB).
 */

const reserved = ["global", "globals", "homes", "printers", "netlogon", "sysvol", "ipc$", "print$"];

/** [MS-FSCC] 2.1.6: 80 characters at most, and of those only what means nothing to any of the programs on the way. */
const shareNameSchema = z
	.string()
	.regex(
		/^[A-Za-z0-9](?:[A-Za-z0-9._ -]{0,62}[A-Za-z0-9_-])?$/,
		"a share's name has 1 to 64 letters, digits, spaces and . _ -, begins with a letter or digit and does not end with a space or dot",
	)
	.refine(
		// Samba takes spaces in the names of its own for none.
		(name) => !reserved.includes(name.toLowerCase().replaceAll(" ", "")),
		"this name means something else to Samba or Windows; give the share another one",
	);

export const addShareBody = z.strictObject({
	name: shareNameSchema,
	/** A folder of this host's. */
	path: z.string().max(1024),
	/** Whose members reach it; all users of the domain when there are none. */
	groups: z.array(accountSchema).max(16).default([]),
	readOnly: z.boolean().default(false),
	/** This host's addresses at which shares are served; those of private networks when null, and there are no shares yet. */
	listen: z
		.array(z.union([z.ipv4(), z.ipv6()], "an IPv4 or IPv6 address"))
		.min(1)
		.max(16)
		.nullable()
		.default(null),
});
export type AddShareBody = z.infer<typeof addShareBody>;

export const shareView = z.object({
	name: z.string(),
	path: z.string(),
	/** Whose members reach it, as AD\staff; all users of the domain when null. */
	groups: z.array(z.string()).nullable(),
	readOnly: z.boolean(),
	/** Why nobody reaches it at the moment, and what to do; null when it is served. */
	trouble: z.string().nullable(),
});
export type ShareView = z.infer<typeof shareView>;

export const sharesView = z.object({
	/** What clients call this host, as host1.ad.example.com; their tickets are for this name. */
	host: z.string(),
	/** Whether the domain's DNS knows that name; null when there is nothing to be found there. */
	named: z.boolean().nullable(),
	/** Addresses of this host at which shares are served. */
	listen: z.array(z.string()),
	shares: z.array(shareView),
	/** What stands in the way of all of them, in words. */
	trouble: z.string().nullable(),
});
export type SharesView = z.infer<typeof sharesView>;

export const removeShareView = z.object({
	name: z.string(),
	/** The folder, which stays as it is. */
	path: z.string(),
});
