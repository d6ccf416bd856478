import { randomUUID } from "node:crypto";
import { networkInterfaces } from "node:os";
import { BulkheadError, explain } from "../api/errors.ts";
import type { AddShareBody, SharesView } from "../api/share.ts";
import type { Member } from "../directory/member/plan.ts";
import { chooseListen } from "../directory/member/shares/addresses.ts";
import {
	closeFolder,
	folderTrouble,
	openFolder,
	refusePath,
	requireFolder,
	requireGoodMounts,
	rightsOf,
	unmark,
} from "../directory/member/shares/folder.ts";
import { nameHost, unnameHost } from "../directory/member/shares/naming.ts";
import { requireForShares } from "../directory/member/shares/needs.ts";
import { keyOf, type Share, type Shares, shareFiles } from "../directory/member/shares/plan.ts";
import { readAdding, readShares, writeAdding, writeShares } from "../directory/member/shares/record.ts";
import { requirePort, smbdProcess } from "../directory/member/shares/smbd.ts";
import { domainIdOf } from "../directory/member/tools.ts";
import { Hanging, Looks } from "../host/looks.ts";
import type { Context } from "./context.ts";
import { ShareServer } from "./share-server.ts";

/** How often it is looked whether the folders are still those that were shared. */
const lookEveryMs = 10_000;
const lookWithinMs = 5000;
/** How often the domain's DNS is told of the host while it does not take it. */
const nameEveryMs = 60_000;
/** [MS-DTYP] 2.4.2.4: all users of a domain. */
const domainUsers = 513;

/** Looks a group of the domain up. @returns its SID */
type GroupFinder = (name: string) => Promise<string>;

/**
 * Folders of this host that users of its domain reach: smbd, with what it is told and shown. It lives on when the daemon
 * ends.
 *
 * INVARIANTS
 * - smbd sees a folder only while it is in the record, and is the one that was shared: not the empty one where its disk is
 *   not mounted.
 * - A folder whose rights were changed is in a record before that: of a share, or of one that is being added.
 * - Whoever uses one share notices nothing of another that comes or goes.
 */
export class DomainShares {
	private readonly context: Context;
	private readonly server: ShareServer;
	private readonly looks = new Looks(lookWithinMs);
	/** By the mark of a share: why its folder is not served. And of which shares the folders were looked at, and when. */
	private troubles = new Map<string, string>();
	private seen: ReadonlySet<string> = new Set();
	private lookedAt = Number.NEGATIVE_INFINITY;
	private nameAt = Number.NEGATIVE_INFINITY;
	/** Why smbd could not be started; null when it runs, or there is nothing to serve. */
	private trouble: string | null = null;

	constructor(context: Context) {
		this.context = context;
		this.server = new ShareServer(context);
	}

	private get folder(): string {
		return this.context.paths.domain;
	}

	/** @returns the names of all shares; none when they cannot be read */
	async names(): Promise<string[]> {
		const known = await readShares(this.folder).catch(() => undefined);
		return known?.shares.map(({ name }) => name) ?? [];
	}

	/** @throws Error when the record cannot be read */
	async view(member: Member): Promise<SharesView> {
		const known = await readShares(this.folder);
		return {
			host: hostOf(member),
			named: known?.named ?? null,
			listen: known?.listen ?? [],
			shares: (known?.shares ?? []).map(({ name, path, groups, everybody, readOnly, mark }) => ({
				...{ name, path, readOnly },
				groups: everybody ? null : groups.map((group) => group.name),
				trouble: this.troubles.get(mark) ?? null,
			})),
			trouble: this.trouble,
		};
	}

	// ---- changes

