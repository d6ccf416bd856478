import type { Event } from "../api/event.ts";
import { clean, type Line, styled } from "./terminal.ts";
import { formatTimeMs } from "./time.ts";
import { pad } from "./width.ts";

/** An event as a line of a log, in columns that stand still while more events come. */
export function eventLine(event: Event): Line {
	const session = event.session === null ? "" : `#${event.session}`;
	const subject = event.server === null ? "" : clean(event.server) + session;
	return [
		styled(formatTimeMs(event.at), "dim"),
		"  ",
		styled(pad(subject, 14), "bold"),
		"  ",
		styled(pad(event.kind, 11), "cyan"),
		"  ",
		event.text,
	];
}
