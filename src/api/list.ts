import { z } from "zod";

/**
 * A list of at most `most` entries.
 * @param what they are and an example, as in `services such as [{ service: http, to: host }]`
 */
export function list<T extends z.ZodType>(entry: T, what: string, most: number) {
	return z.array(entry, { error: `must be a list of ${what}` }).max(most, {
		error: ({ input }) =>
			`has ${(input as unknown[]).length} entries, and the most are ${most}; leave some out`,
	});
}
