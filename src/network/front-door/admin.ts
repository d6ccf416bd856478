import { createConnection } from "node:net";
import { withDeadline } from "../../host/clock.ts";

/** Bytes of an answer; 4,000 sessions shown in full are about 7 MB. What comes from a confined process is bounded. */
const mostBytes = 32 * 1024 * 1024;

/**
 * Sends one command to HAProxy's stats socket and reads the answer to its end.
 * @throws DeadlineError after `deadlineMs` milliseconds, Error when there is no socket or the answer is too long
 */
export async function askAdmin(socket: string, command: string, deadlineMs: number): Promise<string> {
	return await withDeadline(`the front door's answer to "${command}"`, deadlineMs, async (signal) => {
		// Aborting destroys the connection, whatever it waits for.
		const connection = createConnection({ path: socket, signal });
		connection.setEncoding("utf8");
		connection.end(`${command}\n`);
		let text = "";
		for await (const chunk of connection) {
			text += chunk;
			if (text.length > mostBytes)
				throw new Error(`the answer to "${command}" is longer than ${mostBytes} bytes`);
		}
		return text;
	});
}
