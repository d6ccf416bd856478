import { BulkheadError } from "../../../api/errors.ts";
import { ownNumbers, userNumbers } from "../plan.ts";
import { ticketsFolder } from "./tickets.ts";

/** Who of the domain may log in; all of its own users when null. */
export interface AllowedGroup {
	/** As the host's own programs know it: AD\linux-users. */
	name: string;
	sid: string;
}

/**
 * One file of the host's, what it becomes, and how only our part is taken out when somebody else has changed it since. All
 * pure. Each character of a text is a byte of the file.
 */
export interface Edit {
	path: string;
	/** @param text null when there is no such file. @throws BulkheadError when it is not as it has to be */
	apply(text: string | null): string;
	/** @param before what it was before `apply` */
	retract(text: string, before: string | null): string;
}

const { begin, block, withoutBlock } = marked("--logins");

/** All that a host's files need for the domain's users to log in, besides what Debian's packages do themselves. */
export function editsFor(group: AllowedGroup | null): Edit[] {
	return [
		{ path: "/etc/nsswitch.conf", apply: withWinbind, retract: withoutWinbind },
		// The whole file: what it said before would be another domain's.
		{
			path: "/etc/security/pam_winbind.conf",
			apply: (text) => {
				refuseLeftOver("/etc/security/pam_winbind.conf", text);
				return block(pamWinbind(group));
			},
			// One without our lines is whoever's wrote it since.
			retract: (text, before) => {
				const rest = withoutBlock(text);
				return rest === text ? text : `${before ?? ""}${rest}`;
			},
		},
		ownFile(environment, [`KRB5_CONFIG DEFAULT=${kerberos}:/etc/krb5.conf`]),
		// As MIT's library calls it, and as Heimdal's does.
		ownFile(kerberos, [
			"[libdefaults]",
			...["default_ccache_name", "default_cc_name"].map((name) => `${name} = ${ticketFiles}`),
		]),
		appended("/etc/pam.d/common-session", "session", [
			`optional pam_env.so readenv=0 conffile=${environment}`,
			// Whoever is a controller may call a user ../../etc/whatever, and root would make that and give it to him.
			"[success=1 default=ignore] pam_succeed_if.so quiet home =~ /home/*/*/*",
			"optional pam_mkhomedir.so umask=0077",
		]),
		appended("/etc/pam.d/common-account", "account", [
			`requisite pam_succeed_if.so quiet ${group ? membersOf(group) : ownUsers}`,
		]),
	];
}

/** Whoever comes with a key of SSH's is not asked for a password, where pam_winbind would ask for the group. */
function membersOf({ name }: AllowedGroup): string {
	return `user ingroup [${asBytes(name)}]`;
}

/** The domain's: winbindd knows those of domains that it trusts as well, by lower numbers. */
const ownUsers = `uid ge ${ownNumbers[0]}`;

/** By what the domain's users, and nobody else, are told where their tickets are. */
const environment = "/etc/security/bulkhead-env.conf";
const kerberos = "/etc/bulkhead-krb5.conf";
const ticketFiles = `FILE:${ticketsFolder}/krb5cc_%{uid}`;

function ownFile(path: string, lines: readonly string[]): Edit {
	return {
		path,
		apply: (text) => {
			refuseLeftOver(path, text);
			return `${text ?? ""}${block(lines)}`;
		},
		retract: withoutBlock,
	};
}

/** Behind what pam-auth-update manages, where it leaves lines of others alone. Everybody but the domain's users skips them. */
function appended(path: string, type: string, lines: readonly string[]): Edit {
	const [first, last] = userNumbers;
	const skip = (count: number, test: string) =>
		`${type} [success=${count} default=ignore] pam_succeed_if.so quiet uid ${test}`;
	const all = [
		skip(lines.length + 1, `lt ${first}`),
		skip(lines.length, `gt ${last}`),
		...lines.map((line) => `${type} ${line}`),
	];
	return {
		path,
		apply: (text) => {
			if (text === null) throw new BulkheadError("host-lacks", `${path} is missing`);
			refuseLeftOver(path, text);
			return `${text}${text === "" || text.endsWith("\n") ? "" : "\n"}${block(all)}`;
		},
		retract: withoutBlock,
	};
}

/** Two blocks would both hold, and the first would come back when the host leaves. */
function refuseLeftOver(path: string, text: string | null): void {
	if (!text?.includes(begin)) return;
	throw new BulkheadError(
		"not-allowed-now",
		`${path} has lines of an earlier membership that was never left; take out what stands from "# bulkhead: begin" to "# bulkhead: end"`,
	);
}

function asBytes(text: string): string {
	return Buffer.from(text).toString("latin1");
}

function pamWinbind(group: AllowedGroup | null): string[] {
	return [
		"[global]",
		"cached_login = yes",
		"krb5_auth = yes",
		"krb5_ccache_type = FILE",
		...(group ? [`require_membership_of = ${group.sid}`] : []),
	];
}

