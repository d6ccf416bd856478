import { setTimeout as delay } from "node:timers/promises";
import type { DomainView, JoinBody, LeaveView } from "../api/domain.ts";
import { BulkheadError, explain } from "../api/errors.ts";
import type { AddShareBody, SharesView } from "../api/share.ts";
import { ControllerWatch } from "../directory/member/controller-watch.ts";
import { type ControllerHealth, inOrder, isWhole } from "../directory/member/controllers.ts";
import { describeSkew, joinDomain, readMember, removeHalfJoined } from "../directory/member/join.ts";
import {
	beginLeaving,
	finishLeaving,
	type Leaving,
	readLeaving,
	removeLeft,
} from "../directory/member/leave.ts";
import { isReachable, makeLoginFolders, requireOwnNumber } from "../directory/member/logins/logins.ts";
import { OwnPassword } from "../directory/member/own-password.ts";
import type { Member } from "../directory/member/plan.ts";
import { Strangers } from "../directory/member/strangers.ts";
import {
	type Account,
	type DomainFacts,
	factsOf,
	groupIdOf,
	keytabAt,
	writeKeytab,
} from "../directory/member/tools.ts";
import { arrange } from "../directory/member/view.ts";
import {
	changeSecret,
	cutWinbind,
	endWinbind,
	ensureWinbind,
	isConnected,
	lastWordsOf,
	tellWinbind,
	trustTrouble,
	winbindProcess,
} from "../directory/member/winbind.ts";
import { ControlGroup } from "../host/cgroup.ts";
import { type Context, domainGroup } from "./context.ts";
import { DomainNames } from "./domain-names.ts";
import { DomainShares } from "./domain-shares.ts";
import { DomainSocket } from "./http/domain-socket.ts";
import { Restarts } from "./restarts.ts";
import { Turns } from "./turns.ts";

const limits = { memoryBytes: 512 * 2 ** 20, cpus: 1, tasks: 256, cpuWeight: 100 } as const;
const lookEveryMs = 1000;
/** While winbindd waits for a controller: its users' tickets and groups get old. */
const lookForOneEveryMs = 250;
/**
 * A controller takes connections a moment before it answers. winbindd was seen to be back a minute later now and then: that it
 * was told in that moment is what we take for the reason.
 */
const settledAfterMs = 300;
/**
 * winbindd goes over to another controller so long after the one that it was with. An emulated controller is busy for two seconds
 * with that, in which everybody else who comes over would wait; and whoever logs in to the host meanwhile is answered from what
 * is known here.
 */
const restsForMs = 2000;
const answersWithinMs = 500;
const joinWithinMs = 120_000;
/** As Kerberos does: 300 s; told earlier. */
const tellSkewSeconds = 120;

/** A server of this host's, and whether it is known that none of its sessions serves. */
export interface OwnServer {
	name: string;
	addresses: readonly string[];
	isAway: boolean;
}

/** What is known of the controllers, and since when: as people are told it, and by a clock that nobody sets. */
interface Seen {
	state: DomainView["state"];
	since: number;
	sinceMs: number;
	controllers: ControllerHealth[];
}

/**
 * This host's membership of a domain: its account, and winbindd, by which the domain's users are known. Nothing else of
 * the host depends on it, and nothing here is waited for when the daemon starts.
 *
 * INVARIANTS
 * - winbindd knows within two looks that no controller answers, so that nobody's logon waits for one, and is told that one
 *   does only when LDAP, Kerberos, DNS and SMB answer: told earlier, it would take that for good and fail. Of a server of
 *   this host's that goes on running what answered to LDAP and SMB in the last ten seconds counts (controller-watch.ts).
 */
