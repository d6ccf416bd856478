import { BulkheadError, type ErrorCode, explain, type ProblemView } from "../api/errors.ts";
import { Interrupted } from "./interrupted.ts";
import { type Line, styled, type Terminal } from "./terminal.ts";

/** What was asked for is answered and printed, and is no good news: the command ends with 1 all the same. */
export class BadNews extends Error {
	override readonly name = "BadNews";
}

/** An error whose problems lie in a file that the user named. */
export class InFile extends Error {
	override readonly name = "InFile";
	readonly file: string;
	readonly error: BulkheadError;
	constructor(file: string, error: BulkheadError) {
		super(error.message, { cause: error });
		this.file = file;
		this.error = error;
	}
}

/** Shell convention for a command that ended by SIGINT. */
export const interruptedCode = 130;

/** Tells the user what went wrong. @returns the exit code */
export function reportFailure(error: unknown, terminal: Terminal, json: boolean): number {
	const known = error instanceof InFile ? error.error : error;
	// Of what is followed until Ctrl-C, and of bad news, there is a document already.
	const isTold = terminal.answered && (error instanceof Interrupted || error instanceof BadNews);
	if (!json) terminal.note(...failureLines(known, error instanceof InFile ? error.file : undefined));
	else if (!isTold) terminal.json(failureView(known));
	return error instanceof Interrupted ? interruptedCode : 1;
}

/** The error as `--json` shows it. */
export function failureView(error: unknown) {
	const problems = error instanceof BulkheadError ? error.problems : [];
	return { error: { code: codeOf(error), message: messageOf(error), problems } };
}

function codeOf(error: unknown): ErrorCode | "interrupted" {
	if (error instanceof Interrupted) return "interrupted";
	return error instanceof BulkheadError ? error.code : "internal";
}

/** One line for the error, then one for each of its problems. */
export function failureLines(error: unknown, file?: string): Line[] {
	const problems = error instanceof BulkheadError ? error.problems : [];
	return [
		[styled("bulkhead:", "red", "bold"), ` ${messageOf(error)}`],
		...problems.map((problem) => [problemText(problem, file)]),
	];
}

function messageOf(error: unknown): string {
	// A BulkheadError says in its own words what to do; the causes of others are all that there is to go by.
	return error instanceof BulkheadError ? error.message : explain(error);
}

/** `site.yaml:4:13: servers.dc1.memory: …`, as compilers and editors write it. */
function problemText({ field, message, line, column }: ProblemView, file?: string): string {
	const place = [file, line, line === undefined ? undefined : column].filter((part) => part !== undefined);
	return [...(place.length > 0 ? [place.join(":")] : []), ...(field ? [field] : []), message].join(": ");
}