/** Lines of ours in a file of the host's, between marks that say whose they are. @param option what wanted them */
export function marked(option: string) {
	const begin = `# bulkhead: begin (bulkhead domain join ${option}; bulkhead domain leave takes this out)\n`;
	const end = "# bulkhead: end\n";
	return {
		begin,
		block: (lines: readonly string[]) => `${begin}${lines.join("\n")}\n${end}`,
		withoutBlock: (text: string) => {
			const from = text.indexOf(begin);
			const to = text.indexOf(end, from);
			return from < 0 || to < 0 ? text : text.slice(0, from) + text.slice(to + end.length);
		},
	};
}

const databases = /^(passwd|group):(.*)$/gm;
const known = /(?:^|\s)winbind(?=\s|\[|$)/;

/** nsswitch.conf with winbind behind files and systemd, which know the host's own users. */
export function withWinbind(text: string | null): string {
	const seen = new Set<string>();
	const made = (text ?? "").replace(databases, (line, name: string, sources: string) => {
		seen.add(name);
		if (!/^\s*files\b/.test(sources))
			throw new BulkheadError(
				"not-allowed-now",
				`/etc/nsswitch.conf: files has to come first for ${name}, so that the host's own users get in whatever becomes of the domain`,
			);
		if (known.test(sources)) return line;
		return line.replace(
			/^(.*(?:\s|:)(?:files|systemd)(?:\s*\[[^\]]*\])?)(?!\S)/,
			(own: string) => `${own} winbind`,
		);
	});
	for (const name of ["passwd", "group"])
		if (!seen.has(name))
			throw new BulkheadError("not-allowed-now", `/etc/nsswitch.conf has no line for ${name}`);
	return made;
}

function withoutWinbind(text: string, before: string | null): string {
	const was = new Map([...(before ?? "").matchAll(databases)].map(([, name, sources]) => [name, sources]));
	return text.replace(databases, (line, name: string) =>
		known.test(was.get(name) ?? "") ? line : line.replace(/\s+winbind(?=\s|\[|$)(?:\s*\[[^\]]*\])?/, ""),
	);
}

/**
 * @param text undefined when there is no such file
 * @throws BulkheadError when common-auth does not ask winbindd, or does so before it asks the host's own users
 */
export function refuseOtherStack(text: string | undefined): void {
	if (text === undefined)
		throw new BulkheadError(
			"host-lacks",
			"/etc/pam.d/common-auth is missing: logins can be set up where PAM is as Debian has it, and nowhere else yet",
		);
	const lines = text.split("\n").filter((line) => line.startsWith("auth"));
	const unix = lines.findIndex((line) => line.includes("pam_unix.so"));
	const winbind = lines.findIndex((line) => line.includes("pam_winbind.so"));
	if (winbind < 0)
		throw new BulkheadError(
			"host-lacks",
			"/etc/pam.d/common-auth does not ask winbindd; as root: pam-auth-update --enable winbind",
		);
	if (unix < 0 || unix > winbind)
		throw new BulkheadError(
			"not-allowed-now",
			"/etc/pam.d/common-auth: pam_unix.so has to come before pam_winbind.so, so that the host's own users get in whatever becomes of the domain",
		);
}

/** Where numbers are in the lines of these files, and what they are called: passwd(5), group(5). */
const numbersIn = {
	"/etc/passwd": [
		[2, "number"],
		// Whoever has it is in that group, whatever group(5) says.
		[3, "group number"],
	],
	"/etc/group": [[2, "number"]],
} as const;

/** All of the files that say who the host's own users are. */
export const ownFiles = Object.keys(numbersIn) as (keyof typeof numbersIn)[];

/**
 * @param text of that file
 * @throws BulkheadError when a user or group of the host's own has a number that is one of the domain's
 */
export function refuseTakenNumbers(path: keyof typeof numbersIn, text: string): void {
	const [first, last] = userNumbers;
	for (const line of text.split("\n")) {
		const fields = line.split(":");
		for (const [at, what] of numbersIn[path]) {
			const number = Number(fields[at]);
			if (number < first || !(number <= last)) continue;
			throw new BulkheadError(
				"not-allowed-now",
				`${path}: ${fields[0]} has the ${what} ${number}, and those from ${first} to ${last} are for the domain's users and groups; give it another, and its files with it`,
			);
		}
	}
}

/**
 * Who is lent the number of a group in a namespace of his own is its member to the kernel.
 * @param subgid as in subgid(5); root's own are no matter
 * @throws BulkheadError
 */
export function refuseLentNumber(subgid: string, gid: number): void {
	for (const line of subgid.split("\n")) {
		const [name, first, count] = line.split(":");
		if (name === "root" || name === "0" || gid < Number(first) || !(gid < Number(first) + Number(count)))
			continue;
		throw new BulkheadError(
			"not-allowed-now",
			`adminGroup: /etc/subgid lends ${name} its number, ${gid}, so that ${name} could act as a member; have ${name} lent others there`,
		);
	}
}
