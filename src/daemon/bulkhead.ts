import { randomUUID } from "node:crypto";
import { rm } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { BulkheadError } from "../api/errors.ts";
import type { Change, Plan, Progress } from "../api/plan.ts";
import type { ServerDefinition, Site } from "../api/site.ts";
import { ControlGroup, listGroups } from "../host/cgroup.ts";
import { listIfThere, readIfThere, writeFileAtomic } from "../host/files.ts";
import { FrontDoor } from "../network/front-door/process.ts";
import { Sandbox } from "../network/sandbox.ts";
import type { StoredServer } from "../store/servers.ts";
import { type Context, groupRoot, namespaceOf } from "./context.ts";
import { hostProblems } from "./host-checks.ts";
import { planOf, refusedChanges, subnetOf } from "./plan.ts";
import { createDisk, createServer } from "./provision.ts";
import { completeServicesOf, doorUid, firstUidOf } from "./resolve.ts";
import { ServerUnit } from "./server-unit.ts";
import { readSiteFile } from "./site-file.ts";

type Report = (progress: Progress) => void;

/** Everything that one daemon runs: the site, its sandbox and its servers. */
export class Bulkhead {
	private readonly context: Context;
	private readonly units = new Map<string, ServerUnit>();
	private sandbox: Sandbox | undefined;
	private site: Site | undefined;
	/** One change of the site at a time. */
	private changing: Promise<unknown> = Promise.resolve();
	private readonly checks: NodeJS.Timeout;

	constructor(context: Context) {
		this.context = context;
		this.checks = setInterval(() => void this.checkDoors(), 1000);
	}

	get siteName(): string | null {
		return this.site?.name ?? null;
	}

	/** Brings what is on the host to what was asked for: adopts what runs, starts what should run, removes what should not be there. */
	async reconcile(): Promise<void> {
		const text = await readIfThere(this.context.paths.site);
		if (text !== undefined) this.site = readSiteFile(text).site;
		const stored = await this.context.servers.list();
		await this.removeHalfMade(stored);
		await this.removeStrays(stored);
		if (!this.site) return;
		await this.openSandbox(this.site);
		// One server's trouble with its port keeps neither it nor the others from running.
		for (const server of stored) await (await this.supervise(server)).door.openWhenPossible();
	}

	list(): ServerUnit[] {
		return [...this.units.values()].sort((a, b) => a.stored.name.localeCompare(b.stored.name));
	}

	/** @throws BulkheadError not-found */
	server(name: string): ServerUnit {
		const unit = this.units.get(name);
		if (unit) return unit;
		throw new BulkheadError(
			"not-found",
			`there is no server ${name.slice(0, 40)}; \`bulkhead list\` shows all`,
		);
	}

	/** Checks a site file and says what applying it would do. @throws BulkheadError with all problems */
	async plan(text: string): Promise<{ plan: Plan; site: Site }> {
		const file = readSiteFile(text);
		const { site } = file;
		const present = this.list().map(({ stored, record }) => ({ stored, inUse: record.session !== null }));
		const stored = present.map(({ stored }) => stored);
		const problems = [...refusedChanges(site, stored), ...(await hostProblems(site, present))];
		if (problems.length > 0) throw file.refusal(problems);
		return { plan: planOf(site, stored), site };
	}

	/** Does what a plan says, or nothing when things have changed since. */
	async apply(
		text: string,
		fingerprint: string,
		confirmed: boolean,
		report: Report,
		signal: AbortSignal,
	): Promise<void> {
		const work = this.changing.then(
			async () => await this.applyNow(text, fingerprint, confirmed, report, signal),
		);
		this.changing = work.catch(() => {});
		await work;
	}

	/** Deletes a stopped server with its disks. */
	async delete(name: string): Promise<void> {
		const work = this.changing.then(async () => {
			const { record } = this.server(name);
			if (record.state !== "stopped" && record.state !== "failed") {
				throw new BulkheadError("not-allowed-now", `${name} is ${record.state}; stop it first`);
			}
			const { [name]: _, ...others } = this.site?.servers ?? {};
			await this.discard(this.server(name).stored);
			if (this.site) await this.saveSite({ ...this.site, servers: others });
		});
		this.changing = work.catch(() => {});
		await work;
	}

