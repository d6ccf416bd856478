import { BulkheadError } from "../api/errors.ts";
import { named } from "../api/named.ts";
import type { Change, Plan } from "../api/plan.ts";
import type { Site } from "../api/site.ts";
import { meanwhile } from "./between.ts";
import type { Context } from "./context.ts";
import type { CurrentSite } from "./current-site.ts";
import { hostProblems } from "./host-checks.ts";
import { imageProblems } from "./image-disks.ts";
import { planOf, refusedChanges } from "./plan.ts";
import { isInUse, type Report, refuseDeleting, type ServerChanges } from "./server-changes.ts";
import { readSiteFile } from "./site-file.ts";
import type { SiteSandbox } from "./site-sandbox.ts";
import type { Units } from "./units.ts";

/** Says what applying a site file would do, and does it. */
export class Applying {
	private readonly context: Context;
	private readonly current: CurrentSite;
	private readonly sandbox: SiteSandbox;
	private readonly units: Units;
	private readonly changes: ServerChanges;

	constructor(
		context: Context,
		current: CurrentSite,
		sandbox: SiteSandbox,
		units: Units,
		changes: ServerChanges,
	) {
		this.context = context;
		this.current = current;
		this.sandbox = sandbox;
		this.units = units;
		this.changes = changes;
	}

	/** Checks a site file and says what applying it would do. @throws BulkheadError with all problems */
	async plan(text: string, signal: AbortSignal): Promise<{ plan: Plan; site: Site }> {
		const file = readSiteFile(text);
		const { site } = file;
		this.units.refuseWhileDamaged();
		const present = this.units.list().map((unit) => ({ stored: unit.stored, inUse: isInUse(unit) }));
		const stored = present.map(({ stored }) => stored);
		const problems = [
			...refusedChanges(site, stored),
			...(await hostProblems(site, present)),
			...(await imageProblems(site, stored, this.context, signal)),
		];
		if (problems.length > 0) throw file.refusal(problems);
		return { plan: planOf(site, stored, this.current.site), site };
	}

	/** Does what a plan says, or nothing when things have changed since. */
	async apply(
		text: string,
		fingerprint: string,
		confirmed: boolean,
		report: Report,
		signal: AbortSignal,
	): Promise<void> {
		const { plan, site } = await this.plan(text, signal);
		if (plan.fingerprint !== fingerprint)
			throw new BulkheadError(
				"changed-meanwhile",
				"the site has changed since this plan was made; apply it again",
			);
		if (plan.destructive && !confirmed)
			throw new BulkheadError("needs-confirmation", "this plan destroys disks; it was not confirmed");
		// Before anything changes.
		for (const { kind, server } of plan.changes)
			if (kind === "delete") refuseDeleting(this.units.server(server));
		// Servers move one by one: until then both the old segments and the new ones are there.
		try {
			await this.sandbox.open({ ...site, segments: meanwhile(this.current.site?.segments, site.segments) });
			for (const change of plan.changes) await this.carryOut(change, site, report, signal);
		} catch (error) {
			await this.bringBack();
			throw error;
		}
		await this.sandbox.open(site);
		await this.current.save(site);
		if (this.units.count === 0) await this.closeEmptySandbox(site);
		this.context.history.append({
			at: Date.now(),
			server: null,
			session: null,
			kind: "site",
			text: `Site ${site.name} applied`,
		});
		report({ type: "finished", text: `site ${site.name} is applied` });
	}

	/** The sandbox of the site that is there; none of a site that never came to be. */
	private async bringBack(): Promise<void> {
		const { site } = this.current;
		await (site ? this.sandbox.open(site) : this.sandbox.drop()).catch((error) =>
			this.context.log.error({ err: error }, "the sandbox could not be brought back to what it was"),
		);
	}

	private async carryOut(change: Change, site: Site, report: Report, signal: AbortSignal): Promise<void> {
		signal.throwIfAborted();
		const definition = named(site.servers, change.server);
		if (change.kind === "delete") await this.changes.delete(change.server, report, change.left);
		else if (change.kind === "create" && definition)
			await this.changes.create(site, change.server, definition, report, signal);
		else if (change.kind === "change" && definition)
			await this.changes.change(site, change.server, definition, report, signal);
	}

	private async closeEmptySandbox(site: Site): Promise<void> {
		await this.units.removeEmptyGroups();
		await this.sandbox.drop();
		if (Object.keys(site.segments ?? {}).length > 0) await this.sandbox.open(site);
	}
}
