import { setTimeout as delay } from "node:timers/promises";
import { BulkheadError } from "../api/errors.ts";
import { type Event, eventView } from "../api/event.ts";
import { streams } from "../api/routes.ts";
import { EventStreamParser } from "./event-stream.ts";
import { checked, DaemonUnreachable, type Exchange, readChunks, send } from "./transport.ts";

export interface FollowOptions {
	/** How long a daemon that was there may be away before that is an error, in milliseconds (60 s). */
	patienceMs?: number;
	/** Wait between two attempts to reach it again, in milliseconds (250 ms). */
	pauseMs?: number;
}

/**
 * Everything that happens after event `after`, until the signal aborts (which ends it without an error).
 * When the daemon is replaced, it goes on with the next one where the last one stopped: nothing is missed or seen twice.
 * @param after number of the last event that is already known; undefined for those from now on
 * @throws BulkheadError when the daemon is not there at the beginning, or stays away for longer than `patienceMs`
 */
export async function* followEvents(
	socket: string,
	after: number | undefined,
	signal: AbortSignal,
	options: FollowOptions = {},
): AsyncGenerator<Event> {
	const { patienceMs = 60_000, pauseMs = 250 } = options;
	let last = after;
	let connected = false;
	let awaySince: number | undefined;
	while (!signal.aborted) {
		try {
			for await (const event of connection(socket, last, connected, signal)) {
				connected = true;
				awaySince = undefined;
				if (event === "open" || (last !== undefined && event.id <= last)) continue;
				last = event.id;
				yield event;
			}
		} catch (error) {
			if (signal.aborted) return;
			awaySince ??= performance.now();
			const mayReturn = error instanceof DaemonUnreachable && error.why !== "forbidden";
			if (!connected || !mayReturn || performance.now() - awaySince > patienceMs) throw error;
		}
		await delay(pauseMs, undefined, { signal }).catch(() => {});
	}
}

/** One connection's events, with `open` as the first when the daemon has answered. */
async function* connection(
	socket: string,
	last: number | undefined,
	again: boolean,
	signal: AbortSignal,
): AsyncGenerator<Event | "open"> {
	const headers: Record<string, string> = { accept: "text/event-stream" };
	if (again && last !== undefined) headers["last-event-id"] = String(last);
	const query = last === undefined ? "" : `?after=${last}`;
	const exchange: Exchange = { method: "GET", path: streams.events + query, headers, signal };
	const response = await send(socket, exchange);
	yield "open";
	const parser = new EventStreamParser(last === undefined ? "" : String(last));
	const decoder = new TextDecoder();
	for await (const chunk of readChunks(response, exchange)) {
		for (const message of parser.push(decoder.decode(chunk, { stream: true }))) {
			yield checked(eventView, parseData(message.data), exchange);
		}
	}
}

function parseData(data: string): unknown {
	try {
		return JSON.parse(data);
	} catch (error) {
		throw new BulkheadError("internal", "the daemon sent an event that is not JSON", { cause: error });
	}
}
