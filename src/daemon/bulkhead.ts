import { setTimeout as delay } from "node:timers/promises";
import type {
	AdministerBody,
	Administered,
	CreateBody,
	DomainCreated,
	DomainUsed,
	UseBody,
} from "../api/domain.ts";
import { BulkheadError } from "../api/errors.ts";
import type { ExportBody } from "../api/export.ts";
import type { ExamineBody, ImportView } from "../api/import.ts";
import type { Plan } from "../api/plan.ts";
import type { PublishingView } from "../api/publish.ts";
import type { SandboxView } from "../api/sandbox.ts";
import type { PublishDefinition, Site } from "../api/site.ts";
import type { TrafficView } from "../api/traffic.ts";
import { isShortOfMemory } from "../host/memory.ts";
import { awaitsDomain, type StoredServer } from "../store/servers.ts";
import { Applying } from "./applying.ts";
import { reachesWith } from "./between.ts";
import type { Context } from "./context.ts";
import { CurrentSite } from "./current-site.ts";
import { administerDomain, makeDomain, saveTogether, unmark } from "./domains.ts";
import { exportServer } from "./exports/server.ts";
import { findDomain, withoutDomain } from "./found-domains.ts";
import { removeHalfMade } from "./half-made.ts";
import { examineImport } from "./imports/examine.ts";
import { lookAtInstallation } from "./installations.ts";
import { cardsOf } from "./mac-checks.ts";
import { Membership } from "./membership.ts";
import { together } from "./parts/door/together.ts";
import { Groups } from "./parts/groups.ts";
import { Publishing, type Unwanted } from "./publishing.ts";
import { sandboxViewOf } from "./sandbox-view.ts";
import { begin, isInUse, type Report, ServerChanges } from "./server-changes.ts";
import type { ServerUnit } from "./server-unit.ts";
import { SiteSandbox } from "./site-sandbox.ts";
import { TakingOn } from "./taking-on.ts";
import { Traffic } from "./traffic.ts";
import { Turns } from "./turns.ts";
import { unfinishedDomains } from "./unfinished-domains.ts";
import { Units } from "./units.ts";
import { serverAddresses, Yielding } from "./yielding.ts";

/** Milliseconds that a change of what is published waits for other changes of the site. */
const turnWithinMs = 20_000;

/** Checksums of large packages take their time. */
const examineWithinMs = 2 * 60 * 60_000;

const domainWithinMs = 40 * 60_000;
const findWithinMs = 60_000;

/** Everything that one daemon runs: the site, its sandbox and its servers. */
export class Bulkhead {
	private readonly context: Context;
	private readonly groups: Groups;
	private readonly current: CurrentSite;
	private readonly sandbox: SiteSandbox;
	private readonly units: Units;
	private readonly taking: TakingOn;
	private readonly changes: ServerChanges;
	private readonly applying: Applying;
	private readonly publishing: Publishing;
	private readonly traffic: Traffic;
	private readonly yielding: Yielding;
	readonly membership: Membership;
	/** One change of the site at a time. */
	private readonly changing = new Turns();
	private readonly gone = new AbortController();
	private readonly checks: Promise<void>;
	private readonly counting: Promise<void>;
	private readonly following: Promise<void>;
	private readonly installing: Promise<void>;
	private takingOn: Promise<void> = Promise.resolve();

	constructor(context: Context) {
		this.context = context;
		this.groups = new Groups(context);
		this.current = new CurrentSite(context);
		this.sandbox = new SiteSandbox(context);
		this.units = new Units(context, this.groups, this.sandbox);
		this.taking = new TakingOn(context, this.units);
		this.changes = new ServerChanges(context, this.current, this.units);
		this.applying = new Applying(context, this.current, this.sandbox, this.units, this.changes);
		this.publishing = new Publishing(context, this.current, this.units, this.changes);
		this.traffic = new Traffic(context, {
			units: () => this.list(),
			namespace: () => this.sandbox.namespace,
		});
		this.yielding = new Yielding(context, {
			units: () => this.list(),
			namespace: () => this.sandbox.namespace,
		});
		this.membership = new Membership(context, () =>
			this.list().map(({ stored, record: { state } }) => ({
				...{ name: stored.name, addresses: serverAddresses(stored) },
				isAway: state === "recovering" || state === "failed",
			})),
		);
		this.checks = this.watchDoors();
		this.counting = this.traffic.watch(this.gone.signal);
		this.following = this.followNames();
		this.installing = this.watchInstallations();
	}

