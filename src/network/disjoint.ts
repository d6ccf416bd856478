import type { Path } from "./plan.ts";

/**
 * The same as some paths, none of which overlaps another: the kernel's sets of ranges take no two that do. Where one begins or
 * ends the others are cut, so that what goes by each can still be told. Pure.
 */
export function disjoint(paths: readonly Path[]): Path[] {
	const byEnds = Map.groupBy(paths, ({ from, to, protocol }) => `${from} ${to} ${protocol}`);
	return [...byEnds.values()].flatMap(cut);
}

function cut(paths: readonly Path[]): Path[] {
	const begins = paths.flatMap(({ port, last = port }) => [port, last + 1]);
	const sorted = [...new Set(begins)].sort((one, other) => one - other);
	return sorted.flatMap((port, i) => {
		const last = (sorted[i + 1] ?? port) - 1;
		const whole = paths.find((path) => path.port <= port && last <= (path.last ?? path.port));
		if (!whole || last < port) return [];
		return [{ ...whole, port, last }];
	});
}
