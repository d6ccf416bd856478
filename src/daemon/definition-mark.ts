import type { ServerDefinition } from "../api/site.ts";

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