	/** Whether the site is being changed, or is about to be. */
	get isChanging(): boolean {
		return this.changing.busy;
	}

	get siteName(): string | null {
		return this.current.site?.name ?? null;
	}

	list(): ServerUnit[] {
		return this.units.list();
	}

	/** @throws BulkheadError not-found, not-allowed-now */
	server(name: string): ServerUnit {
		return this.units.server(name);
	}

	/** @throws BulkheadError not-found, not-allowed-now; CommandError when the firewall cannot be read */
	async sandboxOf(name: string): Promise<SandboxView> {
		const { stored, door } = this.units.server(name);
		const all = this.list().map((unit) => unit.stored);
		const { namespace, openSegments } = this.sandbox;
		return await sandboxViewOf(stored, all, {
			namespace,
			health: await door.healthByDoor(),
			openSegments,
			addressesOf: (name) => this.sandbox.followed.letOut(name),
		});
	}

	/** @throws BulkheadError not-found, not-allowed-now; Error when it cannot be read */
	async trafficOf(name: string): Promise<TrafficView> {
		this.units.server(name);
		return await this.traffic.of(name);
	}

	// ---- at the start of the daemon

	/** Brings what is on the host to what was asked for: adopts what runs, starts what should run, removes what should not be there. */
	async reconcile(): Promise<void> {
		const { servers: found, damaged } = await this.context.servers.list();
		const servers = await this.finishDomains(found);
		const kept = await this.current.load(servers);
		for (const { name, error } of damaged) this.units.setAside(name, error, undefined);
		await removeHalfMade(
			this.context,
			(name) => servers.some((server) => server.name === name) || this.units.isAside(name),
		);
		const empty = kept !== undefined && Object.keys(kept.servers ?? {}).length === 0;
		await this.groups.removeStrays(await this.context.servers.names(), servers.length > 0 || empty);
		const { site } = this.current;
		const needed = servers.length > 0 || Object.keys(site?.segments ?? {}).length > 0;
		// Somebody who lives in it is told of above: this may be the wrong state directory, or one that is not mounted.
		if (damaged.length === 0 && (needed || (await this.groups.isEmpty())))
			await this.sandbox.dropStray(needed ? site : undefined);
		if (servers.length === 0) await this.units.removeEmptyGroups();
		if (!site) return;
		const asItIs = damaged.length > 0 && (await this.sandbox.keep(site.name));
		if (!asItIs && needed) await this.sandbox.open(site);
		await this.taking.takeOn(servers);
		this.takingOn = this.taking.goOn(this.changing, this.gone.signal);
	}

	/** A daemon that was killed may have told only the first of several controllers that they have a domain. */
	private async finishDomains(servers: readonly StoredServer[]): Promise<StoredServer[]> {
		const finished = unfinishedDomains(servers);
		for (const one of finished) await this.context.servers.save(one);
		return servers.map((server) => finished.find(({ name }) => name === server.name) ?? server);
	}

	// ---- changes of the site

	/**
	 * Looks at what somebody wants to move here.
	 * @param asked aborts when nobody waits for it any more
	 * @throws BulkheadError bad-input
	 */
	async examineImport(wanted: ExamineBody, asked: AbortSignal): Promise<ImportView> {
		const signal = AbortSignal.any([asked, this.gone.signal, AbortSignal.timeout(examineWithinMs)]);
		const { site } = this.current;
		return await examineImport(wanted, site ? cardsOf(site) : [], this.context, signal);
	}

	/** Checks a site file and says what applying it would do. @throws BulkheadError with all problems */
	async plan(text: string): Promise<{ plan: Plan; site: Site }> {
		return await this.applying.plan(text, this.gone.signal);
	}

	/** Does what a plan says, or nothing when things have changed since. */
	async apply(
		text: string,
		fingerprint: string,
		confirmed: boolean,
		report: Report,
		signal: AbortSignal,
	): Promise<void> {
		await this.changing.take(
			async () => await this.applying.apply(text, fingerprint, confirmed, report, signal),
		);
	}

	/** Copies the disks of a stopped server to files on this host. @throws BulkheadError; nothing is left then */
	async export(name: string, wanted: ExportBody, report: Report, signal: AbortSignal): Promise<void> {
		const unit = this.units.server(name);
		const until = AbortSignal.any([signal, this.gone.signal]);
		if (this.changing.busy)
			throw new BulkheadError(
				"not-allowed-now",
				`the site is being changed, and the disks of ${name} perhaps with it; export it when that is done`,
			);
		await unit.whileExported(async () => await exportServer(unit, wanted, this.context, report, until));
	}

