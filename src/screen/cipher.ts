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

/**
 * @param sentences of twenty letters or more: shorter ones fit by accident, unless most of their letters are known
 * @param known letters that were learned before
 */
export function learn(
	cells: Cells,
	sentences: readonly string[],
	known: ReadonlyMap<string, string> = new Map(),
): Learned {
	const letters = new Map(known);
	const glyphs = new Map([...known].map(([key, letter]) => [letter, key]));
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
