import { randomUUID } from "node:crypto";
import { rm, rmdir } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { BulkheadError, explain } from "../api/errors.ts";
import type { Change, Plan, Progress } from "../api/plan.ts";
import type { ServerDefinition, Site } from "../api/site.ts";
import { listIfThere, readIfThere, writeFileAtomic } from "../host/files.ts";
import { isShortOfMemory } from "../host/memory.ts";
import { FrontDoor } from "../network/front-door/process.ts";
import { Sandbox } from "../network/sandbox.ts";
import type { StoredServer } from "../store/servers.ts";
import { type KeptSite, readKeptSite, siteOf } from "../store/site.ts";
import { type Context, namespaceOf } from "./context.ts";
import { hostProblems } from "./host-checks.ts";
import { Groups } from "./parts/groups.ts";
import { planOf, refusedChanges, subnetOf } from "./plan.ts";
import { createDisk, createServer, diskFullOr } from "./provision.ts";
import { completeServicesOf, doorUid, firstUidOf, tapsOf } from "./resolve.ts";
import { ServerUnit } from "./server-unit.ts";
import { readSiteFile } from "./site-file.ts";

type Report = (progress: Progress) => void;

/** Everything that one daemon runs: the site, its sandbox and its servers. */
export class Bulkhead {
	private readonly context: Context;
	private readonly groups: Groups;
	private readonly units = new Map<string, ServerUnit>();
	/** Servers whose files are damaged, with the reason in words: nothing of theirs is touched until a person mended them. */
	private readonly aside = new Map<string, { why: string; stored: StoredServer | undefined }>();
	/** While a server cannot be read, nobody knows its segment, and what its front door may do: both stay as they are. */
	private sandboxKept = false;
	private sandbox: Sandbox | undefined;
	private site: Site | undefined;
	/** One change of the site at a time. */
	private changing: Promise<unknown> = Promise.resolve();
	private readonly gone = new AbortController();
	private readonly checks: Promise<void>;

	constructor(context: Context) {
		this.context = context;
		this.groups = new Groups(context);
		this.checks = this.watchDoors();
	}

	get siteName(): string | null {
		return this.site?.name ?? null;
	}

	/** Brings what is on the host to what was asked for: adopts what runs, starts what should run, removes what should not be there. */
	async reconcile(): Promise<void> {
		const { servers, damaged } = await this.context.servers.list();
		const kept = await this.keptSite();
		this.site = siteOf(kept, servers);
		for (const { name, error } of damaged) this.setAside(name, error, undefined);
		await this.removeHalfMade(servers);
		const empty = kept !== undefined && Object.keys(kept.servers ?? {}).length === 0;
		await this.groups.removeStrays(await this.context.servers.names(), servers.length > 0 || empty);
		if (!this.site) return;
		const namespace = namespaceOf(this.context.paths, this.site.name);
		this.sandboxKept = damaged.length > 0 && (await Sandbox.exists(namespace));
		if (this.sandboxKept) this.sandbox = new Sandbox(namespace, this.site.name);
		else if (servers.length > 0 || Object.keys(this.site.segments ?? {}).length > 0)
			await this.openSandbox(this.site);
		for (const server of servers) await this.takeOn(server);
	}

	/** One server's damaged files, or trouble with its port, keep the others from nothing. */
	private async takeOn(server: StoredServer): Promise<void> {
		try {
			await (await this.supervise(server)).door.openWhenPossible();
		} catch (error) {
			if (!(error instanceof BulkheadError) || error.code !== "bad-input") throw error;
			this.setAside(server.name, error, server);
		}
	}

	private setAside(name: string, error: unknown, stored: StoredServer | undefined): void {
		// A parser shows the place in lines of its own; here it stands within a sentence.
		const why = explain(error).replaceAll(/\s+/g, " ");
		this.aside.set(name, { why, stored });
		const text = `${name} is not supervised, and nothing of it is touched: ${why}`;
		this.context.log.error({ err: error, server: name }, text);
		this.context.history.append({ at: Date.now(), server: name, session: null, kind: "daemon", text });
	}

	/** @returns what the last daemon wrote of the site; undefined when that is missing or damaged */
	private async keptSite(): Promise<KeptSite | undefined> {
		const { paths, log } = this.context;
		try {
			const text = await readIfThere(paths.site);
			return text === undefined ? undefined : readKeptSite(text, paths.site);
		} catch (error) {
			if (!(error instanceof BulkheadError)) throw error;
			log.error({ err: error }, explain(error));
			return undefined;
		}
	}