	/** Makes a domain on servers that have none, and starts them. @throws BulkheadError; nothing has changed then */
	async createDomain(name: string, wanted: CreateBody): Promise<DomainCreated> {
		return await this.changing.take(async () => {
			const from = performance.now();
			const { realm, workgroup, others } = wanted;
			const units = this.namedOnce([name, ...others]);
			for (const unit of units) unit.refuseWhileExported();
			for (const { stored } of units.filter((unit) => awaitsDomain(unit.stored) && isInUse(unit)))
				throw new BulkheadError("not-allowed-now", `${stored.name} is in use; stop it first`);
			const signal = AbortSignal.any([this.gone.signal, AbortSignal.timeout(domainWithinMs)]);
			const [first, ...rest] = units.map(({ stored }) => stored);
			if (!first) throw new RangeError("no server is named");
			const parts = { context: this.context, reaches: reachesWith(this.sandbox.openSegments), signal };
			const made = await makeDomain([first, ...rest], wanted, parts);
			for (const { name, domain } of made)
				this.tellSite(name, `${name} is a controller of a new domain, ${domain?.realm}`);
			const started = await this.beginDomain(made).finally(async () => await unmark(made, this.context));
			const controllers = [name, ...others];
			return { controllers, started, realm, workgroup, tookMs: Math.round(performance.now() - from) };
		});
	}

	/** @returns the servers that were started */
	private async beginDomain(made: readonly StoredServer[]): Promise<string[]> {
		await this.takeDomain(made);
		const started: string[] = [];
		for (const { name } of made) if (await begin(this.units.server(name), this.context)) started.push(name);
		return started;
	}

	/** Takes servers for the controllers of a domain that Bulkhead did not make. @throws BulkheadError; nothing has changed then */
	async useDomain(name: string, wanted: UseBody): Promise<DomainUsed> {
		return await this.changing.take(async () => {
			const units = this.namedOnce([name, ...wanted.others]);
			const signal = AbortSignal.any([this.gone.signal, AbortSignal.timeout(findWithinMs)]);
			const found = await findDomain(units, this.units.stored(), wanted, { context: this.context, signal });
			const before = units.map(({ stored }) => stored);
			await saveTogether(before, found, this.context);
			const domain = found[0]?.domain;
			if (!domain) throw new RangeError("no server is named");
			for (const { name } of found)
				this.tellSite(name, `${name} is taken for a controller of ${domain.realm}`);
			await this.takeDomain(found);
			return { controllers: domain.controllers, realm: domain.realm, workgroup: domain.workgroup };
		});
	}

	/** Takes a server for a controller no more, of a domain that Bulkhead did not make. @throws BulkheadError not-allowed-now */
	async forgetDomain(name: string): Promise<{ server: string; realm: string }> {
		return await this.changing.take(async () => {
			const { stored } = this.units.server(name);
			const all = this.units.stored();
			const changed = withoutDomain(stored, all);
			const before = all.filter((one) => changed.some((other) => other.name === one.name));
			await saveTogether(before, changed, this.context);
			const realm = stored.domain?.realm ?? "";
			this.tellSite(name, `${name} is taken for a controller of ${realm} no more`);
			await this.takeDomain(changed);
			return { server: name, realm };
		});
	}

	/** @throws BulkheadError bad-input, not-found, not-allowed-now */
	private namedOnce(names: readonly string[]): ServerUnit[] {
		const twice = names.find((one, i) => names.indexOf(one) !== i);
		if (twice !== undefined)
			throw new BulkheadError("bad-input", `${twice} is named twice; each controller is a server of its own`);
		return names.map((one) => this.units.server(one));
	}

	/** All know it, also when one fails to: a later change of that one would keep it as it was. */
	private async takeDomain(changed: readonly StoredServer[]): Promise<void> {
		await together(changed.map(async (stored) => await this.units.server(stored.name).change(stored)));
		// Those that are one of several yield to each other.
		await this.units.permit(this.units.stored());
	}

	private tellSite(server: string, text: string): void {
		this.context.history.append({ at: Date.now(), server, session: null, kind: "site", text });
	}

	/** Asks a controller for users and groups or to check itself, or changes them. @throws BulkheadError */
	async administerDomain(server: string, wanted: AdministerBody): Promise<Administered> {
		return { server, ...(await administerDomain(this.units.server(server), wanted)) };
	}

