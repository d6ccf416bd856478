/** @returns numbers from 0 up to 1; the same seed gives the same (mulberry32) */
export function randomFrom(seed: number): () => number {
	let state = seed;
	return () => {
		state = (state + 0x6d2b79f5) | 0;
		let t = Math.imul(state ^ (state >>> 15), 1 | state);
		t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
		return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
	};
}

/** @returns the same values in another order (each place as likely as any other) */
export function shuffled<T>(values: readonly T[], random: () => number): T[] {
	const result: T[] = [];
	for (const value of values) {
		const at = Math.floor(random() * (result.length + 1));
		result.splice(at, 0, value);
	}
	return result;
}
