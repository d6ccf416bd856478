import { parse } from "yaml";
import { z } from "zod";
import { BulkheadError } from "../api/errors.ts";
import type { Site } from "../api/site.ts";
import type { StoredServer } from "./servers.ts";

/**
 * The site as the daemon wrote it. It is not checked as a person's file: half-way through a change it holds what no
 * person could ask for, such as the old and the new name of one segment. What each server is stands in its server.yaml.
 */
const keptSchema = z.object({
	name: z.string(),
	segments: z.record(z.string(), z.object({ subnet: z.string() })).optional(),
	servers: z.record(z.string(), z.unknown()).optional(),
});
export type KeptSite = z.infer<typeof keptSchema>;

/** @throws BulkheadError bad-input when it is damaged */
export function readKeptSite(text: string, file: string): KeptSite {
	try {
		return keptSchema.parse(parse(text));
	} catch (cause) {
		const mend = "the site is made from its servers instead; apply your site file again";
		throw new BulkheadError("bad-input", `${file} cannot be read; ${mend}`, { cause });
	}
}

/**
 * The site that is really there: the servers as they are stored, and every segment that one of them is in.
 * @param kept undefined when the file is missing or damaged: servers are supervised all the same
 */
export function siteOf(kept: KeptSite | undefined, stored: readonly StoredServer[]): Site | undefined {
	const name = kept?.name ?? stored[0]?.site;
	if (name === undefined) return undefined;
	const own = stored.flatMap(({ definition, subnet }) =>
		definition.network && subnet !== null ? [[definition.network.segment, { subnet }] as const] : [],
	);
	return {
		name,
		segments: { ...Object.fromEntries(own), ...kept?.segments },
		servers: Object.fromEntries(stored.map(({ name, definition }) => [name, definition])),
	};
}