	/**
	 * @param find asks a controller
	 * @throws BulkheadError bad-input, not-allowed-now, host-lacks; then nothing has changed
	 */
	async add(member: Member, wanted: AddShareBody, find: GroupFinder): Promise<void> {
		await requireForShares();
		await this.settle().catch((cause: unknown) => {
			throw new BulkheadError("not-allowed-now", explain(cause), { cause });
		});
		const known = await readShares(this.folder);
		const shares = known?.shares ?? [];
		const { name, path, readOnly } = wanted;
		const same = shares.find((one) => keyOf(one.name) === keyOf(name));
		if (same)
			throw new BulkheadError("bad-input", `name: there is a share ${same.name} already, of ${same.path}`);
		const { state, cache, run } = this.context.paths;
		const own = [state, cache, run];
		refusePath(path, own, shares);
		const look = async () => {
			await requireFolder(path);
			await requireGoodMounts(path, own);
		};
		await this.looks.take(path, look).catch((error: unknown) => {
			if (!(error instanceof Hanging)) throw error;
			throw new BulkheadError("not-allowed-now", `path: ${error.message}`, { cause: error });
		});
		const listen = known ? sameListen(known, wanted) : chooseListen(wanted.listen, networkInterfaces());
		if (!known) await requirePort(listen);
		const groups = await this.groupsOf(member, wanted, find);
		const everybody = wanted.groups.length === 0;
		const share: Share = { name, path, groups, everybody, readOnly, mark: randomUUID() };
		await writeAdding(this.folder, { share, before: await rightsOf(path) });
		try {
			await openFolder(share);
			const named = known?.named ?? false;
			await writeShares(this.folder, { listen, shares: [...shares, share], named });
			this.server.forget();
			this.nameAt = Number.NEGATIVE_INFINITY;
			await this.serve(member);
			if (this.troubles.has(share.mark)) throw new Error(this.troubles.get(share.mark));
			await writeAdding(this.folder, undefined);
		} catch (error) {
			await writeShares(this.folder, known);
			await this.settle().catch((err) => this.context.log.warn({ err, path }, "rights are not taken back"));
			// What was there before goes on as it can.
			if (known) await this.serve(member).catch(() => {});
			else await this.end();
			throw error;
		}
	}

	/** What was interrupted while a share was added: it is one by now, or its folder becomes what it was. @throws Error */
	private async settle(): Promise<void> {
		const adding = await readAdding(this.folder);
		if (!adding) return;
		const { share, before } = adding;
		const known = await readShares(this.folder);
		if (!known?.shares.some(({ mark }) => mark === share.mark))
			await this.looks
				.take(share.path, async () => await closeFolder(share, before))
				.catch((error: unknown) => {
					const what = `the rights that sharing ${share.path} gave cannot be taken back (${explain(error)})`;
					const mend = `where that folder is gone for good, delete ${shareFiles(this.folder).adding}`;
					throw new Error(`${what}; is its disk mounted? ${mend}`, { cause: error });
				});
		await writeAdding(this.folder, undefined);
	}

	private async groupsOf(
		{ workgroup }: Member,
		wanted: AddShareBody,
		find: GroupFinder,
	): Promise<Share["groups"]> {
		if (wanted.groups.length === 0)
			return [{ name: `${workgroup}\\Domain Users`, sid: `${await domainIdOf(this.folder)}-${domainUsers}` }];
		const found: Share["groups"] = [];
		for (const name of wanted.groups) found.push({ name: `${workgroup}\\${name}`, sid: await find(name) });
		return found;
	}

	/** The folder stays as it is. @returns its path. @throws BulkheadError not-found */
	async remove(member: Member, name: string, online: boolean): Promise<{ name: string; path: string }> {
		const known = await readShares(this.folder);
		const share = known?.shares.find((one) => keyOf(one.name) === keyOf(name));
		if (!known || !share)
			throw new BulkheadError(
				"not-found",
				`there is no share ${name.slice(0, 64)}; \`bulkhead domain share list\` shows all`,
			);
		const shares = known.shares.filter((one) => one !== share);
		await writeShares(this.folder, shares.length === 0 ? undefined : { ...known, shares });
		await this.unmark(share);
		if (shares.length === 0) {
			await this.server.end();
			this.forget();
			if (known.named && online) await this.unname(member);
		}
		// What stands in the way of the others is none of this one's, and told with them.
		else await this.serve(member).catch(() => {});
		return { name: share.name, path: share.path };
	}

	/** Ends it all. @returns folders that were shared, which stay as they are. @throws Error when smbd does not end */
	async end(): Promise<string[]> {
		// What cannot be read is not told of, and ends all the same.
		const known = await readShares(this.folder).catch(() => undefined);
		await this.settle().catch((err) => this.context.log.warn({ err }, "rights stay on a folder"));
		await this.server.end();
		for (const share of known?.shares ?? []) await this.unmark(share);
		this.forget();
		return known?.shares.map(({ path }) => path) ?? [];
	}