	/** Starts a stopped server. @throws BulkheadError not-found, not-allowed-now */
	async start(name: string): Promise<ServerUnit> {
		const unit = this.units.server(name);
		if (awaitsDomain(unit.stored))
			throw new BulkheadError(
				"not-allowed-now",
				`${name} has no domain yet: bulkhead domain create ${name} --realm ad.example.com`,
			);
		await unit.command({ do: "start" });
		return unit;
	}

	/** Takes the discs out of a server's CD drives. @returns the files that were in */
	async eject(name: string): Promise<string[]> {
		return await this.soon(async () => await this.units.server(name).eject(this.context));
	}

	/**
	 * Deletes a stopped server with its disks.
	 * @param gone aborts when nobody waits for it any more: unless it has begun by then, nothing is deleted
	 * @throws BulkheadError not-allowed-now, not-found
	 */
	async delete(name: string, gone: AbortSignal): Promise<void> {
		await this.soon(async () => {
			gone.throwIfAborted();
			await this.changes.deleteStopped(name);
			// On a segment of the LAN the sandbox has a way to each server.
			if (this.current.site && this.sandbox.namespace !== null) await this.sandbox.open(this.current.site);
		});
	}

	/** Lets a service of a server out, beside those that are out already. @throws BulkheadError; nothing has changed then */
	async publish(name: string, wanted: PublishDefinition): Promise<PublishingView> {
		return await this.soon(async () => await this.publishing.publish(name, wanted));
	}

	/** Takes a published service back. @throws BulkheadError; nothing has changed then */
	async unpublish(name: string, unwanted: Unwanted): Promise<PublishingView> {
		return await this.soon(async () => {
			// What its front door has counted since the last look would be gone with it.
			await this.traffic.lookIfPossible();
			return await this.publishing.unpublish(name, unwanted);
		});
	}

	private async soon<T>(work: () => Promise<T>): Promise<T> {
		const message = "the site is being changed by somebody else, and that takes its time; try again later";
		const busy = new BulkheadError("not-allowed-now", `${message}; nothing was changed`);
		return await this.changing.takeSoon(turnWithinMs, busy, work);
	}

	// ---- while it runs

	/** Lets go of everything without ending any session. */
	async leave(): Promise<void> {
		this.gone.abort();
		await Promise.all([
			this.checks,
			this.counting,
			this.following,
			this.installing,
			this.takingOn,
			this.membership.end(),
			this.yielding.end(),
		]);
		await this.sandbox.names.leave();
		await this.sandbox.leases.leave();
		await this.units.leave();
	}

	/** One look after the other: a look may have to open a front door, which takes its time. */
	private async watchDoors(): Promise<void> {
		const { signal } = this.gone;
		for (let look = 0; !signal.aborted; look++) {
			await this.checkDoors();
			this.sandbox.names.check();
			this.sandbox.leases.check();
			if (look % 10 === 9) await this.guardWaysOut();
			await this.yielding.look(look % 10 === 9);
			if (isShortOfMemory()) for (const unit of this.list()) unit.supervisor.giveBackMemory();
			await delay(1000, undefined, { signal }).catch(() => {});
		}
	}

	/** Also in the midst of a change, which may copy disks for an hour: the sandbox's rules are changed by one at a time. */
	private async guardWaysOut(): Promise<void> {
		await this.sandbox
			.guard()
			.catch((error) => this.context.log.error({ err: error }, "the ways out could not be looked at"));
	}

	/** By itself: guests that are slow to answer keep nothing else waiting. */
	private async watchInstallations(): Promise<void> {
		const { signal } = this.gone;
		while (!signal.aborted) {
			for (const unit of this.list())
				await lookAtInstallation(unit, this.context, async (name) => await this.eject(name));
			await delay(10_000, undefined, { signal }).catch(() => {});
		}
	}

	/** By itself: a name server that is silent keeps nothing else waiting. */
	private async followNames(): Promise<void> {
		const { signal } = this.gone;
		while (!signal.aborted) {
			await this.sandbox
				.followNames()
				.catch((error) => this.context.log.error({ err: error }, "names could not be followed"));
			await delay(1000, undefined, { signal }).catch(() => {});
		}
	}

	private async checkDoors(): Promise<void> {
		for (const unit of this.list()) {
			await unit.door
				.check()
				.catch((error) => this.context.log.error({ err: error }, "a front door could not be opened again"));
		}
	}
}
