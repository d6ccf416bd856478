import { Document } from "yaml";
import { BulkheadError } from "../api/errors.ts";
import type { PublishingView } from "../api/publish.ts";
import type { PublishedView } from "../api/server.ts";
import type { PublishDefinition, ServerDefinition, Site } from "../api/site.ts";
import { checkSite } from "../api/site-check.ts";
import type { StoredServer } from "../store/servers.ts";
import type { Context } from "./context.ts";
import type { CurrentSite } from "./current-site.ts";
import { hostProblems } from "./host-checks.ts";
import { publishedOf } from "./published.ts";
import { isInUse, type ServerChanges } from "./server-changes.ts";
import type { ServerUnit } from "./server-unit.ts";
import type { SiteProblem } from "./site-file.ts";
import type { Units } from "./units.ts";

/** What is wrong with a changed site and was not before: others may go on naming a server that was deleted by hand. Pure. */
export function addedProblems(before: Site, site: Site): SiteProblem[] {
	const known = new Set(checkSite(before).problems.map((problem) => JSON.stringify(problem)));
	return checkSite(site).problems.filter((problem) => !known.has(JSON.stringify(problem)));
}

/** Which published service is meant; without a port, the one that there is. */
export interface Unwanted {
	service: string;
	listen?: number | undefined;
}

/**
 * Lets single services out and takes them back while everything runs. The site that the daemon keeps changes with it;
 * the file of whoever applies it next does not, which is why each answer says what has to stand there.
 */
export class Publishing {
	private readonly context: Context;
	private readonly current: CurrentSite;
	private readonly units: Units;
	private readonly changes: ServerChanges;

	constructor(context: Context, current: CurrentSite, units: Units, changes: ServerChanges) {
		this.context = context;
		this.current = current;
		this.units = units;
		this.changes = changes;
	}

	/** @throws BulkheadError bad-input with all problems, port-in-use, not-found, not-allowed-now; nothing has changed then */
	async publish(name: string, wanted: PublishDefinition): Promise<PublishingView> {
		const { stored } = this.units.server(name);
		const publish = [...(stored.definition.publish ?? []), wanted];
		const changed = await this.change(name, publish, `${name} cannot publish ${wanted.service} so`);
		const published = viewAt(changed, publish.length - 1);
		const everybody = published.listen === null ? "everybody on the LAN" : "everybody who reaches this host";
		const whom = published.to === "host" ? "this host" : everybody;
		this.tell(name, `${wordsOf(published)} is published for ${whom}`);
		return viewOf(name, published, wanted);
	}

	/** @throws BulkheadError not-found, bad-input, not-allowed-now; nothing has changed then */
	async unpublish(name: string, unwanted: Unwanted): Promise<PublishingView> {
		const { stored } = this.units.server(name);
		const index = indexOf(stored, unwanted);
		const published = viewAt(stored, index);
		const publish = stored.definition.publish ?? [];
		const [gone] = publish.slice(index, index + 1);
		if (!gone) throw new BulkheadError("internal", `publish[${index}] of ${name} is not there`);
		await this.change(
			name,
			publish.toSpliced(index, 1),
			`${unwanted.service} of ${name} has to stay published`,
		);
		this.tell(name, `${wordsOf(published)} is published no more`);
		return viewOf(name, published, gone);
	}

	/** @param refusal what a refusal begins with. @returns the server as it is kept now */
	private async change(name: string, publish: PublishDefinition[], refusal: string): Promise<StoredServer> {
		this.units.refuseWhileDamaged();
		const { site } = this.current;
		const unit = this.units.server(name);
		if (!site) throw new BulkheadError("not-allowed-now", `there is no site yet; apply one that has ${name}`);
		const { publish: _, ...others } = unit.stored.definition;
		// A site file without it is the same to the next plan.
		const definition: ServerDefinition = publish.length > 0 ? { ...others, publish } : others;
		const next: Site = { ...site, servers: { ...site.servers, [name]: definition } };
		await this.check(site, next, name, refusal);
		await this.changes.change(next, name, definition, () => {});
		return unit.stored;
	}

	/** The same checks as of a site file, as far as this server is concerned. */
	private async check(before: Site, site: Site, name: string, refusal: string): Promise<void> {
		const present = this.units
			.list()
			.map((unit: ServerUnit) => ({ stored: unit.stored, inUse: isInUse(unit) }));
		const isOurs = ({ path }: SiteProblem) => path[0] === "servers" && path[1] === name;
		const found: SiteProblem[] = addedProblems(before, site).filter(isOurs);
		if (found.length === 0) found.push(...(await hostProblems(site, present)).filter(isOurs));
		if (found.length === 0) return;
		const problems = found.map(({ path, message }) => ({ field: path.slice(2).join("."), message }));
		const code = found.every((problem) => problem.code === "port-in-use") ? "port-in-use" : "bad-input";
		throw new BulkheadError(code, `${refusal}; nothing was changed`, { problems });
	}

	private tell(server: string, text: string): void {
		this.context.history.append({ at: Date.now(), server, session: null, kind: "front-door", text });
	}
}

/** @returns the place of the one that is meant among those that the definition publishes */
export function indexOf(stored: StoredServer, { service, listen }: Unwanted): number {
	const all = publishedOf(stored);
	const fits = (each: PublishedView) => each.service === service && (listen ?? each.listen) === each.listen;
	const [first, second] = all.filter(fits);
	if (!first) {
		const there = all.map(wordsOf).join(", ") || "nothing";
		const what = `${service}${listen === undefined ? "" : ` on port ${listen} of this host`}`;
		throw new BulkheadError("not-found", `${stored.name} does not publish ${what}; it publishes ${there}`);
	}
	if (second) {
		const ports = all.filter(fits).map((each) => `${wordsOf(each)} (${each.ports.join(", ")})`);
		const door = first.listen ?? second.listen;
		const mend =
			door === null ? "take one out of the site file, and apply that" : `say which: --listen ${door}`;
		const message = `${stored.name} publishes ${ports.join(" and ")}; ${mend}`;
		throw new BulkheadError("bad-input", message);
	}
	return all.indexOf(first);
}

/** Published services are complete in a server that is there: the lists have the same order and length. */
function viewAt(stored: StoredServer, index: number): PublishedView {
	const view = publishedOf(stored)[index];
	if (!view) throw new BulkheadError("internal", `publish[${index}] of ${stored.name} is not complete`);
	return view;
}

function wordsOf({ service, listen }: PublishedView): string {
	return listen === null ? `${service} at its own address` : `${service} on port ${listen} of this host`;
}

function viewOf(server: string, published: PublishedView, definition: PublishDefinition): PublishingView {
	const document = new Document([definition], { flow: true });
	const line = `- ${document
		.toString({ lineWidth: 0, flowCollectionPadding: true })
		.trim()
		.replace(/^\[ ?| ?\]$/g, "")}`;
	return { server, published, siteFile: { under: `servers.${server}.publish`, line } };
}
