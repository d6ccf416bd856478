import {
	type Document,
	isAlias,
	isCollection,
	isMap,
	isPair,
	isScalar,
	LineCounter,
	type Node,
	parseDocument,
	type YAMLParseError,
} from "yaml";
import { BulkheadError, explain, type ProblemView } from "../api/errors.ts";
import type { Problem } from "../api/problem.ts";
import type { Site } from "../api/site.ts";
import { checkSite } from "../api/site-check.ts";

/** Nobody mends more at once, and each is a line on a terminal. */
const mostShown = 50;
const mostAliases = 1000;

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
	// With either of the two it would take time that grows with the square of the text.
	const document = parseDocument(text, { lineCounter: lines, uniqueKeys: false, prettyErrors: false });
	const slips = [...document.errors.map(slipOf), ...repeatedKeys(document.contents)];
	if (slips.length > 0) {
		slips.sort((one, other) => one.offset - other.offset);
		throw refusal(slips, ({ message, offset }) => ({ field: "", message, ...place(lines, offset) }));
	}
	const at = (problem: Problem) => located(problem, document.contents, lines);
	const { site, problems } = checkSite(plain(document));
	if (!site) throw refusal(problems, at);
	return {
		site,
		refusal: (problems) => {
			const ports = problems.every(({ code }) => code === "port-in-use");
			return refusal(problems, at, ports ? "port-in-use" : "bad-input");
		},
	};
}

/** What is wrong with the text itself, and where it begins. */
interface Slip {
	message: string;
	offset: number;
}

function slipOf({ message, pos }: YAMLParseError): Slip {
	return { message: `this is not valid YAML: ${message.split("\n")[0]}`, offset: pos[0] };
}

/** Names that are there a second time in their block. */
function repeatedKeys(root: unknown): Slip[] {
	const message = "this name is there twice in one block; rename or remove one of the two";
	const found: Slip[] = [];
	for (const node of nodesIn(root)) {
		if (!isMap(node)) continue;
		const seen = new Set<string>();
		for (const { key } of node.items) {
			if (!isScalar(key)) continue;
			const name = String(key.value);
			if (seen.has(name)) found.push({ message, offset: key.range?.[0] ?? 0 });
			seen.add(name);
		}
	}
	return found;
}

/** Without recursion: they may be nested as deep as a text is long. */
function* nodesIn(root: unknown): Generator<unknown> {
	const open = [root];
	for (let node = open.pop(); node !== undefined; node = open.pop()) {
		yield node;
		if (isPair(node)) open.push(node.key ?? null, node.value ?? null);
		else if (isCollection(node)) for (const item of node.items) open.push(item);
	}
}

/** Aliases can be nested into a text of gigabytes ("billion laughs"), and each is looked for among all; a site file needs few. */
function plain(document: Document): unknown {
	try {
		const aliases = [...nodesIn(document.contents)].filter(isAlias).length;
		if (aliases > mostAliases) throw new RangeError(`there are ${aliases}, and the most are ${mostAliases}`);
		return document.toJS({ maxAliasCount: 50 });
	} catch (error) {
		const message = `its aliases (*name) cannot be followed: ${explain(error)}`;
		throw refusal([message], (message) => ({ field: "", message }));
	}
}

/** @param view of a problem that is shown: to find its place takes its time */
function refusal<T>(
	found: readonly T[],
	view: (one: T) => ProblemView,
	code: "bad-input" | "port-in-use" = "bad-input",
): BulkheadError {
	const problems = found.slice(0, mostShown).map(view);
	const count = found.length === 1 ? "one problem" : `${found.length} problems`;
	const rest = found.length > mostShown ? `, of which the first ${mostShown} are told` : "";
	return new BulkheadError(code, `the site file has ${count}${rest}; nothing was changed`, { problems });
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
