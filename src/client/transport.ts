import { type IncomingMessage, request } from "node:http";
import type { Duplex } from "node:stream";
import { BulkheadError, type ErrorCode, errorView, statusOf } from "../api/errors.ts";
import { domainSocketPath } from "../api/routes.ts";
import { formatDuration, formatSize } from "../api/units.ts";

/** Longest path of a Unix socket in bytes, unix(7): 108 with its closing zero. */
const longestSocketPath = 107;
/** JSON answers are lists of servers, incidents and events; more than this is no answer of ours. */
const largestJson = 64 * 2 ** 20;

/** One HTTP request to the daemon. */
export interface Exchange {
	method: "GET" | "POST" | "DELETE";
	/** Path with its query. */
	path: string;
	/** Sent as JSON when it is there. */
	body?: unknown;
	headers?: Record<string, string>;
	signal: AbortSignal;
}

/** The daemon could not be reached, or broke off: whoever waits for something may try again when it is not `forbidden`. */
export class DaemonUnreachable extends BulkheadError {
	readonly why: "absent" | "forbidden" | "broke-off";
	constructor(why: DaemonUnreachable["why"], message: string, cause: unknown) {
		super(why === "broke-off" ? "internal" : "host-lacks", message, { cause });
		this.why = why;
	}
}

/**
 * Sends a request and waits for the head of its answer.
 * @throws BulkheadError for connections that fail and for statuses of 400 and more; the signal's reason when it aborts
 */
export async function send(socket: string, exchange: Exchange): Promise<IncomingMessage> {
	const { response } = await begin(socket, exchange);
	if (!response) throw unexpected(exchange, "switched protocols unasked");
	if ((response.statusCode ?? 500) < 400) return response;
	throw await readError(response, exchange);
}

/**
 * Asks the daemon to turn the connection into a stream of bytes both ways.
 * @throws as `send` does
 */
export async function upgrade(socket: string, path: string, protocol: string, signal: AbortSignal) {
	const headers = { connection: "Upgrade", upgrade: protocol };
	const exchange: Exchange = { method: "GET", path, headers, signal };
	const { response, stream } = await begin(socket, exchange);
	if (stream) return stream;
	if ((response.statusCode ?? 500) >= 400) throw await readError(response, exchange);
	response.destroy();
	throw unexpected(exchange, `answered ${response.statusCode} instead of switching to ${protocol}`);
}

type Beginning = { response: IncomingMessage; stream?: never } | { response?: never; stream: Duplex };

/** Whom the usual socket is not for, that of a domain's group may be. Nothing of the request is sent before one lets us in. */
async function begin(socket: string, exchange: Exchange): Promise<Beginning> {
	try {
		return await beginAt(socket, exchange);
	} catch (error) {
		if (!isUnreachable(error, "forbidden")) throw error;
		return await beginAt(domainSocketPath(socket), exchange).catch((second: unknown) => {
			throw isNoWay(second) ? error : second;
		});
	}
}

/** Whether a socket is not there, or not for us either. */
function isNoWay(error: unknown): boolean {
	if (isUnreachable(error, "forbidden")) return true;
	return isUnreachable(error, "absent") && (error.cause as NodeJS.ErrnoException).code === "ENOENT";
}

function isUnreachable(error: unknown, why: DaemonUnreachable["why"]): error is DaemonUnreachable {
	return error instanceof DaemonUnreachable && error.why === why;
}

function beginAt(socket: string, exchange: Exchange): Promise<Beginning> {
	if (Buffer.byteLength(socket) > longestSocketPath) {
		const message = `the socket's path ${socket} is longer than ${longestSocketPath} bytes; use a state directory with a shorter path`;
		return Promise.reject(new BulkheadError("bad-input", message));
	}
	const { promise, resolve, reject } = Promise.withResolvers<Beginning>();
	const text = exchange.body === undefined ? undefined : JSON.stringify(exchange.body);
	const outgoing = request({
		socketPath: socket,
		method: exchange.method,
		path: exchange.path,
		headers: { host: "bulkhead", ...bodyHeaders(exchange.method, text), ...exchange.headers },
		// A connection of its own: a daemon that was replaced leaves no stale ones behind.
		agent: false,
	});
	abortWith(exchange.signal, outgoing);
	outgoing.once("response", (response) => resolve({ response }));
	outgoing.once("upgrade", (_response, stream, head) => {
		if (head.length > 0) stream.unshift(head);
		resolve({ stream });
	});
	outgoing.on("error", (error) => reject(reasonFor(error, socket, exchange)));
	outgoing.end(text);
	return promise;
}

/**
 * Not `request({signal})`: that one destroys the connection also after an upgrade has handed it over, when a
 * deadline that was only meant for the handshake runs out.
 */
function abortWith(signal: AbortSignal, outgoing: ReturnType<typeof request>): void {
	const abort = () => {
		outgoing.destroy(new Error("aborted"));
	};
	if (signal.aborted) abort();
	signal.addEventListener("abort", abort, { once: true });
	const forget = () => signal.removeEventListener("abort", abort);
	outgoing.once("upgrade", forget);
	outgoing.once("close", forget);
}