	list(): ServerUnit[] {
		return [...this.units.values()].sort((a, b) => a.stored.name.localeCompare(b.stored.name));
	}

	/** @throws BulkheadError not-found */
	server(name: string): ServerUnit {
		const unit = this.units.get(name);
		if (unit) return unit;
		const aside = this.aside.get(name);
		if (aside) throw new BulkheadError("not-allowed-now", `${name} is not supervised: ${aside.why}`);
		throw new BulkheadError(
			"not-found",
			`there is no server ${name.slice(0, 40)}; \`bulkhead list\` shows all`,
		);
	}

	/** Checks a site file and says what applying it would do. @throws BulkheadError with all problems */
	async plan(text: string): Promise<{ plan: Plan; site: Site }> {
		const file = readSiteFile(text);
		const { site } = file;
		this.refuseWhileDamaged();
		const present = this.list().map((unit) => ({ stored: unit.stored, inUse: isInUse(unit) }));
		const stored = present.map(({ stored }) => stored);
		const problems = [...refusedChanges(site, stored), ...(await hostProblems(site, present))];
		if (problems.length > 0) throw file.refusal(problems);
		return { plan: planOf(site, stored, this.site), site };
	}

	/** The plan would take a server that cannot be read for one that is not there: its address, its port, its disks. */
	private refuseWhileDamaged(): void {
		const [first] = this.aside;
		if (!first) return;
		const [name, { why }] = first;
		const mend = "when that is done, restart the daemon, and apply again; nothing was changed";
		throw new BulkheadError("not-allowed-now", `${name} is not supervised: ${why}; ${mend}`);
	}

	/** Does what a plan says, or nothing when things have changed since. */
	async apply(
		text: string,
		fingerprint: string,
		confirmed: boolean,
		report: Report,
		signal: AbortSignal,
	): Promise<void> {
		await this.inTurn(async () => await this.applyNow(text, fingerprint, confirmed, report, signal));
	}

	/** Deletes a stopped server with its disks. */
	async delete(name: string): Promise<void> {
		await this.inTurn(async () => {
			const { record } = this.server(name);
			if (record.state !== "stopped" && record.state !== "failed") {
				throw new BulkheadError("not-allowed-now", `${name} is ${record.state}; stop it first`);
			}
			const { [name]: _, ...others } = this.site?.servers ?? {};
			await this.discard(this.server(name).stored);
			if (this.site) await this.saveSite({ ...this.site, servers: others });
		});
	}

	private async inTurn(work: () => Promise<void>): Promise<void> {
		const done = this.changing.then(work);
		// Whoever asked for it hears of its failure; the next one does not wait for ever.
		this.changing = done.catch(() => {});
		await done;
	}

	/** Lets go of everything without ending any session. */
	async leave(): Promise<void> {
		this.gone.abort();
		await this.checks;
		await Promise.all(this.list().map(async (unit) => await unit.supervisor.leave()));
	}

	// ---- applying

	private async applyNow(
		text: string,
		fingerprint: string,
		confirmed: boolean,
		report: Report,
		signal: AbortSignal,
	): Promise<void> {
		const { plan, site } = await this.plan(text);
		if (plan.fingerprint !== fingerprint)
			throw new BulkheadError(
				"changed-meanwhile",
				"the site has changed since this plan was made; apply it again",
			);
		if (plan.destructive && !confirmed)
			throw new BulkheadError("needs-confirmation", "this plan destroys disks; it was not confirmed");
		// Servers move one by one: until then both the old segments and the new ones are there.
		await this.openSandbox({ ...site, segments: { ...this.site?.segments, ...site.segments } });
		try {
			for (const change of plan.changes) await this.carryOut(change, site, report, signal);
		} catch (error) {
			// The next daemon would not know of the sandbox of a site that never came to be.
			if (!this.site) await this.dropSandbox();
			throw error;
		}
		await this.openSandbox(site);
		await this.saveSite(site);
		if (this.units.size === 0) await this.closeSandbox(site);
		this.context.history.append({
			at: Date.now(),
			server: null,
			session: null,
			kind: "site",
			text: `Site ${site.name} applied`,
		});
		report({ type: "finished", text: `site ${site.name} is applied` });
	}

	private async carryOut(change: Change, site: Site, report: Report, signal: AbortSignal): Promise<void> {
		signal.throwIfAborted();
		const definition = site.servers?.[change.server];
		if (change.kind === "delete") await this.deleteNow(change.server, report);
		else if (change.kind === "create" && definition)
			await this.create(site, change.server, definition, report, signal);
		else if (change.kind === "change" && definition)
			await this.change(site, change.server, definition, report);
	}

