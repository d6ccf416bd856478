import type { ServerDefinition } from "../api/site.ts";
import type { StoredServer } from "../store/servers.ts";

/** Parts of a server's definition that take effect at once, as no session has anything of them. */
export const atOnce = ["publish", "allow", "outbound", "after", "sleep", "start", "agent"] as const;

/** What a session has of its server's definition, to see later whether it is still the same. */
export function definitionMark({ recovery, ...definition }: ServerDefinition): string {
	return markOf({ ...definition, ...(recovery?.mode === "warm" ? { recovery: "warm" } : {}) });
}

/** @param mark of a running session; one of an earlier version holds parts that take effect at once, too */
export function isOutdated(mark: string, definition: ServerDefinition): boolean {
	return bare(mark) !== definitionMark(definition);
}

/**
 * What a session that stands by was made from, to see later whether it may still take over. Without what concerns its network
 * and its turn alone, which no session has anything of; with the pages that it was asked before it stood by.
 */
export function standbyMark({ definition, ...installed }: StoredServer): string {
	const {
		publish = [],
		allow: _,
		outbound: __,
		after: ___,
		sleep: ____,
		start: _____,
		...parts
	} = definition;
	const asked = publish.flatMap(({ service, rehearse = [] }) =>
		rehearse.length > 0 ? [[service, rehearse]] : [],
	);
	return JSON.stringify([installed, parts, asked]);
}

function bare(mark: string): string {
	try {
		return markOf(JSON.parse(mark));
	} catch {
		return mark;
	}
}

function markOf(parts: object): string {
	const without: readonly string[] = ["template", ...atOnce];
	return JSON.stringify(Object.fromEntries(Object.entries(parts).filter(([key]) => !without.includes(key))));
}
