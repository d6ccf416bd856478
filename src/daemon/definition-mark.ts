import type { ServerDefinition } from "../api/site.ts";
import type { StoredServer } from "../store/servers.ts";

/** Parts of a server's definition that a session is neither made of nor made ready by. */
const besideSessions = ["publish", "allow", "outbound", "after", "sleep", "start"] as const;
/** Parts of a server's definition that take effect at once, as no session has anything of them. */
export const atOnce = [...besideSessions, "agent"] as const;

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
	const asked = (definition.publish ?? []).map(({ service, rehearse = [] }) => ({ service, rehearse }));
	return JSON.stringify([
		installed,
		without(besideSessions, definition),
		asked.filter(({ rehearse }) => rehearse.length > 0),
	]);
}

function bare(mark: string): string {
	try {
		return markOf(JSON.parse(mark));
	} catch {
		return mark;
	}
}

function markOf(parts: object): string {
	return JSON.stringify(without(["template", ...atOnce], parts));
}

function without(names: readonly string[], parts: object): Record<string, unknown> {
	return Object.fromEntries(Object.entries(parts).filter(([key]) => !names.includes(key)));
}
