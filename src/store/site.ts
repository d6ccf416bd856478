import { parse } from "yaml";
import { z } from "zod";
import { BulkheadError } from "../api/errors.ts";
import type { Site } from "../api/site.ts";
import type { StoredServer } from "./servers.ts";

const segmentSchema = z.object({
	subnet: z.string(),
	subnet6: z.string().optional(),
	allow: z.literal("all").optional(),
	lan: z.string().optional(),
	gateway: z.string().optional(),
});

/**
 * The site as the daemon wrote it. It is not checked as a person's file: half-way through a change it holds what no
 * person could ask for, such as the old and the new name of one segment. What each server is stands in its server.yaml.
 */
const keptSchema = z.object({
	name: z.string(),
	segments: z.record(z.string(), segmentSchema).optional(),
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
	// Whether all of a segment reach each other is not known from its servers: then they do not.
	const own = stored.flatMap(({ definition, subnet, subnet6, lan }) => {
		if (!definition.network || subnet === null) return [];
		const six = subnet6 === null ? {} : { subnet6 };
		const onLan = lan === null ? {} : { lan: lan.interface, gateway: lan.gateway };
		return [[definition.network.segment, { subnet, ...six, ...onLan }] as const];
	});
	return {
		name,
		segments: { ...Object.fromEntries(own), ...kept?.segments },
		servers: Object.fromEntries(stored.map(({ name, definition }) => [name, definition])),
	};
}
