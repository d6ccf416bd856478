import { z } from "zod";

/** Error codes and the HTTP status that each is answered with. */
export const statusOf = {
	"bad-input": 400,
	"not-found": 404,
	"not-allowed-now": 409,
	"already-running": 409,
	"port-in-use": 409,
	"changed-meanwhile": 409,
	"needs-confirmation": 409,
	"host-lacks": 412,
	"disk-full": 507,
	"template-failed": 500,
	"guest-did-not-answer": 504,
	internal: 500,
} as const;
export type ErrorCode = keyof typeof statusOf;

export const problemView = z.object({
	/** The field, such as `servers.dc1.memory`; empty for the whole. */
	field: z.string(),
	message: z.string(),
	/** Place in the file, counted from 1. */
	line: z.int().optional(),
	column: z.int().optional(),
});
export type ProblemView = z.infer<typeof problemView>;

export const errorView = z.object({
	error: z.object({
		code: z.enum(Object.keys(statusOf) as [ErrorCode, ...ErrorCode[]]),
		message: z.string(),
		problems: z.array(problemView).optional(),
	}),
});

/** What a user is told when something cannot be done: what was wrong, and what to do. */
export class BulkheadError extends Error {
	override readonly name = "BulkheadError";
	readonly code: ErrorCode;
	readonly problems: readonly ProblemView[];
	constructor(code: ErrorCode, message: string, options: { cause?: unknown; problems?: ProblemView[] } = {}) {
		super(message, { cause: options.cause });
		this.code = code;
		this.problems = options.problems ?? [];
	}
}

/** The words of any error, with those of its causes. */
export function explain(error: unknown): string {
	if (!(error instanceof Error)) return String(error);
	const cause = error.cause === undefined ? "" : `: ${explain(error.cause)}`;
	return `${error.message}${cause}`;
}
