/**
 * Milliseconds of the host's monotonic clock, with a fraction. Every process of the host reads the same value, so moments
 * that the load generator noted can be compared with those of the bench.
 */
export function hostNow(): number {
	return Number(process.hrtime.bigint()) / 1e6;
}

/** A moment that was told as milliseconds since the Unix epoch, on the clock of `hostNow`. */
export function fromEpoch(epochMs: number): number {
	return hostNow() - (Date.now() - epochMs);
}
