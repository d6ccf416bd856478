import { existsSync } from "node:fs";
import { access, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { controllerPorts, type JoinBody } from "../../api/domain.ts";
import { BulkheadError, explain } from "../../api/errors.ts";
import { readIfThere, syncFolder, writeFileAtomic } from "../../host/files.ts";
import { askControllers, type ControllerHealth, isWhole, services } from "./controllers.ts";
import { openNames, requireNames } from "./dns/resolver.ts";
import { putFilesBack, removal } from "./leave.ts";
import { isChanged } from "./logins/kept.ts";
import { openLogins, requireLogins, requireOwnNumber } from "./logins/logins.ts";
import { groupNumber, type Member, memberFiles, memberSchema } from "./plan.ts";
import {
	type Account,
	type DomainFacts,
	factsOf,
	groupIdOf,
	hasComputer,
	isController,
	netAds,
	workgroupOf,
	writeKeytab,
} from "./tools.ts";
import { arrange, furnish } from "./view.ts";

const programs = ["/usr/bin/net", "/usr/bin/wbinfo", "/usr/bin/smbcontrol", "/usr/sbin/winbindd"];
/** Kerberos refuses from 300 s on; a little earlier, so that it does not begin to tomorrow. */
const mostSkewSeconds = 240;
const answersWithinMs = 3000;
/** Under emulation files (SMB) are served ten seconds after the directory. */
const startsWithinMs = 30_000;

/**
 * @returns the member that a folder tells of; undefined when there is no folder
 * @throws Error when it cannot be read, with its name and what to do
 */
export async function readMember(folder: string): Promise<Member | undefined> {
	const file = memberFiles(folder).member;
	try {
		const text = await readIfThere(file);
		if (text !== undefined) return memberFrom(text);
		if (!existsSync(folder)) return undefined;
		throw new Error("it is missing");
	} catch (error) {
		const mend = "put it right, or end the membership on this host alone: bulkhead domain leave";
		throw new Error(
			`how this host is a member of a domain cannot be read from ${file} (${explain(error)}); ${mend}`,
		);
	}
}

/** @throws Error */
function memberFrom(text: string): Member {
	const { data, error } = memberSchema.safeParse(JSON.parse(text));
	if (data) return data;
	throw new Error(error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`).join("; "));
}

/**
 * Joins the host to a domain: checks all that can be checked, makes its account, and writes the folder, which is there
 * when all is done and else not. What was half made is undone, in the domain too.
 * @throws BulkheadError bad-input, host-lacks, not-allowed-now; Error with what was left in the domain when it could not be undone
 */
export async function joinDomain(folder: string, body: JoinBody, signal: AbortSignal): Promise<Member> {
	await requirePrograms();
	if (body.logins) await requireLogins();
	const dns = body.dns ? await requireNames(body) : null;
	const answering = await chooseControllers(body.controllers, signal);
	const [server] = answering;
	const making = makingOf(folder);
	await putFilesBack(making);
	await rm(making, { recursive: true, force: true });
	await using undo = new AsyncDisposableStack();
	undo.defer(async () => await discard(making));
	const account = { user: body.user, password: body.password };
	const found = await lookAtDomain(making, body, answering, signal);
	const asking = { server, account, signal };
	await refuseTaken(making, body, asking);
	const allowed = await groupOf(making, found, "allowGroup", body.allowGroup, asking);
	const admins = await adminsOf(making, found, body, asking);
	const member: Member = { ...found, logins: body.logins, allowed, admins, dns };
	const words = ["join", "--no-dns-updates"];
	// From here on something may be in the domain, also when the answer got lost.
	try {
		await writeFileAtomic(memberFiles(making).member, `${JSON.stringify(member, null, "\t")}\n`, 0o600);
		await netAds(making, words, { server, account, deadlineMs: 60_000, signal });
		await writeKeytab(making, server, signal);
		// Until the folder has its name, the next daemon undoes what is left of this.
		if (member.logins) await openLogins(making, allowed);
		if (dns === "resolv.conf") await openNames(making);
		await rename(making, folder);
	} catch (error) {
		const changed = await putFilesBack(making).then(() => null, notPutBack);
		const left = await withdraw(making, member, server, account, body.replace);
		const more = [changed, left].filter((words) => words !== null);
		throw more.length === 0 ? error : new Error([explain(error), ...more].join("; "), { cause: error });
	}
	undo.move();
	// After a power cut it would be half made, and undone.
	await syncFolder(dirname(folder));
	return member;
}

function notPutBack(error: unknown): string {
	return `files below /etc could not be put back yet (${explain(error)}); it is tried again`;
}

/** Removes what was half made; not what the host's files were before, while they are not put back. */
async function discard(making: string): Promise<void> {
	const { member, loginsRecord, dnsRecord } = memberFiles(making);
	await rm(member, { force: true });
	if (!(await isChanged(loginsRecord)) && !(await isChanged(dnsRecord)))
		await rm(making, { recursive: true, force: true });
}

interface Asking {
	server: string;
	account: Account;
	signal: AbortSignal;
}

async function groupOf(
	folder: string,
	{ workgroup }: Member,
	field: "allowGroup" | "adminGroup",
	name: string | null,
	asking: Asking,
): Promise<Member["allowed"]> {
	if (name === null) return null;
	return { name: `${workgroup}\\${name}`, sid: await groupIdOf(folder, field, name, asking) };
}

async function adminsOf(
	folder: string,
	member: Member,
	{ adminGroup }: JoinBody,
	asking: Asking,
): Promise<Member["admins"]> {
	const group = await groupOf(folder, member, "adminGroup", adminGroup, asking);
	if (group === null) return null;
	const gid = groupNumber(group.sid);
	if (gid === undefined) throw new RangeError(`no group of the domain: ${group.sid}`);
	await requireOwnNumber(gid);
	return { ...group, gid };
}

function makingOf(folder: string): string {
	return join(dirname(folder), "domain.making");
}

/**
 * Removes what a daemon left that was killed while it joined, or that could not be undone then.
 * @returns what may be left in the domain, in words; null when it did not get that far, or that was told
 * @throws Error when files of the host cannot be put back
 */
export async function removeHalfJoined(folder: string): Promise<string | null> {
	const making = makingOf(folder);
	const text = await readIfThere(memberFiles(making).member);
	await putFilesBack(making).catch((error: unknown) => {
		throw new Error(`from a join that did not end, ${notPutBack(error)}`, { cause: error });
	});
	await rm(making, { recursive: true, force: true });
	if (text === undefined) return null;
	const what = "The daemon was ended while this host was joining";
	try {
		const { realm, name, controllers } = memberFrom(text);
		return `${what} ${realm}; an account ${name} may be left there; ${removal(name, controllers)}`;
	} catch (error) {
		return `${what} a domain, which one cannot be read (${explain(error)}); an account of it may be left there`;
	}
}

/** Takes back what a join has left in the domain. @returns what may still be there, in words; null when nothing is */
async function withdraw(
	folder: string,
	{ realm, name }: Member,
	server: string,
	account: Account,
	replace: boolean,
): Promise<string | null> {
	if (replace) return `the account ${name} in ${realm} may have been taken over from whoever had it`;
	try {
		// Without the host's own secrets, when it failed before they were kept, this fails.
		if (await hasComputer(folder, name, { server, account }))
			await netAds(folder, ["leave"], { server, account });
		return null;
	} catch (error) {
		return `the account ${name} may be left in ${realm} (${explain(error)}); ${removal(name, [server])}`;
	}
}

async function requirePrograms(): Promise<void> {
	for (const path of programs)
		await access(path).catch(() => {
			throw new BulkheadError(
				"host-lacks",
				`${path} is missing; as root: apt-get install --no-install-recommends winbind samba`,
			);
		});
}

/** @returns those that answer all that a member needs. @throws BulkheadError when none does */
async function chooseControllers(
	addresses: readonly string[],
	signal: AbortSignal,
): Promise<[string, ...string[]]> {
	const all = await askWhileStarting(addresses, signal);
	signal.throwIfAborted();
	const [first, ...others] = all.filter(isWhole).map(({ address }) => address);
	if (first !== undefined) return [first, ...others];
	const words = all.map(({ address, answers }) => {
		const silent = services.filter((service) => !answers.includes(service));
		return `${address} does not answer ${silent.map((service) => `${service} (${controllerPorts[service]})`).join(", ")}`;
	});
	const mend =
		"start it, and let it out to this host: where it is a server of this site, bulkhead publish SERVER active-directory --to host --through address; where it is another machine, in its firewall";
	throw new BulkheadError("bad-input", `controllers: ${words.join("; ")}; ${mend}`);
}

/** A controller that answers some of its services, and not yet all, is starting: it is waited for. */
async function askWhileStarting(
	addresses: readonly string[],
	signal: AbortSignal,
): Promise<ControllerHealth[]> {
	const end = performance.now() + startsWithinMs;
	for (;;) {
		const all = await askControllers(addresses, answersWithinMs, signal);
		const isStarting = !all.some(isWhole) && all.some(({ answers }) => answers.length > 0);
		if (!isStarting || performance.now() > end) return all;
		await delay(500, undefined, { signal });
	}
}

/** Furnishes the folder for the domain that these controllers serve: until the host has joined, only they are known. */
async function lookAtDomain(
	folder: string,
	{ realm, name, controllers }: JoinBody,
	answering: readonly [string, ...string[]],
	signal: AbortSignal,
): Promise<Member> {
	const [server] = answering;
	const fresh = { joinedAt: Date.now(), logins: false, allowed: null, admins: null, dns: null };
	const member: Member = { realm, workgroup: "WORKGROUP", name, controllers, ...fresh };
	await furnish(folder, member, answering);
	const looks = answering.map(async (one) => [one, await factsOrRefusal(folder, one, signal)] as const);
	refuseOthers(realm, await Promise.all(looks));
	const known = { ...member, workgroup: await workgroupOf(folder, server, signal) };
	refuseDomainsName(name, known.workgroup);
	await arrange(folder, known, answering);
	return known;
}

async function factsOrRefusal(folder: string, server: string, signal: AbortSignal): Promise<DomainFacts> {
	return await factsOf(folder, server, signal).catch((cause: unknown) => {
		signal.throwIfAborted();
		const what = `controllers: ${server} answers, but not which domain it serves (${explain(cause)})`;
		throw new BulkheadError("bad-input", `${what}; is it a domain controller?`, { cause });
	});
}

/**
 * One of another domain, or with another time, would be taken for a controller that answers, where none does.
 * @throws BulkheadError; pure
 */
export function refuseOthers(realm: string, found: readonly (readonly [string, DomainFacts])[]): void {
	const others = found.filter(([, facts]) => facts.realm !== realm);
	const words = others.map(([server, facts]) => `${server} serves ${facts.realm}, not ${realm}`);
	const field = others.length === found.length ? "realm" : "controllers";
	if (others.length > 0) throw new BulkheadError("bad-input", `${field}: ${words.join("; ")}`);
	for (const [server, { clockAheadSeconds }] of found) refuseSkew(server, clockAheadSeconds);
}

/** @throws BulkheadError when Kerberos would not work, or nearly so; pure */
export function refuseSkew(server: string, aheadSeconds: number): void {
	if (Math.abs(aheadSeconds) <= mostSkewSeconds) return;
	const skew = Number.isFinite(aheadSeconds) ? describeSkew(aheadSeconds) : "of another time than";
	throw new BulkheadError(
		"not-allowed-now",
		`the clock of ${server} is ${skew} the host's, and Kerberos allows 5 minutes; set the one that is wrong: neither was changed`,
	);
}

/** @returns as in `600 s ahead of` */
export function describeSkew(seconds: number): string {
	return seconds >= 0 ? `${seconds} s ahead of` : `${-seconds} s behind`;
}

/**
 * A computer that is called as its domain is for short is taken for the domain by Samba's programs.
 * @throws BulkheadError; pure
 */
export function refuseDomainsName(name: string, workgroup: string): void {
	if (name.toUpperCase() !== workgroup.toUpperCase()) return;
	throw new BulkheadError(
		"bad-input",
		`name: a computer cannot be called ${name}, as its domain is for short; give another name with --name`,
	);
}

async function refuseTaken(folder: string, { name, replace }: JoinBody, asking: Asking): Promise<void> {
	if (!(await hasComputer(folder, name, asking))) return;
	// With its account the domain would lose that controller.
	if (await isController(folder, name, asking))
		throw new BulkheadError(
			"bad-input",
			`name: ${name} is one of the domain's controllers, whose account this host cannot have; give another name with --name`,
		);
	if (replace) return;
	throw new BulkheadError(
		"not-allowed-now",
		`name: the domain has a computer ${name} already; give another one with --name, or take that account over with --replace (whoever uses it now is no member any more)`,
	);
}
