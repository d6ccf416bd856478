import { BulkheadError } from "../api/errors.ts";

/** @param words what goes on from the server's name, as in "dc1 is being renewed already" */
export function refusal(server: string, words: string): BulkheadError {
	return new BulkheadError("not-allowed-now", `${server} ${words}`);
}