function bodyHeaders(method: string, text: string | undefined): Record<string, string | number> {
	if (text !== undefined) {
		return { "content-type": "application/json", "content-length": Buffer.byteLength(text) };
	}
	return method === "GET" ? {} : { "content-length": 0 };
}

/** What a failed connection means to the user. */
function reasonFor(error: NodeJS.ErrnoException, socket: string, exchange: Exchange): unknown {
	if (exchange.signal.aborted) return exchange.signal.reason;
	switch (error.code) {
		case "ENOENT":
		case "ECONNREFUSED":
			return new DaemonUnreachable(
				"absent",
				`the daemon is not running (nobody listens at ${socket}): start it with \`bulkhead daemon\`, or point --state or BULKHEAD_STATE to the state directory of the one that runs`,
				error,
			);
		case "EACCES":
		case "EPERM":
			return new DaemonUnreachable(
				"forbidden",
				`not allowed to use ${socket}: become root, or a member of the group bulkhead or of the domain's group that may (who is new in one logs in again)`,
				error,
			);
		default:
			return brokeOff(exchange, error);
	}
}

function brokeOff(exchange: Exchange, cause: unknown): BulkheadError {
	const what = `${exchange.method} ${exchange.path}`;
	const message = `the daemon broke off before it had answered ${what}; see \`bulkhead status\`, then try again`;
	return new DaemonUnreachable("broke-off", message, cause);
}

function unexpected(exchange: Exchange, what: string, cause?: unknown): BulkheadError {
	const message = `the daemon ${what} (${exchange.method} ${exchange.path}); is it of another version than this command?`;
	return new BulkheadError("internal", message, { cause });
}

/**
 * Reads an answer's body.
 * @param largest most bytes that are taken
 * @throws BulkheadError when it is larger or breaks off; the signal's reason when it aborts
 */
export async function readBytes(response: IncomingMessage, exchange: Exchange, largest: number) {
	const chunks: Buffer[] = [];
	let size = 0;
	for await (const chunk of readChunks(response, exchange)) {
		size += chunk.length;
		if (size > largest) {
			throw new BulkheadError("internal", `the daemon's answer is larger than ${formatSize(largest)}`);
		}
		chunks.push(chunk);
	}
	return Buffer.concat(chunks);
}

/** The body piece by piece, with errors as `send` throws them. The connection is closed however the loop ends. */
export async function* readChunks(response: IncomingMessage, exchange: Exchange): AsyncGenerator<Buffer> {
	try {
		for await (const chunk of response) yield chunk as Buffer;
	} catch (error) {
		if (exchange.signal.aborted) throw exchange.signal.reason;
		throw brokeOff(exchange, error);
	} finally {
		response.destroy();
	}
}

/** @throws BulkheadError when the body is not JSON */
export async function readJson(response: IncomingMessage, exchange: Exchange): Promise<unknown> {
	const bytes = await readBytes(response, exchange, largestJson);
	try {
		return JSON.parse(bytes.toString("utf8"));
	} catch (error) {
		throw unexpected(exchange, "answered with something that is not JSON", error);
	}
}

/** Turns an error answer back into the error that the daemon threw. */
async function readError(response: IncomingMessage, exchange: Exchange): Promise<BulkheadError> {
	const body = await readBytes(response, exchange, largestJson);
	const parsed = errorView.safeParse(parseJson(body.toString("utf8")));
	if (!parsed.success) {
		return unexpected(exchange, `answered ${response.statusCode} without saying why`, parsed.error);
	}
	const { code, message, problems } = parsed.data.error;
	return new BulkheadError(code, message, problems ? { problems } : {});
}

function parseJson(text: string): unknown {
	try {
		return JSON.parse(text);
	} catch {
		return undefined;
	}
}

/** The answer, as its schema says it. @throws BulkheadError when it is something else */
export function checked<T>(
	schema: { safeParse(value: unknown): { success: true; data: T } | { success: false; error: unknown } },
	value: unknown,
	exchange: Pick<Exchange, "method" | "path" | "signal">,
): T {
	const parsed = schema.safeParse(value);
	if (parsed.success) return parsed.data;
	throw unexpected(exchange, "answered in a form that this command does not know", parsed.error);
}

/** An error code that came as text; one that is not ours counts as internal. */
export function errorCode(text: string): ErrorCode {
	return Object.hasOwn(statusOf, text) ? (text as ErrorCode) : "internal";
}

/** Runs something under a deadline in milliseconds. @throws BulkheadError that names `what` when it runs out */
export async function within<T>(
	deadlineMs: number,
	what: string,
	outer: AbortSignal | undefined,
	run: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
	const deadline = AbortSignal.timeout(deadlineMs);
	try {
		return await run(outer ? AbortSignal.any([outer, deadline]) : deadline);
	} catch (error) {
		if (outer?.aborted || error !== deadline.reason) throw error;
		const message = `the daemon did not answer ${what} within ${formatDuration(deadlineMs)}; look at its log and at \`bulkhead doctor\``;
		throw new BulkheadError("internal", message, { cause: error });
	}
}