	/** Lets go of everything without ending any session. */
	async leave(): Promise<void> {
		clearInterval(this.checks);
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
		const before = unit.stored.definition.data ?? [];
		const stored = { ...unit.stored, definition, subnet: subnetOf(definition, site) };
		for (const disk of definition.data ?? []) {
			if (!before.some((old) => old.name === disk.name))
				await createDisk(stored, disk.name, disk.size, this.context);
		}
		await this.context.servers.save(stored);
		await this.permit([
			...this.list()
				.filter((other) => other !== unit)
				.map(({ stored }) => stored),
			stored,
		]);
		await unit.change(stored);
		const gone = before.filter((old) => !(definition.data ?? []).some((disk) => disk.name === old.name));
		for (const disk of gone) await rm(this.context.paths.server(name).disk(disk.name), { force: true });
		report({ type: "done", subject });
	}

	private async deleteNow(name: string, report: Report): Promise<void> {
		const subject = `server ${name}`;
		const unit = this.server(name);
		report({ type: "step", subject, text: "stopping and deleting it", fraction: null });
		if (!["stopped", "failed"].includes(unit.record.state))
			await unit.supervisor.command({ do: "stop", deadlineMs: 30_000 });
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
		await (unit?.door.close() ?? FrontDoor.endIn(paths.door(stored.name)));
		await this.removeGroups(stored.name);
		await this.sandbox?.removePort({ tap: `tap${stored.installed.index}` });
		await this.permit(this.list().map(({ stored }) => stored));
		for (const path of [paths.server(stored.name).folder, paths.door(stored.name)])
			await rm(path, { recursive: true, force: true });
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
		const allowed = servers.flatMap((server) => {
			const address = server.definition.network?.address;
			return address
				? completeServicesOf(server).map(({ port }) => ({ uid: doorUid(server), address, port }))
				: [];
		});
		await this.sandbox?.permit(allowed);
	}

	private async openSandbox(site: Site): Promise<void> {
		this.sandbox ??= new Sandbox(namespaceOf(this.context.paths, site.name), site.name);
		await this.sandbox.ensure(
			Object.entries(site.segments ?? {}).map(([name, { subnet }]) => ({ name, subnet })),
		);
	}

	private async closeSandbox(site: Site): Promise<void> {
		await this.dropSandbox();
		if (Object.keys(site.segments ?? {}).length > 0) await this.openSandbox(site);
		else await ControlGroup.at(groupRoot(this.context.paths), this.context.groups).destroy();
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
		for (const name of await listIfThere(paths.servers)) {
			if (stored.some((server) => server.name === name)) continue;
			const { folder, unfinished } = paths.server(name);
			if ((await readIfThere(unfinished)) !== undefined) await rm(folder, { recursive: true, force: true });
			else log.warn({ folder }, "this folder holds no server.yaml; it is left alone");
		}
	}

	/** Control groups whose server is gone: whatever runs in them is not ours any more. */
	private async removeStrays(stored: readonly StoredServer[]): Promise<void> {
		const { paths, groups } = this.context;
		for (const name of await listGroups(groupRoot(paths), groups)) {
			const server = name.replace(/^door-/, "").replace(/-\d+$/, "");
			const known = stored.some(({ name: own }) => own === server || `door-${own}` === name);
			if (!known) await ControlGroup.at(`${groupRoot(paths)}/${name}`, groups).destroy();
		}
	}

	private async removeGroups(server: string): Promise<void> {
		const { paths, groups } = this.context;
		const own = new RegExp(`^${server}-\\d+$`);
		for (const name of await listGroups(groupRoot(paths), groups)) {
			if (own.test(name)) await ControlGroup.at(`${groupRoot(paths)}/${name}`, groups).destroy();
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

async function untilStopped(unit: ServerUnit): Promise<void> {
	for (let waited = 0; !["stopped", "failed"].includes(unit.record.state); waited += 50) {
		if (waited > 60_000)
			throw new BulkheadError("guest-did-not-answer", `${unit.stored.name} did not stop within a minute`);
		await delay(50);
	}
}
