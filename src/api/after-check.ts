import { named } from "./named.ts";
import type { Problem } from "./problem.ts";
import type { Site } from "./site.ts";
import { nearest } from "./strict.ts";

type Servers = Readonly<Record<string, { after?: readonly string[] | undefined }>>;

/** What is wrong with the order that a site's servers say of themselves (`after:`). */
export function afterProblems({ servers = {} }: Site): Problem[] {
	return Object.keys(servers).flatMap((name) =>
		afterOf(servers, name).flatMap((other, i, all) => {
			const message = problemOf(servers, name, other, all.indexOf(other) < i);
			return message === undefined ? [] : [{ path: ["servers", name, "after", i], message }];
		}),
	);
}

function problemOf(servers: Servers, name: string, other: string, again: boolean): string | undefined {
	if (other === name) return "a server cannot come after itself; leave this out";
	if (again) return `${other} is named twice; leave one out`;
	if (!Object.hasOwn(servers, other)) {
		const near = nearest(other, Object.keys(servers));
		return `there is no server ${other}; ${near ? `did you mean "${near}"?` : "name a server of this site"}`;
	}
	const back = shortestWay(servers, other, name);
	// A circle is told once, where the first of its servers stands.
	if (!back || firstOf(servers, back) !== name) return undefined;
	return `nobody could begin: ${[name, ...back].join(" -> ")}; leave one of these out`;
}

/** @returns the servers on the shortest way by `after:`, both ends among them; undefined when there is none */
function shortestWay(servers: Servers, from: string, to: string): string[] | undefined {
	/** From where each was reached first; a map is gone through with what is added meanwhile. */
	const reachedFrom = new Map<string, string | undefined>([[from, undefined]]);
	for (const [last] of reachedFrom) {
		if (last === to) return wayTo(last, reachedFrom);
		for (const next of afterOf(servers, last)) if (!reachedFrom.has(next)) reachedFrom.set(next, last);
	}
	return undefined;
}

function wayTo(end: string, reachedFrom: ReadonlyMap<string, string | undefined>): string[] {
	const way: string[] = [];
	for (let at: string | undefined = end; at !== undefined; at = reachedFrom.get(at)) way.unshift(at);
	return way;
}

function firstOf(servers: Servers, some: readonly string[]): string | undefined {
	return Object.keys(servers).find((name) => some.includes(name));
}

/** In the order in which they can be started: each after all that it comes after, and else as they stand in the file. */
export function inStartOrder(servers: Servers): string[] {
	const order = new Set<string>();
	const begun = new Set<string>();
	const add = (name: string) => {
		if (begun.has(name) || !Object.hasOwn(servers, name)) return;
		begun.add(name);
		for (const other of afterOf(servers, name)) add(other);
		order.add(name);
	};
	for (const name of Object.keys(servers)) add(name);
	return [...order];
}

function afterOf(servers: Servers, name: string): readonly string[] {
	return named(servers, name)?.after ?? [];
}
