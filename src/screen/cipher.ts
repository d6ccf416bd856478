import type { Cell, Cells } from "./text-screen.ts";

/**
 * Reads letters of a font that nobody has measured. A sentence that is known to stand on some screens is looked for as one
 * solves a cryptogram: equal letters must be drawn alike, different ones differently, and blanks be where the sentence has
 * them. Where it fits, each of its letters is learned.
 */
export interface Learned {
	/** Letters by their glyph's pixels. */
	readonly letters: Map<string, string>;
	/** The sentences that were found. */
	readonly found: string[];
}

/** @param sentences of twenty letters or more: shorter ones fit by accident */
export function learn(cells: Cells, sentences: readonly string[]): Learned {
	const letters = new Map<string, string>();
	const glyphs = new Map<string, string>();
	const found: string[] = [];
	for (const sentence of sentences) {
		const fits = find(cells, sentence, letters, glyphs);
		if (!fits) continue;
		found.push(sentence);
		for (const [key, letter] of fits) {
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
): Map<string, string> | undefined {
	for (let row = 0; row < cells.rows; row++) {
		for (let column = 0; column + sentence.length <= cells.columns; column++) {
			const start = row * cells.columns + column;
			const before = column > 0 ? cells.cells[start - 1] : undefined;
			if (before && before.key !== "") continue;
			const fits = fit(cells.cells, start, sentence, letters, glyphs);
			if (fits) return fits;
		}
	}
	return undefined;
}

function fit(
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
		if (key === undefined || (key === "") !== (letter === " ")) return undefined;
		if (key === "") continue;
		const known = here.get(key) ?? letters.get(key);
		const drawn = taken.get(letter) ?? glyphs.get(letter);
		if ((known !== undefined && known !== letter) || (drawn !== undefined && drawn !== key)) return undefined;
		here.set(key, letter);
		taken.set(letter, key);
	}
	return here;
}

/**
 * Letters for glyphs that no sentence had, by their likeness with those of a known font, at most one pixel aside. A glyph
 * that is like two letters stays unknown: no stop code is better than a wrong one.
 * @param font letters by pixels, of the same height
 */
export function guess(keys: Iterable<string>, font: ReadonlyMap<string, string>, taken: ReadonlySet<string>) {
	const guesses = new Map<string, string>();
	for (const key of keys) {
		const ranked = [...font]
			.filter(([, letter]) => /[\w.$-]/.test(letter) && !taken.has(letter))
			.map(([other, letter]) => ({ letter, far: distance(key, other) }))
			.toSorted((a, b) => a.far - b.far);
		const [best, next] = ranked;
		if (best && next && best.far < next.far * surely) guesses.set(key, best.letter);
	}
	return guesses;
}

/** A guess counts when the next best letter differs half as much again. */
const surely = 0.7;

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
