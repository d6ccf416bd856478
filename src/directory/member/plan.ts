import { join } from "node:path";
import { z } from "zod";
import { dnsWays } from "../../api/domain.ts";

/** What the domain's users and groups are called by the kernel: the first number, and the last. */
export const userNumbers = [2_000_000, 3_999_999] as const;
/** Of these, the domain's own: the first one and the last part of a SID. */
export const ownNumbers = [3_000_000, 3_999_999] as const;

/** How the host is a member of a domain; kept as member.json. */
export const memberSchema = z.object({
	realm: z.string(),
	workgroup: z.string(),
	name: z.string(),
	controllers: z.array(z.string()),
	joinedAt: z.number(),
	/** Whether its users may log in to the host. */
	logins: z.boolean().default(false),
	/** Who of them; everybody when null. */
	allowed: z.object({ name: z.string(), sid: z.string() }).nullable().default(null),
	/** Who of them may use the API, and what the kernel calls that group; nobody when null. */
	admins: z
		.object({ name: z.string(), sid: z.string(), gid: z.int().min(ownNumbers[0]).max(ownNumbers[1]) })
		.nullable()
		.default(null),
	/** How the host's programs come to ask the controllers for the domain's names; they do not when null. */
	dns: z.enum(dnsWays).nullable().default(null),
});
export type Member = z.infer<typeof memberSchema>;

/** Where the files of a membership are found by the programs that use them. */
export const inside = "/domain";

/** Folders that Samba's programs write in, below `inside`; the machine account's password is in private. */
export const folders = ["private", "state", "cache", "lock", "pid", "log", "run", "core"] as const;

/**
 * What the kernel calls a group of the domain: as winbindd reckons it (idmap_rid(8)), so that it is known with no controller
 * to ask. @returns undefined for one of another domain, or with a number that is too high
 */
export function groupNumber(sid: string): number | undefined {
	const last = /^S-1-5-21-\d+-\d+-\d+-(\d+)$/.exec(sid)?.[1];
	const number = ownNumbers[0] + Number(last);
	return number <= ownNumbers[1] ? number : undefined;
}

/** All of a membership, in one folder that only root can look into. */
export function memberFiles(folder: string) {
	const at = (name: string) => join(folder, name);
	return {
		folder,
		member: at("member.json"),
		/** There from when on the host is no member any more, and all of the folder is to go. */
		leaving: at("leaving.json"),
		etc: at("etc"),
		secrets: at("private"),
		keytab: at("private/krb5.keytab"),
		status: at("status.json"),
		output: at("winbindd.log"),
		/** Link to the folder of the host where winbindd has its socket; there when its users may log in. */
		sockets: at("sockets"),
		/** What files of the host were before they were changed for logins, and for the domain's names. */
		loginsRecord: at("logins.json"),
		dnsRecord: at("dns.json"),
		/** Of what asks the controllers for the host. */
		dns: at("dns"),
	};
}

/**
 * What is below /etc for them, and nothing else is: nothing of the host's own /etc is read or changed but who its users are.
 * Names are asked for at the controllers, who know the domain's.
 * @throws RangeError for a member that no file can be made of
 */
export function etcOf(member: Member): Record<string, string> {
	const { realm, controllers } = member;
	for (const word of [realm, member.workgroup, member.name, ...controllers])
		if (!/^[A-Za-z0-9.:-]+$/.test(word)) throw new RangeError(`no name for a configuration: ${word}`);
	const kdcs = controllers.map((address) => (address.includes(":") ? `[${address}]` : address));
	return {
		"smb.conf": smbConf(member),
		// No reverse lookups: the controller's address may have no name, or another one.
		"krb5.conf": lines(
			"[libdefaults]",
			`default_realm = ${realm}`,
			"dns_lookup_realm = false",
			// Of realms that the domain trusts; its own are below.
			"dns_lookup_kdc = true",
			"dns_canonicalize_hostname = false",
			"rdns = false",
			// By TCP at once: no ticket fits in a packet, and one that was asked for by UDP is made twice. The first is MIT's word,
			// the other that of Heimdal, which Samba's programs have in them.
			"udp_preference_limit = 0",
			"large_message_size = 0",
			"[realms]",
			`${realm} = {`,
			...kdcs.flatMap((kdc) => [`kdc = ${kdc}`, `kpasswd_server = ${kdc}`]),
			"}",
			"[domain_realm]",
			`.${realm.toLowerCase()} = ${realm}`,
			`${realm.toLowerCase()} = ${realm}`,
		),
		// The resolver reads three at most: resolv.conf(5).
		"resolv.conf": lines(
			...controllers.slice(0, 3).map((address) => `nameserver ${address}`),
			"options timeout:2 attempts:1",
		),
		hosts: lines("127.0.0.1 localhost", "::1 localhost"),
		"nsswitch.conf": lines("passwd: files", "group: files", "hosts: files dns"),
	};
}

/** What the kernel calls who is of the domain; the same for all of Samba's programs here. */
export function idmapLines(workgroup: string): string[] {
	return [
		"idmap config * : backend = tdb",
		"idmap config * : range = 2000000-2999999",
		`idmap config ${workgroup} : backend = rid`,
		`idmap config ${workgroup} : range = ${ownNumbers.join("-")}`,
	];
}

function smbConf({ realm, workgroup, name, controllers }: Member): string {
	return lines(
		"[global]",
		"security = ads",
		`realm = ${realm}`,
		`workgroup = ${workgroup}`,
		`netbios name = ${name}`,
		// With "secrets and keytab" it would write the host's own /etc/krb5.keytab, and with "secrets only" winbindd would tell PAM
		// where it sees a ticket, which is elsewhere on the host. With a keytab of any kind it does not change the host's
		// password by itself (fork_domain_child in winbindd_dual.c): the daemon has it do that (own-password.ts).
		"kerberos method = dedicated keytab",
		`dedicated keytab file = ${memberFiles(inside).keytab}`,
		`private dir = ${inside}/private`,
		`state directory = ${inside}/state`,
		`cache directory = ${inside}/cache`,
		`lock directory = ${inside}/lock`,
		`pid directory = ${inside}/pid`,
		"logging = file",
		`log file = ${inside}/log/log.%m`,
		"max log size = 1000",
		"winbind offline logon = yes",
		"winbind refresh tickets = yes",
		// What krb5.conf says is what it would write itself, but for how tickets are asked for.
		"create krb5 conf = no",
		...idmapLines(workgroup),
		"template shell = /bin/bash",
		"template homedir = /home/%D/%U",
		// Without, it asks for them by DNS, 10 s each of four times when the one that would know is gone, and whoever logs in
		// at that moment waits for it.
		`password server = ${controllers.join(" ")}`,
		"client ldap sasl wrapping = sign",
		"disable netbios = yes",
		"load printers = no",
		"disable spoolss = yes",
	);
}

function lines(...all: string[]): string {
	return `${all.join("\n")}\n`;
}
