import type { Cell, Cells } from "./text-screen.ts";

/**
 * Reads letters of a font that nobody has measured. A sentence that is known to stand on some screens is looked for as one
 * solves a cryptogram: equal letters must be drawn alike, different ones differently, and blanks be where the sentence has
 * them. Where it fits, each of its letters is learned.
 */
export interface Learned {
	/** Letters by their glyph's pixels. */
	readonly letters: Map<string, string>;
	/** The sentences that were found, and where each begins. */
	readonly found: { sentence: string; row: number; column: number }[];
}

/** Stands for any letter in a sentence, and teaches none. */
export const anyLetter = "\0";

/** @param sentences of twenty letters or more: shorter ones fit by accident */
export function learn(cells: Cells, sentences: readonly string[]): Learned {
	const letters = new Map<string, string>();
	const glyphs = new Map<string, string>();
	const found: Learned["found"] = [];
	for (const sentence of sentences) {
		const place = find(cells, sentence, letters, glyphs);
		if (!place) continue;
		found.push({ sentence, row: place.row, column: place.column });
		for (const [key, letter] of place.fits) {
			letters.set(key, letter);
			glyphs.set(letter, key);
		}
	}
	return { letters, found };
}

function find(
	cells: Cells,
	sentence: string,
	letters: ReadonlyMap<string, string>,
	glyphs: ReadonlyMap<string, string>,
): { row: number; column: number; fits: Map<string, string> } | undefined {
	for (let row = 0; row < cells.rows; row++) {
		for (let column = 0; column + sentence.length <= cells.columns; column++) {
			const start = row * cells.columns + column;
			const before = column > 0 ? cells.cells[start - 1] : undefined;
			if ((before && before.key !== "") || !hasGaps(cells.cells, start, sentence)) continue;
			const fits = fitsAt(cells.cells, start, sentence, letters, glyphs);
			if (fits) return { row, column, fits };
		}
	}
	return undefined;
}

/** Whether there is nothing where the sentence has blanks, and something where it has letters. */
function hasGaps(cells: readonly Cell[], start: number, sentence: string): boolean {
	for (let i = 0; i < sentence.length; i++) {
		const key = cells[start + i]?.key;
		if (key === undefined || (key === "") !== (sentence[i] === " ")) return false;
	}
	return true;
}

function fitsAt(
	cells: readonly Cell[],
	start: number,
	sentence: string,
	letters: ReadonlyMap<string, string>,
	glyphs: ReadonlyMap<string, string>,
): Map<string, string> | undefined {
	const here = new Map<string, string>();
	const taken = new Map<string, string>();
	for (let i = 0; i < sentence.length; i++) {
		const key = cells[start + i]?.key;
		const letter = sentence[i] as string;
		if (key === undefined || key === "" || letter === anyLetter) continue;
		const known = here.get(key) ?? letters.get(key);
		const drawn = taken.get(letter) ?? glyphs.get(letter);
		if ((known !== undefined && known !== letter) || (drawn !== undefined && drawn !== key)) return undefined;
		here.set(key, letter);
		taken.set(letter, key);
	}
	return here;
}

/**
 * Digits for glyphs that no sentence had, by their likeness with those of a font that is known. One that is like two digits, or that
 * has a rival for its digit, stays unknown: no stop code is better than a wrong one.
 * @param font letters by pixels, of the same height
 * @param digits those that no glyph has yet
 */
export function guessDigits(
	keys: readonly string[],
	font: ReadonlyMap<string, string>,
	digits: readonly string[],
): Map<string, string> {
	const drawn = [...font].filter(([, letter]) => digits.includes(letter));
	const guesses = new Map<string, string>();
	for (const key of keys) {
		const best = new Map<string, number>();
		for (const [other, letter] of drawn) {
			best.set(letter, Math.min(distance(key, other), best.get(letter) ?? Number.POSITIVE_INFINITY));
		}
		const [first, second] = [...best].toSorted(([, a], [, b]) => a - b);
		if (first && (!second || first[1] < second[1] * surely)) guesses.set(key, first[0]);
	}
	const claims = [...guesses.values()];
	for (const [key, digit] of guesses) {
		if (claims.filter((claim) => claim === digit).length > 1) guesses.delete(key);
	}
	return guesses;
}

/** A guess counts when the next best digit differs by a quarter more. */
const surely = 0.8;

/** Pixels in which two glyphs differ, where they are laid over each other best. */
function distance(a: string, b: string): number {
	let least = Number.POSITIVE_INFINITY;
	for (let down = -1; down <= 1; down++) {
		for (let right = -1; right <= 1; right++) {
			let far = 0;
			for (let y = 0; y < a.length; y++) {
				const row = b.charCodeAt(y + down) || 0;
				far += ones((a.charCodeAt(y) ^ (right < 0 ? row << 1 : row >> right)) & 255);
			}
			least = Math.min(least, far);
		}
	}
	return least;
}

function ones(bits: number): number {
	let count = 0;
	for (let rest = bits; rest; rest &= rest - 1) count++;
	return count;
}
