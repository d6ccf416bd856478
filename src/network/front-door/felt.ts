import type { Felt } from "../../api/incident.ts";
import type { Hopeless } from "./hopeless.ts";

/** Milliseconds of waiting for a connection that no user takes for an ordinary answer's share. */
const noticeableMs = 100;
/** What one retry costs, milliseconds: `timeout connect` of the configuration. */
const retryMs = 100;

/** A request (HTTP) or connection (TCP), as far as it went. */
export interface Passage {
	kind: "http" | "tcp";
	/** Milliseconds since the Unix epoch; null while it is not over. */
	end: number | null;
	start: number;
	/** Milliseconds that the user waited: to the response's first byte or the connection; to the end if there was none. */
	waited: number;
	retries: number;
	outcome: "served" | "failed" | "given-up" | "waiting";
	/** Queueing and connecting to the server, milliseconds; -1 when it did not come to that. */
	connecting: number;
	/**
	 * Address and port, as `192.0.2.7:51234` or `2001:db8::7:51234`. Undefined while it is not over, and where HAProxy does not
	 * know it: requests that are not repeated take another hop within it.
	 */
	client?: string;
}

/**
 * What users felt between two moments (milliseconds since the Unix epoch). A passage counts when it was under way
 * at any time between them; it is
 * - held: served, after it had to be tried again or waited more than 100 ms for its connection;
 * - failed: answered by HAProxy itself with an error, or cut off by the server's end;
 * - else only counted: served as usual, given up by its own client, or still waiting now.
 */
export function feltOf(passages: readonly Passage[], from: number, to: number): Felt {
	const touched = passages.filter(({ start, end }) => start <= to && (end === null || end >= from));
	return {
		requests: touched.length,
		held: touched.filter(isHeld).length,
		failed: touched.filter(({ outcome }) => outcome === "failed").length,
		longestPauseMs: touched.reduce((longest, { waited }) => Math.max(longest, waited), 0),
	};
}

function isHeld({ outcome, retries, connecting }: Passage): boolean {
	return outcome === "served" && (retries > 0 || connecting > noticeableMs);
}

/**
 * Reads `show events requests`: one line a passage that is over, in the log format of config.ts. The ring keeps
 * the last 25,000 or so; after a longer window the count is of those. Lines that are none of ours are left out.
 */
export function parseRing(text: string): Passage[] {
	const shape =
		/^(http|tcp) (\d+) (\d+) (-?\d+) (-?\d+) (-?\d+) (-?\d+) \+?(\d+) (\S\S) (?:([\da-f.:]+:\d+) )?/;
	return text.split("\n").flatMap((line) => {
		const match = shape.exec(line);
		if (!match) return [];
		const [end = 0, total = 0, queue = -1, connect = -1, response = -1, , retries = 0] = match
			.slice(2, 9)
			.map(Number);
		const kind = match[1] === "http" ? "http" : "tcp";
		const outcome = outcomeOf(match[9] ?? "");
		const connecting = connect < 0 ? -1 : Math.max(0, queue) + connect;
		const answered = connecting >= 0 && (kind === "tcp" || response >= 0);
		const waited = answered ? connecting + Math.max(0, response) : total;
		const [client] = match.slice(10);
		return [
			{ kind, end, start: end - total, waited, retries, outcome, connecting, ...(client && { client }) },
		];
	});
}

/**
 * HAProxy's termination state, section 8.5 of its configuration manual: who or what ended it, and when. `S`, `s`:
 * the server's end or silence; `P`, `R`, `I`, `D`, `U`, `K`: the proxy itself, where `PR` is a
 * client's own broken request; `C`, `c`: the client left or was silent; `L` and `-`: as it should be.
 */
function outcomeOf(state: string): Passage["outcome"] {
	const [who = "-", phase = "-"] = state;
	if ("Cc".includes(who) || (who === "P" && phase === "R")) return "given-up";
	return "SsPRIDUK".includes(who) ? "failed" : "served";
}

/**
 * Reads `show sess all`: what is not over yet and therefore not in the ring. TCP connections count in full, as
 * they may last for days after the incident. HTTP requests count while they wait for a connection.
 * @param frontends names of those whose sessions count; inner hops of HTTP are others than the outer
 */
export function parseSessions(text: string, now: number, frontends: ReadonlySet<string>): Passage[] {
	return text.split(/^(?=0x[0-9a-f]+: )/m).flatMap((block) => {
		const [, frontend = "", kind] = /^ {2}frontend=(\S+) \(id=\d+ mode=(http|tcp)\)/m.exec(block) ?? [];
		const start = parseStart(block);
		if (!frontends.has(frontend) || start === undefined) return [];
		return liveOf(block, kind === "http" ? "http" : "tcp", start, now);
	});
}

