import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { leftInDomain } from "../api/domain.ts";
import { BulkheadError } from "../api/errors.ts";
import type { Progress } from "../api/plan.ts";
import type { ServerDefinition, Site } from "../api/site.ts";
import { awaitsDomain, filledOf, type StoredServer } from "../store/servers.ts";
import { meanwhile } from "./between.ts";
import type { Context } from "./context.ts";
import type { CurrentSite } from "./current-site.ts";
import { beginDiskChanges, endDiskChanges, finishDiskChanges } from "./disk-changes.ts";
import { saveTogether } from "./domains.ts";
import { withoutController } from "./found-domains.ts";
import { runningProblems } from "./host-checks.ts";
import { together } from "./parts/door/together.ts";
import { subnetsOf } from "./plan.ts";
import { createDisk, createServer, diskFullOr } from "./provision.ts";
import { firstUidOf } from "./resolve.ts";
import type { ServerUnit } from "./server-unit.ts";
import type { Units } from "./units.ts";

export type Report = (progress: Progress) => void;

/** Makes, changes and deletes one server. What fails in the middle is undone. */
export class ServerChanges {
	private readonly context: Context;
	private readonly current: CurrentSite;
	private readonly units: Units;

	constructor(context: Context, current: CurrentSite, units: Units) {
		this.context = context;
		this.current = current;
		this.units = units;
	}

	async create(
		site: Site,
		name: string,
		definition: ServerDefinition,
		report: Report,
		signal: AbortSignal,
	): Promise<void> {
		const subject = `server ${name}`;
		const onStep = (text: string, fraction: number | null) =>
			report({ type: "step", subject, text, fraction });
		const before = this.current.site;
		const index = await this.freeIndex();
		const wanted = {
			name,
			site: site.name,
			...subnetsOf(definition, site),
			definition,
			index,
			uid: firstUidOf(this.context.paths.state) + index * 2,
			uuid: randomUUID(),
		};
		const stored = await createServer(wanted, this.context, onStep, signal);
		await using undo = new AsyncDisposableStack();
		try {
			// Written before the first start: whatever happens from here on, the next daemon knows this server.
			await this.current.save(siteWith(before, site, name));
			onStep("opening its front door", 0.95);
			const unit = await this.units.supervise(stored);
			await this.units.makeWay(stored, undo);
			await unit.door.open();
			await begin(unit, this.context);
			undo.move();
			report({ type: "done", subject });
		} catch (error) {
			await this.units.discard(stored);
			await this.saveBack(before);
			throw error;
		}
	}

	private async saveBack(before: Site | undefined): Promise<void> {
		await (before ? this.current.save(before) : this.current.forget());
	}

	/** Users, ports and taps go by it: it is nobody's of whom anything may be left. */
	private async freeIndex(): Promise<number> {
		const supervised = this.units.stored().map(({ installed }) => installed.index);
		const used = [...new Set([...supervised, ...(await this.context.servers.usedIndexes())])];
		return Array.from({ length: used.length + 1 }, (_, i) => i + 1).find((i) => !used.includes(i)) ?? 1;
	}

