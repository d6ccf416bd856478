/** @returns the middle value of a list that is not empty, or the mean of the two in the middle */
export function median(values: readonly number[]): number {
	const sorted = [...values].sort((a, b) => a - b);
	const half = sorted.length / 2;
	const [below, above] = [sorted[Math.ceil(half) - 1], sorted[Math.floor(half)]];
	return ((below ?? Number.NaN) + (above ?? Number.NaN)) / 2;
}