export class Membership {
	/** The API's, for those of the domain who may use it; there while the host is a member that says so. */
	readonly socket: DomainSocket;
	private readonly context: Context;
	private readonly names: DomainNames;
	private readonly shares: DomainShares;
	private member: Member | undefined;
	/** Why the member cannot be read, and what to do; null when it can be, or there is none. */
	private unreadable: string | null = null;
	private seen: Seen | undefined;
	/** What winbindd was told last. */
	private told: DomainView["state"] | undefined;
	/** Until when winbindd is not told of another controller (`letRest`), by a clock that nobody sets. */
	private restsUntilMs = 0;
	private trouble: string | null = null;
	private sharesTrouble: string | null = null;
	private readonly restarts = new Restarts();
	private readonly password: OwnPassword;
	private readonly strangers: Strangers;
	private readonly controllers: ControllerWatch;
	/** One change at a time. */
	private changing = false;
	/** So that nothing is begun for a membership that is being ended. */
	private readonly turns = new Turns();
	private readonly sharing = new Turns();
	private readonly renewing = new Turns();
	/** What is there has been looked at; the first thing of all. */
	private readonly begun: Promise<void>;
	private readonly gone = new AbortController();
	/** Between two looks. */
	private pause = new AbortController();
	private readonly unsubscribe: () => void;
	private readonly watching: Promise<void>;

	/** @param own this host's servers: controllers may be among them */
	constructor(context: Context, own: () => readonly OwnServer[]) {
		this.context = context;
		this.names = new DomainNames(context, this.gone.signal);
		this.shares = new DomainShares(context);
		this.socket = new DomainSocket(context.paths.domainSocket);
		this.strangers = new Strangers(
			async (address) => (await factsOf(context.paths.domain, address, this.gone.signal)).realm,
		);
		this.password = new OwnPassword({
			changedAt: async () => await this.passwordChangedAt(),
			change: async () => await this.changePassword(),
			keytabAt: async () => await keytabAt(context.paths.domain),
			writeKeytab: async () => await this.writeKeytab(),
		});
		const known = (address: string) => {
			const server = own().find(({ addresses }) => addresses.includes(address));
			return { isOwn: server !== undefined, isAway: server?.isAway ?? false };
		};
		this.controllers = ControllerWatch.asking(answersWithinMs, known, this.gone.signal);
		this.begun = this.turns.take(async () => await this.begin());
		// A controller may be a server of this host's: what happens to it is known at once.
		this.unsubscribe = context.history.subscribe(({ kind, server }) => {
			if (kind !== "state" || server === null) return;
			this.controllers.forget(own().find(({ name }) => name === server)?.addresses ?? []);
			this.hurry();
		});
		this.watching = this.watch();
	}

	/**
	 * @returns null when the host is a member of no domain
	 * @throws BulkheadError not-allowed-now when that cannot be read, with what to do
	 */
	async view(): Promise<DomainView | null> {
		await this.begun;
		this.refuseUnreadable();
		const { member } = this;
		if (!member) return null;
		// A person asks: it is to be true now.
		this.controllers.forget(member.controllers);
		const seen = await this.look(member);
		const answering = seen.controllers.filter(isWhole);
		const found = await Promise.all(answering.map(async ({ address }) => await this.factsOf(address)));
		const facts = found.flatMap((one) => one ?? []);
		const [worst] = facts.filter(({ clockAheadSeconds }) => Number.isFinite(clockAheadSeconds)).sort(bySkew);
		const doubt = answering.length === 0 ? null : await this.doubt();
		const stranger = this.strangers.trouble(member.controllers, member.realm);
		const { realm, workgroup, name, joinedAt, logins, allowed, admins, dns } = member;
		const view: DomainView = {
			...{ realm, workgroup, name, joinedAt, logins, dns },
			...{ allowedGroup: allowed?.name ?? null, adminGroup: admins?.name ?? null },
			shares: await this.shares.names(),
			controllers: seen.controllers,
			state: seen.state,
			since: seen.since,
			trusted: answering.length === 0 ? null : doubt === null,
			clockAheadSeconds: worst?.clockAheadSeconds ?? null,
			passwordChangedAt: facts[0]?.passwordChangedAt ?? null,
			trouble: this.trouble ?? this.sharesTrouble ?? doubt ?? stranger ?? skewTrouble(worst),
		};
		// Nobody waits for its turn to ask: the host may have left meanwhile.
		return this.member === member ? view : await this.view();
	}

	private async factsOf(server: string): Promise<Answer | undefined> {
		const facts = await factsOf(this.context.paths.domain, server, this.gone.signal).catch(() => undefined);
		return facts && { server, ...facts };
	}

	private refuseUnreadable(): void {
		if (this.unreadable !== null) throw new BulkheadError("not-allowed-now", this.unreadable);
	}