	async change(
		site: Site,
		name: string,
		definition: ServerDefinition,
		report: Report,
		signal?: AbortSignal,
	): Promise<void> {
		const subject = `server ${name}`;
		report({ type: "step", subject, text: "changing its definition", fraction: null });
		const unit = this.units.server(name);
		const before = unit.stored;
		const changed = { ...before, definition, ...subnetsOf(definition, site) };
		const added = disksOnlyIn(changed, before);
		const gone = disksOnlyIn(before, changed);
		const left = before.filled.filter((disk) => !gone.some(({ name }) => name === disk));
		const stored = { ...changed, filled: [...left, ...filledOf(added)] };
		const refuseInUse = () => {
			if (!isInUse(unit)) return;
			if (gone.length > 0) throw disksInUse(name, gone);
			const [problem] = runningProblems(site, definition, before);
			if (problem)
				throw new BulkheadError(
					"not-allowed-now",
					`${name}: ${problem.message}, and apply again; nothing of it was changed`,
				);
		};
		refuseInUse();
		if (gone.length + added.length > 0) await this.clearTheWay(unit, added);
		const paths = this.context.paths.server(name);
		// A file that is there already was not made by this change, whatever it is.
		const fresh = added.filter((disk) => !existsSync(paths.disk(disk.name)));
		const touched = [...fresh, ...gone].map((disk) => disk.name);
		await beginDiskChanges(before, touched, this.context);
		await using end = new AsyncDisposableStack();
		end.defer(async () => await endDiskChanges(stored, touched, this.context));
		{
			await using undo = new AsyncDisposableStack();
			await this.addDisks(added, stored, undo, report, signal);
			await this.units.makeWay(stored, undo);
			undo.defer(async () => await this.changeBack(unit, before));
			await this.units.permit([...this.units.stored(unit), stored]);
			// One that began since the plan has the old disks and the old address. Whatever begins from here on has the new ones: nobody
			// has the disks that go.
			refuseInUse();
			await unit.change(stored);
			// Before the server is: where that one lies, its segment has to be, whatever becomes of others that are changed.
			const { site: known } = this.current;
			undo.defer(async () => await this.saveBack(known));
			await this.current.save(siteWith(known, site, name));
			await this.context.servers.save(stored).catch((error) => {
				throw diskFullOr(error, this.context.paths.server(name).folder);
			});
			undo.move();
		}
		// What cannot be removed now stays written down, and goes later.
		end.move();
		for (const disk of gone) await rm(paths.disk(disk.name), { force: true });
		await endDiskChanges(stored, touched, this.context);
		report({ type: "done", subject });
	}

	/** What a change left behind that was broken off would keep a disk of its name from being made. */
	private async clearTheWay(unit: ServerUnit, added: readonly Disk[]): Promise<void> {
		unit.refuseWhileExported();
		const left = await finishDiskChanges(unit.stored, isInUse(unit), this.context);
		const { disk } = this.context.paths.server(unit.stored.name);
		const inTheWay = added.filter(({ name }) => left.includes(name) && existsSync(disk(name)));
		if (inTheWay.length > 0) throw disksLeft(unit.stored.name, inTheWay);
	}

