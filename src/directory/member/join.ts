import { access, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { controllerPorts, type JoinBody } from "../../api/domain.ts";
import { BulkheadError, explain } from "../../api/errors.ts";
import { readIfThere, writeFileAtomic } from "../../host/files.ts";
import { askControllers, isWhole, services } from "./controllers.ts";
import { type Member, memberFiles, memberSchema } from "./plan.ts";
import { type Account, factsOf, hasComputer, netAds, workgroupOf } from "./tools.ts";
import { furnish } from "./view.ts";

const programs = ["/usr/bin/net", "/usr/bin/wbinfo", "/usr/bin/smbcontrol", "/usr/sbin/winbindd"];
/** Kerberos refuses from 300 s on; a little earlier, so that it does not begin to tomorrow. */
const mostSkewSeconds = 240;
const answersWithinMs = 3000;

/** @returns the member that a folder tells of. @throws Error when the file is none */
export async function readMember(folder: string): Promise<Member | undefined> {
	const text = await readIfThere(memberFiles(folder).member);
	return text === undefined ? undefined : memberSchema.parse(JSON.parse(text));
}

/**
 * Joins the host to a domain: checks all that can be checked, makes its account, and writes the folder, which is there
 * when all is done and else not. What was half made is undone, in the domain too.
 * @throws BulkheadError bad-input, host-lacks, not-allowed-now; Error with what was left in the domain when it could not be undone
 */
export async function joinDomain(folder: string, body: JoinBody, signal: AbortSignal): Promise<Member> {
	await requirePrograms();
	const server = await chooseController(body.controllers, signal);
	const making = makingOf(folder);
	await rm(making, { recursive: true, force: true });
	await using undo = new AsyncDisposableStack();
	undo.defer(async () => await rm(making, { recursive: true, force: true }));
	const account = { user: body.user, password: body.password };
	const member = await lookAtDomain(making, body, server, signal);
	await refuseTaken(making, body, server, account, signal);
	const words = ["join", "--no-dns-updates"];
	// From here on something may be in the domain, also when the answer got lost.
	let failed: unknown;
	try {
		await writeFileAtomic(memberFiles(making).member, `${JSON.stringify(member, null, "\t")}\n`, 0o600);
		await netAds(making, words, { server, account, deadlineMs: 60_000, signal });
		await netAds(making, ["keytab", "create"], { server, asHost: true, signal });
		await rename(making, folder);
		undo.move();
		return member;
	} catch (error) {
		failed = error;
	}
	if (body.replace)
		throw new Error(
			`${explain(failed)}; the account ${body.name} may have been taken over from whoever had it`,
			{
				cause: failed,
			},
		);
	throw await withdrawn(making, body, server, account, failed);
}

function makingOf(folder: string): string {
	return join(dirname(folder), "domain.making");
}

/** Removes what a daemon left that was killed while it joined. @returns what it was about to join, when it got that far */
export async function removeHalfJoined(folder: string): Promise<Member | undefined> {
	const making = makingOf(folder);
	const text = await readIfThere(memberFiles(making).member);
	await rm(making, { recursive: true, force: true });
	return text === undefined ? undefined : memberSchema.parse(JSON.parse(text));
}

/** @returns the error, with what is left in the domain when it could not be taken back */
async function withdrawn(
	folder: string,
	{ name }: JoinBody,
	server: string,
	account: Account,
	failed: unknown,
): Promise<unknown> {
	try {
		if (await hasComputer(folder, name, server, account))
			await netAds(folder, ["leave"], { server, account });
		return failed;
	} catch (error) {
		const left = `the account ${name} may be left in the domain: ${explain(error)}`;
		return new Error(`${explain(failed)}; ${left}`, { cause: failed });
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

/** @returns the first address that answers all that a member needs */
async function chooseController(addresses: readonly string[], signal: AbortSignal): Promise<string> {
	const all = await askControllers(addresses, answersWithinMs, signal);
	signal.throwIfAborted();
	const whole = all.find(isWhole);
	if (whole) return whole.address;
	const words = all.map(({ address, answers }) => {
		const silent = services.filter((service) => !answers.includes(service));
		return `${address} does not answer ${silent.map((service) => `${service} (${controllerPorts[service]})`).join(", ")}`;
	});
	const mend =
		"start it, and let it out to this host: bulkhead publish SERVER active-directory --to host --through address";
	throw new BulkheadError("bad-input", `controllers: ${words.join("; ")}; ${mend}`);
}

/** Furnishes the folder for the domain that a controller serves. */
async function lookAtDomain(
	folder: string,
	{ realm, name, controllers }: JoinBody,
	server: string,
	signal: AbortSignal,
): Promise<Member> {
	const member: Member = { realm, workgroup: "WORKGROUP", name, controllers, joinedAt: Date.now() };
	await furnish(folder, member);
	const facts = await factsOf(folder, server, signal);
	if (facts.realm !== realm)
		throw new BulkheadError("bad-input", `realm: ${server} serves ${facts.realm}, not ${realm}`);
	refuseSkew(server, facts.clockAheadSeconds);
	const known = { ...member, workgroup: await workgroupOf(folder, server, signal) };
	await furnish(folder, known);
	return known;
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

async function refuseTaken(
	folder: string,
	{ name, replace }: JoinBody,
	server: string,
	account: Account,
	signal: AbortSignal,
): Promise<void> {
	const taken = await hasComputer(folder, name, server, account, signal);
	if (!taken || replace) return;
	throw new BulkheadError(
		"not-allowed-now",
		`name: the domain has a computer ${name} already; give another one with --name, or take that account over with --replace (whoever uses it now is no member any more)`,
	);
}

/**
 * Takes the host's account out of the domain, when somebody says who may, and then the folder.
 * @param stop ends what uses the folder
 * @returns what is left in the domain, in words; null when nothing is
 */
export async function leaveDomain(
	folder: string,
	member: Member,
	account: Account | null,
	signal: AbortSignal,
	stop: () => Promise<void>,
): Promise<string | null> {
	const left = account === null ? notRemoved(member, "nobody's password was given") : await removeAccount();
	await stop();
	await rm(folder, { recursive: true, force: true });
	return left;

	async function removeAccount(): Promise<string | null> {
		const all = await askControllers(member.controllers, answersWithinMs, signal);
		const server = all.find(isWhole)?.address;
		if (server === undefined) return notRemoved(member, "no controller answers");
		if (!account) return null;
		const said = await netAds(folder, ["leave"], { server, account, signal }).catch((error: unknown) => {
			if (error instanceof BulkheadError) throw error;
			const way = "without --user, `bulkhead domain leave` ends the membership on this host alone";
			throw new Error(`${explain(error)}; ${way}`, { cause: error });
		});
		return /Deleted account/.test(said) ? null : notRemoved(member, "it could only be disabled");
	}
}

function notRemoved({ name, realm }: Member, why: string): string {
	return `the account ${name} is left in ${realm} (${why}); there: samba-tool computer delete ${name}`;
}
