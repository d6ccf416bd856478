import { createHash } from "node:crypto";
import { inside } from "./namespace.ts";

/**
 * A table of nftables that is made once and then lives on: its sets change, its counters go on counting. Its comment says
 * which text it was made from, so that a daemon whose rules are others makes it anew, and no other does.
 */
export interface Table {
	family: "inet" | "bridge";
	/** `bulkhead` when left out. */
	name?: string;
	/** What stands inside: counters, empty sets, chains. One statement a line. */
	body: readonly string[];
}

const nameOf = ({ name = "bulkhead" }: Table) => name;

/** The lines that make a table for `nft -f -`, in the place of one that is there. */
export function anew(table: Table): string[] {
	return [
		// The first line makes sure that there is a table to delete.
		`table ${table.family} ${nameOf(table)}`,
		`delete table ${table.family} ${nameOf(table)}`,
		`table ${table.family} ${nameOf(table)} {`,
		`\tcomment "${markOf(table)}"`,
		...table.body.map((line) => `\t${line}`),
		"}",
	];
}

/** @returns whether there is no such table, one of another text, or this one. @throws CommandError */
export async function stateOf(namespace: string, table: Table): Promise<"none" | "other" | "same"> {
	const tables = await inside(namespace, ["nft", "list", "tables"]);
	if (!tables.split("\n").includes(`table ${table.family} ${nameOf(table)}`)) return "none";
	const text = await inside(namespace, ["nft", "-t", "list", "table", table.family, nameOf(table)]);
	return text.includes(`\tcomment "${markOf(table)}"\n`) ? "same" : "other";
}

/** Runs lines of nft in one transaction: all of them or none. @throws CommandError */
export async function transact(namespace: string, lines: readonly string[]): Promise<void> {
	await inside(namespace, ["nft", "-f", "-"], `${lines.join("\n")}\n`);
}

function markOf({ family, body }: Table): string {
	const digest = createHash("sha256")
		.update([family, ...body].join("\n"))
		.digest("hex");
	return `rules ${digest.slice(0, 16)}`;
}

/** A base chain. @param lines its rules; those of comments for the reader of the code are not among them */
export function chain(name: string, type: string, lines: readonly string[]): string[] {
	return [`chain ${name} {`, `\t${type}`, ...lines.map((line) => `\t${line}`), "}"];
}