	/** @throws BulkheadError not-allowed-now, bad-input, host-lacks; then nothing has changed */
	async join(wanted: JoinBody): Promise<DomainView> {
		return await this.alone(async () => {
			if (this.member)
				throw new BulkheadError(
					"not-allowed-now",
					`this host is a member of ${this.member.realm}; leave that first: bulkhead domain leave`,
				);
			this.refuseUnreadable();
			if (wanted.adminGroup !== null) await this.socket.requireWay();
			const body = { ...wanted, realm: wanted.realm.toUpperCase(), name: wanted.name.toUpperCase() };
			const signal = AbortSignal.any([this.gone.signal, AbortSignal.timeout(joinWithinMs)]);
			const member = await joinDomain(this.context.paths.domain, body, signal).catch(async (error) => {
				// What could not be undone is tried again from here on.
				await this.begin();
				throw error;
			});
			this.member = member;
			this.tell(`This host is a member of ${member.realm} now, as ${member.name}`);
			await this.keep();
			const view = await this.view();
			if (!view) throw new BulkheadError("internal", "the host was joined, and nothing is known of it");
			const unknown = view.controllers.filter((one) => !isWhole(one)).map(({ address }) => address);
			if (unknown.length === 0 || view.trouble !== null) return view;
			const words = `${unknown.join(", ")} ${unknown.length === 1 ? "does" : "do"} not answer`;
			const trouble = `${words}: whether that is a controller of ${member.realm} is seen when it does`;
			return { ...view, trouble };
		});
	}

	/**
	 * Ends the membership: on this host whatever becomes of it in the domain. One that was begun is finished.
	 * @param account who may remove the host's account; null to leave it there
	 * @throws BulkheadError not-found, bad-input for a name or password that the domain refuses; then nothing has changed
	 */
	async leave(account: Account | null): Promise<LeaveView> {
		return await this.alone(async () => {
			const { domain } = this.context.paths;
			if (!this.member && this.unreadable === null)
				throw new BulkheadError("not-found", "this host is a member of no domain");
			const leaving = (await readLeaving(domain)) ?? (await this.beginLeaving(account));
			return await this.finishLeaving(leaving).catch((error: unknown) => {
				// From here on it is tried again.
				this.unreadable = explain(error);
				throw error;
			});
		});
	}

	private async beginLeaving(account: Account | null): Promise<Leaving> {
		const { member = null } = this;
		const { domain } = this.context.paths;
		// Whom to ask to remove the account is not known.
		if (account) this.refuseUnreadable();
		await removeHalfJoined(domain);
		const signal = AbortSignal.any([this.gone.signal, AbortSignal.timeout(joinWithinMs)]);
		return await beginLeaving(domain, member, account, signal, async () => {
			if (member && this.seen?.state === "online")
				await this.sharing.take(async () => await this.shares.unname(member));
		});
	}

	/** @throws Error with what stands in the way; it may be called again */
	private async finishLeaving({ realm, name, left }: Leaving): Promise<LeaveView> {
		// Nothing is begun for it any more, also when this fails.
		this.member = undefined;
		const { paths, groups } = this.context;
		let shared: string[] = [];
		// Whoever has come in by that socket to say this gets the answer, however long it takes.
		using answered = new DisposableStack();
		const stop = async () => {
			const cutOff = await this.socket.shut();
			answered.defer(() => cutOff());
			await this.names.end();
			shared = await this.sharing.take(async () => await this.shares.end());
			if (!(await endWinbind(paths.domain))) throw new Error("winbindd does not end, even when killed");
			await ControlGroup.at(domainGroup(paths), groups).destroy();
		};
		const edited = await finishLeaving(paths.domain, stop).catch((error: unknown) => {
			const what = `this host is no member of ${realm ?? "its domain"} any more`;
			throw new Error(`${what}, and not all of it is gone: ${explain(error)}; it is tried again`, {
				cause: error,
			});
		});
		this.unreadable = null;
		this.restarts.forget();
		this.strangers.forget();
		this.password.forget();
		this.seen = undefined;
		this.told = undefined;
		this.trouble = null;
		this.sharesTrouble = null;
		this.tell(`This host has left ${realm ?? "its domain"}${left === null ? "" : `; ${left}`}`);
		if (edited.length > 0)
			this.tell(`Somebody else has changed ${edited.join(", ")} since; only Bulkhead's lines were taken out`);
		return { realm, name, left, edited, shared };
	}

