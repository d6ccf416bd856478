import { BulkheadError, explain } from "../../../api/errors.ts";

/**
 * Waits until all have ended, also when one has failed: nothing is left under way.
 * @throws the error of the one that failed; BulkheadError with the words of all when there are several
 */
export async function together<T>(work: readonly Promise<T>[]): Promise<T[]> {
	const ends = await Promise.allSettled(work);
	const errors = ends.flatMap((end): unknown[] => (end.status === "rejected" ? [end.reason] : []));
	const [first] = errors;
	if (errors.length === 1) throw first;
	if (errors.length > 1) {
		const code = first instanceof BulkheadError ? first.code : "internal";
		throw new BulkheadError(code, [...new Set(errors.map(explain))].join("; "), { cause: first });
	}
	return ends.flatMap((end) => (end.status === "fulfilled" ? [end.value] : []));
}
