import {
	type Document,
	isCollection,
	isMap,
	isPair,
	isScalar,
	LineCounter,
	type Node,
	parseDocument,
} from "yaml";
import { BulkheadError, explain, type ProblemView } from "../api/errors.ts";
import type { Problem } from "../api/problem.ts";
import type { Site } from "../api/site.ts";
import { checkSite } from "../api/site-check.ts";

/** A problem that only the host, or what is there already, shows. */
export interface SiteProblem extends Problem {
	/** `bad-input` when left out. */
	code?: "port-in-use";
}

export interface SiteFile {
	site: Site;
	/** The error that tells of problems at their places in the file. */
	refusal(problems: readonly SiteProblem[]): BulkheadError;
}

/**
 * Reads a site file.
 * @throws BulkheadError bad-input with every problem: field, what is wrong and what to do, line and column
 */
export function readSiteFile(text: string): SiteFile {
	const lines = new LineCounter();
	const document = parseDocument(text, { lineCounter: lines, uniqueKeys: true });
	if (document.errors.length > 0) {
		throw refusal(
			document.errors.map((error) => ({
				field: "",
				message: yamlMessage(error.code, error.message),
				...place(lines, error.pos[0]),
			})),
		);
	}
	const at = (problem: Problem) => located(problem, document.contents, lines);
	const { site, problems } = checkSite(plain(document));
	if (!site) throw refusal(problems.map(at));
	return {
		site,
		refusal: (problems) => {
			const ports = problems.every(({ code }) => code === "port-in-use");
			return refusal(problems.map(at), ports ? "port-in-use" : "bad-input");
		},
	};
}

/** Aliases can be nested into a text of gigabytes ("billion laughs"); a site file needs few. */
function plain(document: Document): unknown {
	try {
		return document.toJS({ maxAliasCount: 50 });
	} catch (error) {
		throw refusal([{ field: "", message: `its aliases (*name) cannot be followed: ${explain(error)}` }]);
	}
}

function refusal(problems: ProblemView[], code: "bad-input" | "port-in-use" = "bad-input"): BulkheadError {
	const count = problems.length === 1 ? "one problem" : `${problems.length} problems`;
	return new BulkheadError(code, `the site file has ${count}; nothing was changed`, { problems });
}

function yamlMessage(code: string, message: string): string {
	const first = message.split("\n")[0]?.replace(/ at line \d+, column \d+:?$/, "") ?? message;
	if (code === "DUPLICATE_KEY")
		return "this name is there twice in one block; rename or remove one of the two";
	return `this is not valid YAML: ${first}`;
}

function located(problem: Problem, root: Node | null, lines: LineCounter): ProblemView {
	const field = problem.path
		.map((part, i) => (typeof part === "number" ? `[${part}]` : i === 0 ? part : `.${part}`))
		.join("");
	const offset = offsetOf(root, problem.path);
	return { field, message: problem.message, ...(offset === undefined ? {} : place(lines, offset)) };
}

function place(lines: LineCounter, offset: number): { line: number; column: number } {
	const { line, col } = lines.linePos(offset);
	return { line, column: col };
}

/** @returns where the key (or list item) begins that is deepest along the path */
function offsetOf(root: Node | null, path: Problem["path"]): number | undefined {
	let node: unknown = root;
	let offset: number | undefined;
	for (const part of path) {
		if (!isCollection(node)) return offset;
		const next: unknown = isMap(node)
			? node.items.find(
					(item) => isPair(item) && isScalar(item.key) && String(item.key.value) === String(part),
				)
			: node.items[Number(part)];
		const key: unknown = isPair(next) ? next.key : next;
		offset = (key as Node | undefined)?.range?.[0] ?? offset;
		node = isPair(next) ? next.value : next;
	}
	return offset;
}