	/** @returns the folders that are shared; null when the host is a member of no domain. @throws BulkheadError, Error */
	async viewShares(): Promise<SharesView | null> {
		await this.begun;
		this.refuseUnreadable();
		return this.member ? await this.shares.view(this.member) : null;
	}

	/** @throws BulkheadError bad-input, not-allowed-now, host-lacks; then nothing has changed */
	async addShare(wanted: AddShareBody): Promise<SharesView> {
		return await this.asMember(async (member) => {
			await this.shares.add(member, wanted, async (name) => await this.findGroup(member, name));
			this.tell(`${wanted.path} is shared with users of ${member.realm} as ${wanted.name}`);
			return await this.shares.view(member);
		});
	}

	/** @throws BulkheadError not-found, not-allowed-now; then nothing has changed */
	async removeShare(name: string): Promise<{ name: string; path: string }> {
		return await this.asMember(async (member) => {
			const removed = await this.shares.remove(member, name, this.told === "online");
			this.tell(`${removed.path} is shared no more; it stays as it is`);
			return removed;
		});
	}

	/** Not in the turn of what else belongs to the membership: winbindd waits for no disk. */
	private async asMember<T>(change: (member: Member) => Promise<T>): Promise<T> {
		await this.begun;
		return await this.sharing.take(async () => {
			if (this.changing)
				throw new BulkheadError("not-allowed-now", "the host is joining or leaving a domain; wait for that");
			this.refuseUnreadable();
			if (this.member) return await change(this.member);
			throw new BulkheadError(
				"not-allowed-now",
				"this host is a member of no domain, whose users could reach it; see: bulkhead domain join --help",
			);
		});
	}

	/** @returns the SID of a group of the domain */
	private async findGroup(member: Member, name: string): Promise<string> {
		const { controllers } = await this.look(member);
		const server = controllers.find(isWhole)?.address;
		if (server === undefined)
			throw new BulkheadError(
				"not-allowed-now",
				`groups: no controller of ${member.realm} answers, who would know ${name}; try again when one does`,
			);
		return await groupIdOf(this.context.paths.domain, "groups", name, {
			...{ server, asHost: true },
			signal: this.gone.signal,
		});
	}

	/** Lets go; winbindd and smbd run on, as sessions do. */
	async end(): Promise<void> {
		this.unsubscribe();
		this.gone.abort();
		await this.watching;
		await this.turns.settled();
		await this.sharing.settled();
		await this.renewing.settled();
		await this.socket.close(0);
	}

	private async alone<T>(change: () => Promise<T>): Promise<T> {
		if (this.changing)
			throw new BulkheadError(
				"not-allowed-now",
				"the host is joining or leaving a domain already; wait for that",
			);
		this.changing = true;
		try {
			return await this.turns.take(change);
		} finally {
			this.changing = false;
		}
	}

	// ---- what is looked after all the time

	private async watch(): Promise<void> {
		const { signal } = this.gone;
		while (!signal.aborted) {
			this.pause = new AbortController();
			const pause = AbortSignal.any([signal, this.pause.signal]);
			if (!this.changing) await this.turns.take(async () => await this.keep());
			// It is not waited for: a disk that hangs is no reason for anybody to wait who logs in.
			if (!this.changing && !this.sharing.busy) void this.sharing.take(async () => await this.keepShares());
			if (!this.changing && !this.renewing.busy)
				void this.renewing.take(async () => await this.keepPassword());
			const everyMs = this.told === "offline" ? lookForOneEveryMs : lookEveryMs;
			await delay(everyMs, undefined, { signal: pause }).catch(() => {});
		}
	}

	/** Looks again at once. */
	private hurry(): void {
		this.pause.abort();
	}

	/** Reads what is there. What cannot be read is told once, and tried again: somebody may put it right. */
	private async begin(): Promise<void> {
		const { domain } = this.context.paths;
		try {
			await removeLeft(domain);
			const leaving = await readLeaving(domain);
			if (leaving) await this.finishLeaving(leaving);
			const interrupted = await removeHalfJoined(domain);
			if (interrupted !== null) this.tell(interrupted);
			this.member = await readMember(domain);
			this.unreadable = null;
		} catch (error) {
			const why = explain(error);
			if (this.unreadable !== why) this.tell(why);
			this.unreadable = why;
		}
	}