	private async create(
		site: Site,
		name: string,
		definition: ServerDefinition,
		report: Report,
		signal: AbortSignal,
	): Promise<void> {
		const subject = `server ${name}`;
		const onStep = (text: string, fraction: number | null) =>
			report({ type: "step", subject, text, fraction });
		const before = this.site;
		const used = this.list().map(({ stored }) => stored.installed.index);
		const index =
			Array.from({ length: used.length + 1 }, (_, i) => i + 1).find((i) => !used.includes(i)) ?? 1;
		const wanted = {
			name,
			site: site.name,
			subnet: subnetOf(definition, site),
			definition,
			index,
			uid: firstUidOf(this.context.paths.state) + index * 2,
			uuid: randomUUID(),
		};
		const stored = await createServer(wanted, this.context, onStep, signal);
		try {
			// Written before the first start: whatever happens from here on, the next daemon knows this server.
			const segments = { ...this.site?.segments, ...site.segments };
			await this.saveSite({ ...site, segments, servers: { ...this.site?.servers, [name]: definition } });
			onStep("opening its front door", 0.95);
			const unit = await this.supervise(stored);
			await unit.door.open();
			if ((definition.start ?? "automatic") === "automatic") await unit.supervisor.command({ do: "start" });
			report({ type: "done", subject });
		} catch (error) {
			await this.discard(stored);
			await this.saveSite(before ?? { ...site, servers: {} });
			throw error;
		}
	}

	private async change(
		site: Site,
		name: string,
		definition: ServerDefinition,
		report: Report,
	): Promise<void> {
		const subject = `server ${name}`;
		report({ type: "step", subject, text: "changing its definition", fraction: null });
		const unit = this.server(name);
		const before = unit.stored;
		const stored = { ...before, definition, subnet: subnetOf(definition, site) };
		const gone = disksOnlyIn(before, stored);
		const refuseInUse = () => {
			if (gone.length > 0 && isInUse(unit)) throw disksInUse(name, gone);
		};
		refuseInUse();
		{
			await using undo = new AsyncDisposableStack();
			await this.addDisks(disksOnlyIn(stored, before), stored, undo);
			undo.defer(async () => await this.changeBack(unit, before));
			await this.permit([...this.storedBut(unit), stored]);
			await unit.change(stored);
			// A session that begins from here on has the new disks; one that began since the plan has the old ones.
			refuseInUse();
			await this.context.servers.save(stored).catch((error) => {
				throw diskFullOr(error, this.context.paths.server(name).folder);
			});
			undo.move();
		}
		refuseInUse();
		for (const disk of gone) await rm(this.context.paths.server(name).disk(disk.name), { force: true });
		report({ type: "done", subject });
	}

	private async addDisks(
		disks: readonly Disk[],
		stored: StoredServer,
		undo: AsyncDisposableStack,
	): Promise<void> {
		for (const { name, size } of disks) {
			await createDisk(stored, name, size, this.context);
			const path = this.context.paths.server(stored.name).disk(name);
			undo.defer(async () => await rm(path, { force: true }));
		}
	}

	/** The old definition still holds; what cannot be brought back at once, such as a port, comes back by itself. */
	private async changeBack(unit: ServerUnit, before: StoredServer): Promise<void> {
		const { log } = this.context;
		await unit.change(before).catch(async (error) => {
			log.error({ err: error, server: before.name }, "its front door cannot be opened again yet");
			await unit.door.openWhenPossible();
		});
		await this.permit([...this.storedBut(unit), before]).catch((error) =>
			log.error({ err: error }, "the firewall could not be set back"),
		);
	}

	private storedBut(unit: ServerUnit): StoredServer[] {
		return this.list()
			.filter((other) => other !== unit)
			.map(({ stored }) => stored);
	}

	private async deleteNow(name: string, report: Report): Promise<void> {
		const subject = `server ${name}`;
		const unit = this.server(name);
		report({ type: "step", subject, text: "stopping and deleting it", fraction: null });
		const isDown = () => ["stopped", "failed"].includes(unit.record.state);
		if (!isDown()) {
			await unit.supervisor.command({ do: "stop", deadlineMs: 30_000 }).catch((error) => {
				// One that was stopping at this very moment is down by now, and so refuses to be stopped.
				if (!isDown()) throw error;
			});
		}
		await untilStopped(unit);
		await this.discard(unit.stored);
		report({ type: "done", subject });
	}

