import { BulkheadError } from "../api/errors.ts";
import { type Progress, progressView } from "../api/plan.ts";
import { checked, type Exchange, errorCode } from "./transport.ts";

/** A line of progress is a sentence; a buffer that grows beyond this is not ours. */
const longestLine = 2 ** 20;

/** What a long task says while it goes on. */
export type Ongoing = Extract<Progress, { type: "step" | "done" }>;

/**
 * Reads the lines of a long task until it says how it ended.
 * @returns the text of its last line
 * @throws BulkheadError when the task failed, or when the stream ends before the task does
 */
export async function readProgress(
	chunks: AsyncIterable<Buffer>,
	exchange: Exchange,
	onProgress: (progress: Ongoing) => void,
): Promise<string> {
	for await (const line of linesOf(chunks)) {
		const progress = checked(progressView, parseLine(line), exchange);
		if (progress.type === "finished") return progress.text;
		if (progress.type === "failed") {
			throw new BulkheadError(errorCode(progress.error.code), progress.error.message);
		}
		onProgress(progress);
	}
	const message =
		"the daemon ended before the task did; see `bulkhead list` for how far it came, and apply again";
	throw new BulkheadError("internal", message);
}

async function* linesOf(chunks: AsyncIterable<Buffer>): AsyncGenerator<string> {
	const decoder = new TextDecoder();
	let rest = "";
	for await (const chunk of chunks) {
		const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
		rest = lines.pop() ?? "";
		if (rest.length > longestLine) throw new BulkheadError("internal", "a line of progress does not end");
		yield* lines.filter((line) => line.trim() !== "");
	}
	if (rest.trim() !== "") yield rest;
}

function parseLine(line: string): unknown {
	try {
		return JSON.parse(line);
	} catch (error) {
		throw new BulkheadError("internal", "the daemon sent a line of progress that is not JSON", {
			cause: error,
		});
	}
}
