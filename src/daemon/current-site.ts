import { rm } from "node:fs/promises";
import { BulkheadError, explain } from "../api/errors.ts";
import type { Site } from "../api/site.ts";
import { readIfThere, writeFileAtomic } from "../host/files.ts";
import type { StoredServer } from "../store/servers.ts";
import { type KeptSite, readKeptSite, siteOf } from "../store/site.ts";
import type { Context } from "./context.ts";

/** The site that is really there, and what the next daemon will know of it. */
export class CurrentSite {
	private readonly context: Context;
	private current: Site | undefined;

	constructor(context: Context) {
		this.context = context;
	}

	get site(): Site | undefined {
		return this.current;
	}

	/** @returns what the last daemon wrote of it; undefined when that is missing or damaged */
	async load(servers: readonly StoredServer[]): Promise<KeptSite | undefined> {
		const kept = await this.kept();
		this.current = siteOf(kept, servers);
		return kept;
	}

	async save(site: Site): Promise<void> {
		await writeFileAtomic(this.context.paths.site, `${JSON.stringify(site, null, 2)}\n`);
		this.current = site;
	}

	/** There is no site: the first one never came to be. */
	async forget(): Promise<void> {
		await rm(this.context.paths.site, { force: true });
		this.current = undefined;
	}

	private async kept(): Promise<KeptSite | undefined> {
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
}