	/** Looks after all that belongs to it. What stands in the way is told once, and of nothing the others have to suffer. */
	private async keep(): Promise<void> {
		if (this.unreadable !== null) await this.begin();
		const { member } = this;
		if (!member) return;
		const troubles: string[] = [];
		// Who logs in waits for the first of these.
		const parts = [
			() => this.keepUsers(member),
			() => this.keepSocket(member),
			() => this.names.keep(member, this.ownControllers(member)),
		];
		for (const part of parts) await part().catch((error: unknown) => troubles.push(explain(error)));
		this.trouble = this.tellTrouble(member, this.trouble, troubles[0] ?? null);
	}

	/** As `keep`; never throws. */
	private async keepShares(): Promise<void> {
		const { member } = this;
		if (!member || this.changing) return;
		const why = await this.shares.keep(member, this.told === "online").then(() => null, explain);
		// The host may have left meanwhile.
		if (this.member === member) this.sharesTrouble = this.tellTrouble(member, this.sharesTrouble, why);
	}

	/** Never throws. While winbindd is with a controller: it is its task, and nobody waits for it. */
	private async keepPassword(): Promise<void> {
		if (!this.member || this.changing || this.told !== "online") return;
		await this.password.keep().catch((error: unknown) => {
			if (!this.gone.signal.aborted)
				this.context.log.warn({ err: error }, "the host's password in the domain could not be changed yet");
		});
	}

	private async writeKeytab(): Promise<void> {
		const server = this.seen?.controllers.find(isWhole)?.address;
		if (server === undefined) throw new Error("no controller answers");
		await writeKeytab(this.context.paths.domain, server, this.gone.signal);
	}

	private async passwordChangedAt(): Promise<number | null> {
		const server = this.seen?.controllers.find(isWhole)?.address;
		if (server === undefined) return null;
		return (await factsOf(this.context.paths.domain, server, this.gone.signal)).passwordChangedAt;
	}

	private async changePassword(): Promise<void> {
		const { member } = this;
		if (!member) return;
		await changeSecret(this.context.paths.domain, member.workgroup, this.gone.signal);
		this.tell(`This host has a new password in ${member.realm}, as each month`);
	}

	/** Once. @returns the new one */
	private tellTrouble({ realm }: Member, before: string | null, why: string | null): string | null {
		if (why !== null && before !== why && !this.gone.signal.aborted)
			this.tell(`This host's membership of ${realm} needs attention: ${why}; it is tried again`);
		return why;
	}

	/** The group's number is in the record: no controller has to answer for it. */
	private async keepSocket({ logins, admins }: Member): Promise<void> {
		if (!logins || admins === null || (await this.socket.isOpen(admins.gid))) return;
		await requireOwnNumber(admins.gid);
		await this.socket.open(admins.gid);
	}

	/** Has winbindd run, and know whether a controller answers. */
	private async keepUsers(member: Member): Promise<void> {
		const { domain } = this.context.paths;
		const before = this.seen?.controllers ?? [];
		const { state, controllers, sinceMs } = await this.look(member);
		// Before winbindd begins, which reads most of it once.
		await arrange(domain, member, inOrder(this.strangers.but(controllers, member.realm)));
		await this.keepWinbind(member);
		const { signal } = this.gone;
		const notBefore = Math.max(sinceMs + settledAfterMs, this.restsUntilMs);
		const rests = state === "online" && this.told === "offline" && performance.now() < notBefore;
		if (!rests && state !== this.told) await tellWinbind(domain, state, signal);
		// Also what it began before it read that. While another controller answers, winbindd goes to that one.
		const gone = controllers.filter(({ answers }) => state === "offline" || answers.length === 0);
		const cut = await this.cut(gone);
		if (rests) return;
		// So that it goes over to another controller by itself, and not when somebody logs in, who would wait for that.
		const lost = gone.filter(({ address }) => before.some((one) => one.address === address && isWhole(one)));
		if (state === "online" && lost.some(({ address }) => cut.has(address))) return await this.letRest(signal);
		if (state === this.told) return;
		if (state === "online" && !(await isConnected(domain, member.workgroup, signal))) return;
		this.told = state;
	}

