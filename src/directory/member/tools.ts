import { stat } from "node:fs/promises";
import { isIP, isIPv6, SocketAddress } from "node:net";
import { BulkheadError } from "../../api/errors.ts";
import { CommandError } from "../../host/command.ts";
import { errorCode } from "../../host/files.ts";
import { groupNumber, inside, memberFiles } from "./plan.ts";
import { asMember, credentials } from "./view.ts";

/** Somebody of the domain. */
export interface Account {
	user: string;
	password: string;
}

/** What a controller says of itself and its domain. */
export interface DomainFacts {
	realm: string;
	/** Seconds that its clock is ahead of the host's. */
	clockAheadSeconds: number;
	/** When the host's own password was changed, milliseconds since 1970; null when it has none. */
	passwordChangedAt: number | null;
}

interface NetOptions {
	/** Address of the controller that is asked; any when left out. */
	server?: string | undefined;
	account?: Account;
	/** As the host itself. */
	asHost?: boolean;
	deadlineMs?: number;
	signal?: AbortSignal | undefined;
}

/**
 * Our end is a socket, and /dev/stdin can be opened by name only where it is a pipe. And what it says of a failure it says
 * on either output.
 */
const fed =
	'cat | "$@" > /tmp/said; code=$?; if [ $code = 0 ]; then cat /tmp/said; else cat /tmp/said >&2; fi; exit $code';

/**
 * Runs `net ads …` as a member.
 * @returns what it wrote. @throws BulkheadError bad-input for a name or password that the domain refuses, CommandError
 */
export async function netAds(folder: string, words: readonly string[], options: NetOptions): Promise<string> {
	const { server, account, asHost, deadlineMs = 30_000, signal } = options;
	const command = [
		...(account ? ["sh", "-c", fed, "sh"] : []),
		...["net", "ads", ...words, `--configfile=${inside}/etc/smb.conf`],
		...(server === undefined ? [] : ["-S", server]),
		...(account ? ["-A", "/dev/stdin"] : []),
		...(asHost ? ["-P"] : []),
	];
	const input = account ? { input: credentials(account) } : {};
	const bounds = { deadlineMs, alone: true, ...(signal ? { signal } : {}) };
	try {
		const { stdout } = await asMember(folder, command, { ...bounds, ...input });
		return stdout;
	} catch (error) {
		throw refusalOr(error, account?.user);
	}
}

/** Writes the host's keytab, with its password as it is now. @throws CommandError */
export async function writeKeytab(folder: string, server: string, signal: AbortSignal): Promise<void> {
	await netAds(folder, ["keytab", "create"], { server, asHost: true, signal });
}

/** @returns when the host's keytab was written last, milliseconds since 1970; null when there is none */
export async function keytabAt(folder: string): Promise<number | null> {
	try {
		return (await stat(memberFiles(folder).keytab)).mtimeMs;
	} catch (error) {
		if (errorCode(error) === "ENOENT") return null;
		throw error;
	}
}

/** The domain's answer to a name or a password, in words of ours; any other error as it is. */
export function refusalOr(error: unknown, user: string | undefined): unknown {
	if (!(error instanceof CommandError) || user === undefined) return error;
	const why = refusals.find(([words]) => words.test(error.stderr));
	return why ? new BulkheadError("bad-input", why[1](user), { cause: error }) : error;
}

const refusals: [RegExp, (user: string) => string][] = [
	[
		/Preauthentication failed|LOGON_FAILURE|WRONG_PASSWORD/i,
		(user) => `password: it is not ${user}'s; nothing was changed`,
	],
	[
		/Client not found in Kerberos|NO_SUCH_USER/i,
		(user) => `user: the domain knows no ${user}; nothing was changed`,
	],
	[
		/credentials have been revoked|ACCOUNT_(DISABLED|LOCKED_OUT|EXPIRED)/i,
		(user) => `user: the account of ${user} is locked, disabled or expired`,
	],
	[
		/password has expired|PASSWORD_(EXPIRED|MUST_CHANGE)/i,
		(user) => `password: that of ${user} has expired; it has to be changed first`,
	],
	[
		/Clock skew too great|TIME_DIFFERENCE/i,
		() =>
			"the clocks of the host and the controller differ by more than Kerberos allows; set them right first",
	],
	[
		/insufficient access|ACCESS_DENIED/i,
		(user) => `user: ${user} may not add computers to the domain; an administrator of the domain may`,
	],
];

/** @throws CommandError, Error when the controller does not answer, or does not say what it serves */
export async function factsOf(folder: string, server: string, signal?: AbortSignal): Promise<DomainFacts> {
	const text = await netAds(folder, ["info"], { server, deadlineMs: 10_000, signal });
	return factsIn(text, server);
}

/** @param text what `net ads info` says; pure */
export function factsIn(text: string, server: string): DomainFacts {
	const field = (name: string) => new RegExp(`^${name}: *(.*)$`, "m").exec(text)?.[1] ?? "";
	// Where that one does not answer it, another of the domain is asked.
	const asked = field("LDAP server").trim();
	if (!isIP(asked) || plainAddress(asked) !== plainAddress(server))
		throw new Error(`${server} does not say which domain it serves`);
	const changed = Date.parse(field("Last machine account password change"));
	return {
		realm: field("Realm").toUpperCase(),
		clockAheadSeconds: /^-?\d+$/.test(field("Server time offset"))
			? Number(field("Server time offset"))
			: Number.NaN,
		passwordChangedAt: changed > 0 ? changed : null,
	};
}