function liveOf(block: string, kind: Passage["kind"], start: number, now: number): Passage[] {
	const retries = Number(/conn_retries=(\d+)/.exec(block)?.[1] ?? 0);
	const connected = isConnected(block);
	if (kind === "http" && (connected || retries === 0)) return [];
	// How long a live connection waited is not told: each retry stands for its time.
	const connecting = connected ? retries * retryMs : -1;
	const waited = connected ? connecting : Math.max(0, now - start);
	return [{ kind, start, end: null, retries, outcome: connected ? "served" : "waiting", waited, connecting }];
}

/** Requests whose clients were cut off on purpose, see hopeless.ts. Times are milliseconds since the Unix epoch. */
export interface Dropped {
	from: number;
	to: number;
	/** The client of each, as a passage names it; a client may have had several. */
	clients: readonly string[];
	/** How many there were besides, whose passages name no client. */
	unnamed: number;
}

/** Pure. @param between when they were looked at, and when HAProxy has seen all of them gone */
export function droppedOf({ repeated, begun }: Hopeless, between: { from: number; to: number }): Dropped {
	const all = [...repeated, ...begun];
	const named = all.filter((one) => one.named);
	const clients = named.map(({ client }) => client.replace(/[[\]]/g, ""));
	return { ...between, clients, unnamed: all.length - named.length };
}

/** More than the ring has lines are of no use to anybody. */
const mostDropped = 25_000;

/** The same without those that are too old for the ring; oldest first. Pure. */
export function remembered(dropped: readonly Dropped[]): Dropped[] {
	let room = mostDropped;
	const old = dropped.findLastIndex(({ clients, unnamed }) => {
		room -= clients.length + unnamed;
		return room < 0;
	});
	return dropped.slice(old + 1);
}

/**
 * To HAProxy it looks as if those clients had left, or as if a response without a length had come to its end; it is
 * the server that failed them. Where it saw the server's end first it says so itself.
 */
export function blameServer(passages: readonly Passage[], dropped: readonly Dropped[]): Passage[] {
	const blamed = new Set(dropped.flatMap((one) => blamedFor(passages, one)));
	return passages.map((passage) => (blamed.has(passage) ? { ...passage, outcome: "failed" } : passage));
}

function blamedFor(passages: readonly Passage[], { from, to, clients, unnamed }: Dropped): Passage[] {
	const ended = passages.filter(
		({ kind, end }) => kind === "http" && end !== null && end >= from && end <= to,
	);
	const byClient = Map.groupBy(ended, ({ client }) => client);
	const known = [...Map.groupBy(clients, (client) => client)].flatMap(([client, own]) =>
		blamedOf(byClient.get(client) ?? [], own.length),
	);
	// Of the others nobody knows who they were: who seems to have left comes before who seems to have been served.
	const unknown = byClient.get(undefined) ?? [];
	const suspects = ["given-up", "served"].flatMap((outcome) =>
		unknown.filter((passage) => passage.outcome === outcome),
	);
	return [...known, ...suspects.slice(0, unnamed)];
}

/**
 * All that a client had under way ended with its connection; of what seems to have been served the last, as far as that is
 * needed: a connection may have served others right before. @param count how many of its requests could not be saved
 */
function blamedOf(passages: readonly Passage[], count: number): Passage[] {
	const served = passages.filter(({ outcome }) => outcome === "served");
	const missing = Math.max(0, count - (passages.length - served.length));
	return [
		...passages.filter(({ outcome }) => outcome === "given-up"),
		...served.slice(Math.max(0, served.length - missing)),
	];
}

function isConnected(block: string): boolean {
	return /^ {2}scb=\S+ .*state=EST/m.test(block);
}

const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** `0x…: [22/Nov/2026:09:25:03.759901] id=…`, in UTC because HAProxy runs with TZ=UTC. */
function parseStart(block: string): number | undefined {
	const match = /^0x[0-9a-f]+: \[(\d+)\/(\w{3})\/(\d{4}):(\d\d):(\d\d):(\d\d)\.(\d{3})/.exec(block);
	if (!match) return undefined;
	const [day = 1, , year = 0, hour = 0, minute = 0, second = 0, ms = 0] = match.slice(1).map(Number);
	return Date.UTC(year, months.indexOf(match[2] ?? ""), day, hour, minute, second, ms);
}
