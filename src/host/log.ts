import { type Logger, pino } from "pino";

export type { Logger } from "pino";

/** The daemon's log: JSON lines on standard error, as journald and every log shipper take them. */
export function createLog(level: string): Logger {
	return pino({ level, base: null }, pino.destination({ dest: 2, sync: true }));
}
