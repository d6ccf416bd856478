import { type Logger, pino } from "pino";

export type { Logger } from "pino";

/** What is not taken is kept up to here, then dropped. */
const bufferBytes = 4 * 2 ** 20;

/** The daemon's log: JSON lines on standard error, as journald and every log shipper take them. */
export function createLog(level: string): Logger {
	const destination = pino.destination({ dest: 2, sync: false, maxLength: bufferBytes });
	// A log that nobody takes, or that cannot be written, must not end the daemon: what matters is in the history, too.
	destination.on("error", () => {});
	return pino({ level, base: null }, destination);
}