	private async addDisks(
		disks: readonly Disk[],
		stored: StoredServer,
		undo: AsyncDisposableStack,
		report: Report,
		signal?: AbortSignal,
	): Promise<void> {
		for (const disk of disks) {
			const text = `copying data disk ${disk.name}`;
			const onCopied = (fraction: number) =>
				report({ type: "step", subject: `server ${stored.name}`, text, fraction });
			await createDisk(stored, disk, this.context, { ...(signal ? { signal } : {}), onCopied });
			const path = this.context.paths.server(stored.name).disk(disk.name);
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
		await this.units
			.permit([...this.units.stored(unit), before])
			.catch((error) => log.error({ err: error }, "the firewall could not be set back"));
	}

	/** Stops a server and deletes it with its disks. @param left what is told to stay elsewhere of it */
	async delete(name: string, report: Report, left: string | null = null): Promise<void> {
		const subject = `server ${name}`;
		const unit = this.units.server(name);
		refuseDeleting(unit);
		report({ type: "step", subject, text: "stopping and deleting it", fraction: null });
		if (!isDown(unit)) {
			await unit.command({ do: "stop", deadlineMs: 30_000 }).catch((error) => {
				// One that was stopping at this very moment is down by now, and so refuses to be stopped.
				if (!isDown(unit)) throw error;
			});
		}
		await untilStopped(unit);
		await this.discard(unit, left);
		report({ type: "done", subject });
	}

	/** Deletes a stopped server with its disks. @throws BulkheadError not-allowed-now, not-found */
	async deleteStopped(name: string): Promise<void> {
		const unit = this.units.server(name);
		unit.refuseWhileExported();
		if (!isDown(unit))
			throw new BulkheadError("not-allowed-now", `${name} is ${unit.record.state}; stop it first`);
		await this.discard(unit, leftInDomain(unit.stored, this.units.stored()));
	}

	private async discard({ stored }: ServerUnit, left: string | null): Promise<void> {
		await this.units.discard(stored);
		const { site } = this.current;
		const { [stored.name]: _, ...others } = site?.servers ?? {};
		if (site) await this.current.save({ ...site, servers: others });
		if (!stored.domain) return;
		// It is gone all the same, and nothing yields to one that is not there.
		await this.forgetController(stored).catch((error: unknown) =>
			this.context.log.error({ err: error }, `${stored.name} is still kept as a controller of its domain`),
		);
		if (left === null) return;
		const said = { server: null, session: null, kind: "site", text: left } as const;
		this.context.history.append({ at: Date.now(), ...said });
	}

	/** The others of its domain are controllers without it. */
	private async forgetController(gone: StoredServer): Promise<void> {
		const all = this.units.stored();
		const changed = withoutController(gone, all);
		if (changed.length === 0) return;
		const before = all.filter(({ name }) => changed.some((one) => one.name === name));
		await saveTogether(before, changed, this.context);
		await together(changed.map(async (stored) => await this.units.server(stored.name).change(stored)));
		await this.units.permit(this.units.stored());
	}
}

/** The site that is there when this server has become what it is in another, and the rest not yet. */
function siteWith(before: Site | undefined, site: Site, name: string): Site {
	const { [name]: definition } = site.servers ?? {};
	const servers = { ...before?.servers, ...(definition ? { [name]: definition } : {}) };
	return { ...site, segments: meanwhile(before?.segments, site.segments), servers };
}

/** Starts a server that was just made, where it starts by itself. @returns whether it was started */
export async function begin(unit: ServerUnit, { paths }: Context): Promise<boolean> {
	const { stored, record } = unit;
	const isNew = record.state === "stopped" && record.nextSession === 1;
	const starts = isNew && !awaitsDomain(stored) && (stored.definition.start ?? "automatic") === "automatic";
	if (starts) await unit.command({ do: "start", inTurn: true });
	await rm(paths.server(stored.name).unstarted, { force: true });
	return starts;
}

type Disk = NonNullable<ServerDefinition["data"]>[number];

function isDown({ record: { state } }: ServerUnit): boolean {
	return state === "stopped" || state === "failed";
}

/** A session runs, may run, or is about to: its disks and its address are taken. */
export function isInUse(unit: ServerUnit): boolean {
	const { planned, session } = unit.record;
	return !isDown(unit) || planned !== null || session !== null;
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

function disksLeft(server: string, disks: readonly Disk[]): BulkheadError {
	const names = disks.map(({ name }) => name).join(", ");
	const mend = `stop it and apply again: bulkhead stop ${server}`;
	return new BulkheadError(
		"not-allowed-now",
		`data disk ${names} of ${server} is left from a change that was broken off, and a session may have it; ${mend}`,
	);
}

/** @throws BulkheadError not-allowed-now, when a server cannot be stopped and deleted within a minute */
export function refuseDeleting(unit: ServerUnit): void {
	unit.refuseWhileExported();
	if (!isDown(unit) && unit.supervisor.installsUpdates) throw installsUpdates(unit);
}

function installsUpdates({ stored: { name } }: ServerUnit): BulkheadError {
	return new BulkheadError(
		"not-allowed-now",
		`${name} installs updates, is not switched off meanwhile, and was not deleted: apply again when it has stopped, or pull its plug first: bulkhead stop ${name} --force`,
	);
}

async function untilStopped(unit: ServerUnit): Promise<void> {
	for (let waited = 0; !isDown(unit); waited += 50) {
		// It may take them an hour; it goes on stopping meanwhile.
		if (unit.supervisor.installsUpdates) throw installsUpdates(unit);
		if (waited > 60_000)
			throw new BulkheadError("guest-did-not-answer", `${unit.stored.name} did not stop within a minute`);
		await delay(50);
	}
}