	/** Removes all that belongs to a server; its disks too. */
	private async discard(stored: StoredServer): Promise<void> {
		const { paths } = this.context;
		const unit = this.units.get(stored.name);
		this.units.delete(stored.name);
		await unit?.supervisor.leave();
		unit?.close();
		await (unit?.door.close() ?? FrontDoor.endIn(paths.door(stored.name)));
		await this.groups.removeOf(stored.name);
		await this.sandbox?.removePorts(tapsOf(stored));
		await this.permit(this.list().map(({ stored }) => stored));
		for (const path of [paths.server(stored.name).folder, paths.door(stored.name)])
			await rm(path, { recursive: true, force: true });
		if (this.units.size === 0 && this.aside.size === 0) await this.groups.removeEmpty();
	}

	// ---- the parts

	private async supervise(stored: StoredServer): Promise<ServerUnit> {
		if (!this.sandbox) throw new Error("there is no sandbox");
		await this.permit([...this.list().map(({ stored }) => stored), stored]);
		const unit = await ServerUnit.open(stored, this.context, this.sandbox);
		this.units.set(stored.name, unit);
		return unit;
	}

	private async permit(servers: readonly StoredServer[]): Promise<void> {
		if (this.sandboxKept) return;
		const aside = [...this.aside.values()].flatMap(({ stored }) => stored ?? []);
		const allowed = [...servers, ...aside].flatMap((server) => {
			const address = server.definition.network?.address;
			return address
				? completeServicesOf(server).map(({ port }) => ({ uid: doorUid(server), address, port }))
				: [];
		});
		await this.sandbox?.permit(allowed);
	}

	private async openSandbox(site: Site): Promise<void> {
		// Only a site without servers can get another name.
		if (this.sandbox && this.sandbox.site !== site.name) await this.dropSandbox();
		this.sandbox ??= new Sandbox(namespaceOf(this.context.paths, site.name), site.name);
		await this.sandbox.ensure(
			Object.entries(site.segments ?? {}).map(([name, { subnet }]) => ({ name, subnet })),
		);
	}

	private async closeSandbox(site: Site): Promise<void> {
		if (this.aside.size === 0) await this.groups.removeEmpty();
		await this.dropSandbox();
		if (Object.keys(site.segments ?? {}).length > 0) await this.openSandbox(site);
	}

	private async dropSandbox(): Promise<void> {
		await this.sandbox?.destroy();
		this.sandbox = undefined;
	}

	private async saveSite(site: Site): Promise<void> {
		await writeFileAtomic(this.context.paths.site, `${JSON.stringify(site, null, 2)}\n`);
		this.site = site;
	}

	/** Servers that were being made when the daemon ended. A folder of any other kind is left alone. */
	private async removeHalfMade(stored: readonly StoredServer[]): Promise<void> {
		const { paths, log } = this.context;
		for (const name of await this.context.servers.names()) {
			if (stored.some((server) => server.name === name) || this.aside.has(name)) continue;
			const { folder, unfinished } = paths.server(name);
			if ((await readIfThere(unfinished)) !== undefined) await rm(folder, { recursive: true, force: true });
			else if ((await listIfThere(folder)).length === 0) await rmdir(folder);
			else log.warn({ folder }, "this folder holds no server.yaml; it is left alone");
		}
	}

	/** One look after the other: a look may have to open a front door, which takes its time. */
	private async watchDoors(): Promise<void> {
		const { signal } = this.gone;
		while (!signal.aborted) {
			await this.checkDoors();
			if (isShortOfMemory()) for (const unit of this.list()) unit.supervisor.giveBackMemory();
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

type Disk = NonNullable<ServerDefinition["data"]>[number];

/** A session runs, may run, or is about to: its disks and its address are taken. */
function isInUse({ record: { state, planned, session } }: ServerUnit): boolean {
	return !["stopped", "failed"].includes(state) || planned !== null || session !== null;
}

function disksOnlyIn(one: StoredServer, other: StoredServer): Disk[] {
	const names = (other.definition.data ?? []).map(({ name }) => name);
	return (one.definition.data ?? []).filter(({ name }) => !names.includes(name));
}

function disksInUse(server: string, disks: readonly Disk[]): BulkheadError {
	const names = disks.map(({ name }) => name).join(", ");
	const mend = `stop it and apply again: bulkhead stop ${server}`;
	return new BulkheadError(
		"not-allowed-now",
		`data disk ${names} of ${server} is in use, and was not removed; ${mend}`,
	);
}

async function untilStopped(unit: ServerUnit): Promise<void> {
	for (let waited = 0; !["stopped", "failed"].includes(unit.record.state); waited += 50) {
		if (waited > 60_000)
			throw new BulkheadError("guest-did-not-answer", `${unit.stored.name} did not stop within a minute`);
		await delay(50);
	}
}