/** IPv6 addresses can be written in several ways. */
function plainAddress(address: string): string {
	return isIPv6(address) ? new SocketAddress({ address, family: "ipv6" }).address : address;
}

/** @returns the domain's short name, as in AD\alice */
export async function workgroupOf(folder: string, server: string, signal?: AbortSignal): Promise<string> {
	const text = await netAds(folder, ["workgroup"], { server, deadlineMs: 10_000, signal });
	const workgroup = /^Workgroup: *([A-Za-z0-9][A-Za-z0-9-]{0,14})\s*$/m.exec(text)?.[1];
	if (workgroup === undefined)
		throw new Error(`the controller gives no short name of its domain: ${text.trim()}`);
	return workgroup;
}

/**
 * @param field what the name was given as
 * @returns the SID of a group of the domain. @throws BulkheadError bad-input when there is none whose members have it here
 */
export async function groupIdOf(
	folder: string,
	field: string,
	name: string,
	options: { server: string; signal: AbortSignal } & ({ account: Account } | { asHost: true }),
): Promise<string> {
	const filter = `(&(objectClass=group)(sAMAccountName=${literal(name)}))`;
	const text = await netAds(folder, ["search", filter, "objectSid", "groupType"], options);
	return groupIdIn(text, field, name);
}

/** @param text what `net ads search` has found; pure */
export function groupIdIn(text: string, field: string, name: string): string {
	const refusal = (why: string) => new BulkheadError("bad-input", `${field}: ${why}`);
	const sid = /^objectSid: (S-1-[0-9-]+)\s*$/m.exec(text)?.[1];
	if (sid === undefined) throw refusal(`the domain has no group ${name}`);
	// [MS-DTYP] 2.4.2.4: those of controllers themselves, which members have of their own.
	if (!sid.startsWith("S-1-5-21-"))
		throw refusal(
			`${name} is builtin (${sid}), and counts on the controllers alone; name a group of the domain`,
		);
	// [MS-ADTS] 2.2.12: the others are for mail, and no logon tells of them.
	const type = Number(/^groupType: (-?\d+)\s*$/m.exec(text)?.[1]);
	if (!(type & 0x80000000))
		throw refusal(
			`${name} is no security group, so that nobody is known here as its member; name one that is`,
		);
	// No program here would know who is in it: nobody would get in.
	if (groupNumber(sid) === undefined)
		throw refusal(`${name} (${sid}) has too high a number for winbindd to map; name another group`);
	return sid;
}

/** @returns the SID of the member's domain; no controller is asked. @throws CommandError, Error */
export async function domainIdOf(folder: string): Promise<string> {
	const command = ["net", "getdomainsid", `--configfile=${inside}/etc/smb.conf`];
	const { stdout } = await asMember(folder, command, { deadlineMs: 10_000, alone: true });
	const sid = /^SID for domain \S+ is: (S-1-5-21-\d+-\d+-\d+)\s*$/m.exec(stdout)?.[1];
	if (sid === undefined)
		throw new Error(`the domain's number cannot be read: ${stdout.trim().slice(0, 200)}`);
	return sid;
}

interface AsAccount {
	server: string;
	account: Account;
	signal?: AbortSignal | undefined;
}

/** @returns whether the domain has an account of a computer of this name */
export async function hasComputer(folder: string, name: string, asking: AsAccount): Promise<boolean> {
	return await finds(folder, accountFilter(name), asking);
}

/** @returns whether that account is one of the domain's controllers' */
export async function isController(folder: string, name: string, asking: AsAccount): Promise<boolean> {
	return await finds(folder, controllerFilter(name), asking);
}

async function finds(folder: string, filter: string, asking: AsAccount): Promise<boolean> {
	const text = await netAds(folder, ["search", filter, "dn"], asking);
	const count = /^Got (\d+) replies/m.exec(text)?.[1];
	if (count === undefined)
		throw new Error(`the controller's answer cannot be read: ${text.trim().slice(0, 200)}`);
	return Number(count) > 0;
}

function accountFilter(computer: string): string {
	return `(sAMAccountName=${literal(computer)}$)`;
}

/** [MS-ADTS] 2.2.16: SERVER_TRUST_ACCOUNT, and PARTIAL_SECRETS_ACCOUNT of those that only read. */
const controllerFlags = [0x2000, 0x400_0000];

/** Finds the account of a computer that is a controller. Pure. */
export function controllerFilter(computer: string): string {
	// [MS-ADTS] 3.1.1.3.4.4.1: LDAP_MATCHING_RULE_BIT_AND
	const flags = controllerFlags.map((flag) => `(userAccountControl:1.2.840.113556.1.4.803:=${flag})`);
	return `(&${accountFilter(computer)}(|${flags.join("")}))`;
}

/** RFC 4515: a text within a filter, so that it means nothing but itself. */
function literal(text: string): string {
	return text.replaceAll(/[\\*()]/g, (one) => `\\${one.charCodeAt(0).toString(16).padStart(2, "0")}`);
}