	private forget(): void {
		this.troubles.clear();
		this.trouble = null;
		this.lookedAt = Number.NEGATIVE_INFINITY;
	}

	/** A mark that stays harms nothing: whoever shares the folder again gives it another. */
	private async unmark(share: Share): Promise<void> {
		await this.looks
			.take(share.path, async () => await unmark(share))
			.catch((err) => this.context.log.warn({ err, path: share.path }, "a mark stays on a folder"));
	}

	// ---- what is looked after all the time

	/**
	 * @param online whether a controller answers
	 * @throws Error what stands in the way; it is tried again with the next look
	 */
	async keep(member: Member, online: boolean): Promise<void> {
		const unsettled = await this.settle().then(() => null, explain);
		await this.serve(member);
		if (online) await this.name(member);
		const [first = unsettled ?? undefined] = this.troubles.values();
		if (first !== undefined) throw new Error(first);
	}

	/** Serves all but those whose folders are in trouble. @throws Error */
	private async serve(member: Member): Promise<void> {
		const known = await readShares(this.folder);
		if (!known) {
			// Somebody has deleted the record, as he was told to where it could not be read.
			if (await smbdProcess(this.folder)) await this.end();
			return;
		}
		try {
			await this.lookAtFolders(known);
			const shares = known.shares.filter(({ mark }) => !this.troubles.has(mark));
			await this.server.keep(member, { ...known, shares }, this.trouble);
			this.trouble = null;
		} catch (error) {
			this.trouble = explain(error);
			throw error;
		}
	}

	/** Tells the domain's DNS of the host, once; who reaches the shares by another name needs none of it. */
	private async name(member: Member): Promise<void> {
		const known = await readShares(this.folder);
		if (!known || known.named || performance.now() < this.nameAt) return;
		this.nameAt = performance.now() + nameEveryMs;
		try {
			await nameHost(this.folder, hostOf(member), known.listen);
			await writeShares(this.folder, { ...known, named: true });
		} catch (error) {
			this.context.log.warn(`the domain's DNS does not take ${hostOf(member)} (${explain(error)})`);
		}
	}

	/** Has the domain's DNS forget the host, when that was told of it; it is told again when the shares stay. */
	async unname(member: Member): Promise<void> {
		const known = await readShares(this.folder).catch(() => undefined);
		if (known && !known.named) return;
		try {
			await unnameHost(this.folder, hostOf(member));
		} catch (error) {
			this.context.log.warn(`the domain's DNS still knows ${hostOf(member)} (${explain(error)})`);
		}
		if (known) await writeShares(this.folder, { ...known, named: false });
		this.nameAt = Number.NEGATIVE_INFINITY;
	}

	private async lookAtFolders({ shares }: Shares): Promise<void> {
		const isNew = shares.some(({ mark }) => !this.seen.has(mark));
		if (!isNew && performance.now() < this.lookedAt + lookEveryMs) return;
		const found = await Promise.all(
			shares.map(async (share) => [share.mark, await this.troubleOf(share)] as const),
		);
		this.troubles = new Map(found.flatMap(([mark, why]) => (why === null ? [] : [[mark, why] as const])));
		this.seen = new Set(shares.map(({ mark }) => mark));
		this.lookedAt = performance.now();
	}

	/** Of one that could not be looked at, what was known of it is kept. */
	private async troubleOf(share: Share): Promise<string | null> {
		try {
			return await this.looks.take(share.path, async () => await folderTrouble(share));
		} catch (err) {
			this.context.log.warn({ err, share: share.name }, "the folder of a share could not be looked at");
			if (this.seen.has(share.mark)) return this.troubles.get(share.mark) ?? null;
			return `${share.path} cannot be looked at (${explain(err)})`;
		}
	}
}

/** What clients call the host. */
function hostOf({ name, realm }: Member): string {
	return `${name}.${realm}`.toLowerCase();
}

/** @throws BulkheadError when it would have to listen elsewhere, too; pure */
function sameListen({ listen }: Shares, wanted: AddShareBody): string[] {
	const others = wanted.listen?.filter((address) => !listen.includes(address)) ?? [];
	if (others.length === 0 && (wanted.listen === null || wanted.listen.length === listen.length))
		return listen;
	throw new BulkheadError(
		"not-allowed-now",
		`listen: all shares are served at the same addresses, which are ${listen.join(", ")}; leave it out, or remove the shares that there are first`,
	);
}
