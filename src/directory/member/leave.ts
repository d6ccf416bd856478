import { existsSync } from "node:fs";
import { rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { z } from "zod";
import { BulkheadError, explain } from "../../api/errors.ts";
import { readIfThere, syncFolder, writeFileAtomic } from "../../host/files.ts";
import { askControllers, isWhole } from "./controllers.ts";
import { closeNames } from "./dns/resolver.ts";
import { closeLogins } from "./logins/logins.ts";
import { type Member, memberFiles } from "./plan.ts";
import { type Account, factsOf, hasComputer, netAds } from "./tools.ts";

const answersWithinMs = 3000;

/** What of a membership that ends is told; all null when it cannot be read. */
const leavingSchema = z.object({
	realm: z.string().nullable(),
	name: z.string().nullable(),
	/** What is left in the domain, in words; null when nothing is. */
	left: z.string().nullable(),
});
export type Leaving = z.infer<typeof leavingSchema>;

/**
 * Takes the host's account out of the domain, when somebody says who may, and marks the folder: from here on the host is no
 * member any more, whatever is interrupted, and `finishLeaving` does the rest.
 * @param member null when it cannot be read
 * @param farewell the last that the host itself says to its domain, once it is known that it may go
 * @throws BulkheadError, Error; then nothing has changed
 */
export async function beginLeaving(
	folder: string,
	member: Member | null,
	account: Account | null,
	signal: AbortSignal,
	farewell: () => Promise<void>,
): Promise<Leaving> {
	const left = await removeAccount(folder, member, account, signal, farewell);
	const { realm = null, name = null } = member ?? {};
	const leaving: Leaving = { realm, name, left };
	// A full disk, for one, is no reason to stay, where the domain knows the host no more.
	if (existsSync(folder))
		await writeFileAtomic(memberFiles(folder).leaving, `${JSON.stringify(leaving)}\n`, 0o600).catch(() => {});
	return leaving;
}

/** @returns what is told of a membership that has been marked as one that ends; undefined when it has not */
export async function readLeaving(folder: string): Promise<Leaving | undefined> {
	const text = await readIfThere(memberFiles(folder).leaving);
	if (text === undefined) return undefined;
	try {
		return leavingSchema.parse(JSON.parse(text));
	} catch {
		// That it is there is enough to go by.
		return { realm: null, name: null, left: "the host's account may be left in the domain" };
	}
}

/**
 * Puts the host's files back, and removes the folder for good. May be called again when it was interrupted.
 * @param stop ends what uses the folder
 * @returns files of the host that others had changed since
 */
export async function finishLeaving(folder: string, stop: () => Promise<void>): Promise<string[]> {
	await stop();
	const edited = await putFilesBack(folder);
	await removeLeft(folder);
	// At once: half of it would be a membership that cannot be read. And after a power cut it would be there again.
	if (existsSync(folder)) await rename(folder, leftOf(folder));
	await syncFolder(dirname(folder));
	await removeLeft(folder);
	return edited;
}

/** Removes what is left of a folder whose membership has ended. */
export async function removeLeft(folder: string): Promise<void> {
	// One of Samba's programs, asked for the status, may be writing there for a moment more.
	await rm(leftOf(folder), { recursive: true, force: true, maxRetries: 10 });
}

function leftOf(folder: string): string {
	return join(dirname(folder), "domain.left");
}

/** @returns how an account is removed where no member can do it */
export function removal(name: string, controllers: readonly string[]): string {
	return `to remove it, on a controller (${controllers.join(", ")}): samba-tool computer delete ${name}`;
}

/** Each that can be, whatever becomes of the others. @returns files of the host that somebody else had changed since */
export async function putFilesBack(folder: string): Promise<string[]> {
	const done = await Promise.allSettled([closeNames(folder), closeLogins(folder)]);
	const failed = done.find((one) => one.status === "rejected");
	if (failed) throw failed.reason;
	return done.flatMap((one) => (one.status === "fulfilled" ? one.value : []));
}

async function removeAccount(
	folder: string,
	member: Member | null,
	account: Account | null,
	signal: AbortSignal,
	farewell: () => Promise<void>,
): Promise<string | null> {
	if (!member) return "the host's account is left in the domain; what it is called cannot be read here";
	if (!account) {
		await farewell();
		return notRemoved(member, "nobody's password was given");
	}
	const all = await askControllers(member.controllers, answersWithinMs, signal);
	const answering = all.filter(isWhole).map(({ address }) => address);
	try {
		const asked = async (server: string) => (await factsOf(folder, server, signal)).realm;
		const server = await ownController(answering, member.realm, asked);
		if (server === undefined) return notRemoved(member, "no controller answers");
		// A wrong password is to change nothing.
		await hasComputer(folder, member.name, { server, account, signal });
		await farewell();
		const said = await netAds(folder, ["leave"], { server, account, signal });
		return /Deleted account/.test(said) ? null : notRemoved(member, "it could only be disabled");
	} catch (error) {
		if (error instanceof BulkheadError) throw error;
		const way = "without --user, `bulkhead domain leave` ends the membership on this host alone";
		throw new Error(`${explain(error)}; ${way}`, { cause: error });
	}
}

/**
 * One of another domain is no business of whoever's password it is.
 * @param ask a controller for its realm
 * @returns the first that is of this one; undefined when none is
 * @throws what `ask` does, when none is, and one does not say
 */
export async function ownController(
	answering: readonly string[],
	realm: string,
	ask: (server: string) => Promise<string>,
): Promise<string | undefined> {
	const untold: unknown[] = [];
	for (const server of answering) {
		const found = await ask(server).catch((error: unknown) => void untold.push(error));
		if (found === realm) return server;
	}
	if (untold.length > 0) throw untold[0];
	return undefined;
}

function notRemoved({ name, realm, controllers }: Member, why: string): string {
	return `the account ${name} is left in ${realm} (${why}); ${removal(name, controllers)}`;
}