	private async keepWinbind({ logins }: Member): Promise<void> {
		const { paths, groups } = this.context;
		// After somebody took away the folder of its socket, nobody finds it there any more.
		if (logins && !(await isReachable(paths.domain))) await endWinbind(paths.domain);
		if (await winbindProcess(paths.domain)) return this.restarts.runs();
		if (logins) await makeLoginFolders();
		const due = this.restarts.due();
		if (due === "no") return;
		if (due === "tell") this.tell(await lastWordsOf(paths.domain));
		this.told = undefined;
		// What an earlier one left behind when it was killed.
		await ControlGroup.at(domainGroup(paths), groups).destroy();
		const group = await ControlGroup.create(domainGroup(paths), limits, groups);
		await ensureWinbind(paths.domain, group.entries);
	}

	/** Why the domain does not believe this host. While winbindd rests it would go over for that, and who logs in would wait. */
	private async doubt(): Promise<string | null> {
		const ms = this.restsUntilMs - performance.now();
		if (ms > 0) await delay(ms, undefined, { signal: this.gone.signal });
		return await trustTrouble(this.context.paths.domain);
	}

	/** winbindd is with no controller for a while, and then it is told that there is one. */
	private async letRest(signal: AbortSignal): Promise<void> {
		await tellWinbind(this.context.paths.domain, "offline", signal);
		this.told = "offline";
		this.restsUntilMs = performance.now() + restsForMs;
	}

	/**
	 * Whoever logs in at this moment is answered from what is known here, instead of waiting for a controller.
	 * @returns which of them winbindd was with
	 */
	private async cut(controllers: readonly ControllerHealth[]): Promise<Set<string>> {
		if (controllers.length === 0) return new Set();
		const { paths, groups } = this.context;
		const pids = await ControlGroup.at(domainGroup(paths), groups).pids();
		return await cutWinbind(
			pids,
			controllers.map(({ address }) => address),
		);
	}

	private async look(member: Member): Promise<Seen> {
		const { realm } = member;
		const all = await this.controllers.look(member.controllers);
		const found = this.strangers.without(all, realm);
		const before = this.seen;
		const state = found.some(isWhole)
			? "online"
			: this.isGone(found)
				? "offline"
				: (before?.state ?? "offline");
		const { since, sinceMs } =
			before?.state === state ? before : { since: Date.now(), sinceMs: performance.now() };
		const seen = { state, since, sinceMs, controllers: found } as const;
		// Also asked by whoever wants to know; the host may have left meanwhile.
		if (this.member !== member) return seen;
		this.seen = seen;
		if (before && before.state !== state)
			this.tell(
				state === "online"
					? `A controller of ${realm} answers again`
					: `No controller of ${realm} answers; who logged in here before still can`,
			);
		return seen;
	}

	/** @returns those that are not known to be another domain's, as they were seen last */
	private ownControllers({ realm, controllers }: Member): ControllerHealth[] {
		const seen = this.seen?.controllers ?? controllers.map((address) => ({ address, answers: [] }));
		return this.strangers.but(seen, realm);
	}

	/** One answer that is lost on its way is not the end of a controller; two looks in a row, or silence all over, is. */
	private isGone(found: readonly ControllerHealth[]): boolean {
		const before = this.seen?.controllers ?? [];
		return !before.some(isWhole) || found.every(({ answers }) => answers.length === 0);
	}

	private tell(text: string): void {
		this.context.log.info(text);
		this.context.history.append({ at: Date.now(), server: null, session: null, kind: "daemon", text });
	}
}

/** What a controller says. */
type Answer = DomainFacts & { server: string };

/** The one whose clock is furthest from the host's first. */
function bySkew(one: DomainFacts, other: DomainFacts): number {
	return Math.abs(other.clockAheadSeconds) - Math.abs(one.clockAheadSeconds);
}

function skewTrouble(worst: Answer | undefined): string | null {
	if (!worst || Math.abs(worst.clockAheadSeconds) < tellSkewSeconds) return null;
	return `the clock of ${worst.server} is ${describeSkew(worst.clockAheadSeconds)} the host's; from 300 s on nobody can log in by it`;
}
