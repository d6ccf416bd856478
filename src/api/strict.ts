import { z } from "zod";

const mostTold = 5;

/** An object that takes no other keys than its own; an unknown one is answered with the nearest right one. */
export function strict<T extends z.core.$ZodLooseShape>(shape: T) {
	const known = Object.keys(shape);
	return z.strictObject(shape, {
		error: (issue) => {
			if (issue.code === "unrecognized_keys") {
				const told = issue.keys.slice(0, mostTold).map((key) => unknownKey(key, known));
				const more = issue.keys.length - told.length;
				return [...told, ...(more > 0 ? [`and ${more} more of that kind`] : [])].join("; ");
			}
			return issue.input === undefined ? "is missing" : `must be a block with the keys ${known.join(", ")}`;
		},
	});
}

function unknownKey(key: string, known: readonly string[]): string {
	const near = nearest(key, known);
	const shown = JSON.stringify(key.slice(0, 40));
	return near
		? `there is no key ${shown} here; did you mean "${near}"?`
		: `there is no key ${shown} here; known are ${known.join(", ")}`;
}

/** @returns the candidate that differs least from `word`, when it is near enough to be a slip of the hand */
export function nearest(word: string, candidates: readonly string[]): string | undefined {
	const ranked = candidates
		.map((candidate) => ({ candidate, far: distance(word.toLowerCase(), candidate.toLowerCase()) }))
		.sort((a, b) => a.far - b.far)[0];
	if (!ranked) return undefined;
	return ranked.far <= Math.max(2, Math.floor(ranked.candidate.length / 3)) ? ranked.candidate : undefined;
}

/** Levenshtein distance. */
function distance(a: string, b: string): number {
	let row = Array.from({ length: b.length + 1 }, (_, i) => i);
	for (let i = 1; i <= Math.min(a.length, 60); i++) {
		const next = [i];
		for (let j = 1; j <= b.length; j++) {
			const swap = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
			next.push(Math.min(swap, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
		}
		row = next;
	}
	return row.at(-1) ?? 0;
}
