import { join } from "node:path";
import { z } from "zod";
import { groupNumber, idmapLines, type Member } from "../plan.ts";

/** Of a UUID. */
const markLength = 36;

const groupSchema = z.object({ name: z.string(), sid: z.string() });

const shareSchema = z.object({
	name: z.string(),
	path: z.string(),
	/** Whose members reach it. */
	groups: z.array(groupSchema).min(1),
	/** Whether these are all users of the domain. */
	everybody: z.boolean(),
	readOnly: z.boolean(),
	/** What the folder is marked with, so that another one in its place is not taken for it. */
	mark: z
		.string()
		.length(markLength)
		.regex(/^[0-9a-f-]+$/),
});
export type Share = z.infer<typeof shareSchema>;

/** All shares; kept as shares.json, which is there while there are any. */
export const sharesSchema = z.object({
	listen: z.array(z.union([z.ipv4(), z.ipv6()])).min(1),
	shares: z.array(shareSchema).min(1),
	/** Whether the domain's DNS was told of the host. */
	named: z.boolean(),
});
export type Shares = z.infer<typeof sharesSchema>;

/** Of a folder before it was shared: its access list as getfacl(1) writes it, and by what it is known. */
const rightsSchema = z.object({ acl: z.string(), inode: z.number() });
export type Rights = z.infer<typeof rightsSchema>;

/** A share that is being added; kept as share-adding.json from before its folder is touched until it is in the record. */
export const addingSchema = z.object({ share: shareSchema, before: rightsSchema });
export type Adding = z.infer<typeof addingSchema>;

/** Where smbd finds what is its own, and the shared folders. */
export const insideShares = { own: "/shares", at: "/shares/at" } as const;
/** Where winbindd says that it can be asked who somebody is. */
export const privileged = "winbindd_privileged";

/** Folders that smbd writes in. */
export const shareFolders = ["private", "state", "cache", "lock", "pid", "log", "ncalrpc"] as const;

/** @param folder that of the membership */
export function shareFiles(folder: string) {
	const own = join(folder, "shares");
	const at = (name: string) => join(own, name);
	return {
		record: join(folder, "shares.json"),
		adding: join(folder, "share-adding.json"),
		folder: own,
		etc: at("etc"),
		config: join(at("etc"), "smb.conf"),
		lock: at("lock"),
		status: at("status.json"),
		output: at("smbd.log"),
	};
}

/** Windows takes names that differ in case for the same. */
export function keyOf(name: string): string {
	return name.toLowerCase();
}

/**
 * Where smbd sees a share's folder: none of what the folder is called is in its configuration, and what was shared by the
 * same name before is somewhere else.
 */
export function seenAt({ name, mark }: Pick<Share, "name" | "mark">): string {
	return `${insideShares.at}/${mark}-${keyOf(name)}`;
}

/** @returns the name of the share that is seen there */
export function nameAt(at: string): string {
	return at.slice(insideShares.at.length + 1 + markLength + 1);
}

/**
 * What smbd is told. Everything of the host's own Samba is left out: it has another configuration, and none of this is found there.
 * @param addresses those of the host at which it listens
 * @throws RangeError for what no file can be made of; pure
 */
export function smbConf(
	member: Member,
	{ shares }: Pick<Shares, "shares">,
	addresses: readonly string[],
): string {
	const { realm, workgroup, name } = member;
	for (const word of [realm, workgroup, name, ...addresses])
		if (!/^[A-Za-z0-9.:-]+$/.test(word)) throw new RangeError(`no name for a configuration: ${word}`);
	const at = (folder: string) => `${insideShares.own}/${folder}`;
	return [
		"[global]",
		...["security = ads", "server role = member server"],
		...[`realm = ${realm}`, `workgroup = ${workgroup}`, `netbios name = ${name}`, "server string ="],
		// Tickets are opened with the host's passwords, the one before the last among them: a keytab would have to be made anew
		// whenever winbindd changes the password.
		"kerberos method = secrets only",
		...[`private dir = ${at("private")}`, `state directory = ${at("state")}`],
		...[`cache directory = ${at("cache")}`, `lock directory = ${at("lock")}`, `pid directory = ${at("pid")}`],
		`ncalrpc dir = ${at("ncalrpc")}`,
		// One file: named after the client, as is usual, whoever comes could have any number of them made.
		...["logging = file", `log file = ${at("log")}/log.smbd`, "max log size = 1000"],
		// As winbindd has it: it is asked for all of this, and what is told here has to be the same.
		...idmapLines(workgroup),
		...[`interfaces = ${addresses.join(" ")}`, "bind interfaces only = yes", "smb ports = 445"],
		...["disable netbios = yes", "server min protocol = SMB2_10", "server signing = mandatory"],
		...[
			"ntlm auth = ntlmv2-only",
			"restrict anonymous = 2",
			"map to guest = never",
			"guest account = nobody",
		],
		...["load printers = no", "disable spoolss = yes", "printcap name = /dev/null"],
		...["usershare max shares = 0", "host msdfs = no", "unix extensions = no", "max smbd processes = 250"],
		// Not follow links: whoever logs in to the host as well could lay them.
		...["follow symlinks = no", "wide links = no"],
		// Windows' access lists, kept beside those of the kernel, which are asked too. Not where only CAP_SYS_ADMIN can write
		// them (security.NTACL): with that smbd could leave its view. And nobody reaches these by SMB as attributes of files.
		...["vfs objects = acl_xattr", "acl_xattr:security_acl_name = user.NTACL", "ea support = no"],
		...["map acl inherit = yes", "inherit acls = yes", "store dos attributes = yes"],
		...["map archive = no", "map hidden = no", "map readonly = no", "map system = no"],
		...shares.flatMap(section),
		"",
	].join("\n");
}

/** @throws RangeError */
function section(share: Share): string[] {
	const { name, groups, readOnly } = share;
	if (!/^[A-Za-z0-9][A-Za-z0-9._ -]*$/.test(name)) throw new RangeError(`no name for a share: ${name}`);
	return [
		`[${name}]`,
		`path = ${seenAt(share)}`,
		`read only = ${readOnly ? "yes" : "no"}`,
		"guest ok = no",
		// By number: a group that is called otherwise tomorrow is the same, and no name has to be quoted.
		`valid users = ${groups.map(({ sid }) => numberless(sid)).join(" ")}`,
	];
}

/** @throws RangeError */
function numberless(sid: string): string {
	if (groupNumber(sid) === undefined) throw new RangeError(`no group of the domain: ${sid}`);
	return sid;
}

/** What is below /etc for smbd. */
export function shareEtc(
	member: Member,
	shares: Pick<Shares, "shares">,
	addresses: readonly string[],
): Record<string, string> {
	return {
		"smb.conf": smbConf(member, shares, addresses),
		// It asks no controller: winbindd does.
		"krb5.conf": `[libdefaults]\ndefault_realm = ${member.realm}\ndns_lookup_kdc = false\nrdns = false\n`,
		hosts: "127.0.0.1 localhost\n::1 localhost\n",
		// smbd wants a name of the system for whoever comes: winbindd's module of libc has them.
		"nsswitch.conf": "passwd: files winbind\ngroup: files winbind\nhosts: files\n",
		passwd: "root:x:0:0:root:/:/usr/sbin/nologin\nnobody:x:65534:65534:nobody:/:/usr/sbin/nologin\n",
		group: "root:x:0:\nnogroup:x:65534:\n",
	};
}
