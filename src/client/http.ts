import type { Duplex } from "node:stream";
import type { z } from "zod";
import { BulkheadError } from "../api/errors.ts";
import type { Event } from "../api/event.ts";
import {
	type Answer,
	type applyBody,
	type Body,
	type Params,
	type RouteName,
	routes,
	streams,
} from "../api/routes.ts";
import { type FollowOptions, followEvents } from "./events.ts";
import { type Ongoing, readProgress } from "./progress.ts";
import {
	checked,
	type Exchange,
	readBytes,
	readChunks,
	readJson,
	send,
	upgrade,
	within,
} from "./transport.ts";

const defaultDeadlineMs = 120_000;
/** What the daemon gets on top of the time that it was told to give the server. */
const deadlineMarginMs = 30_000;
/** Evidence may hold a guest's memory; screenshots are far smaller. */
const largestFile = 256 * 2 ** 20;

export interface CallOptions {
	signal?: AbortSignal;
	/** Milliseconds until the daemon has to have answered. */
	deadlineMs?: number;
}

/** Talks to the daemon through its Unix socket. Keeps nothing open between calls. */
export class Client {
	readonly #socket: string;

	/** @param socket see `socketPath` of the API */
	constructor(socket: string) {
		this.#socket = socket;
	}

	/**
	 * Calls one of the API's routes.
	 * @throws BulkheadError as the daemon threw it; DaemonUnreachable when nobody answers
	 */
	async call<R extends RouteName>(
		route: R,
		params: Params<R>,
		body: Body<R>,
		options: CallOptions = {},
	): Promise<Answer<R>> {
		const { method, path, answer } = routes[route];
		const filled = fillPath(path, params);
		const deadlineMs = options.deadlineMs ?? deadlineFor(body);
		return within(deadlineMs, `${method} ${filled}`, options.signal, async (signal) => {
			const exchange: Exchange = { method, path: filled, signal, ...(body === null ? {} : { body }) };
			const value = await readJson(await send(this.#socket, exchange), exchange);
			// The schema of a generic route is a union to the compiler; `Answer<R>` is what this one infers.
			return checked(answer as unknown as z.ZodType<Answer<R>>, value, exchange);
		});
	}

	/**
	 * Reads a file: a screenshot or a piece of evidence.
	 * @param path as `screenshotPath` and `evidencePath` make it
	 * @param largest most bytes that are taken
	 */
	async bytes(path: string, options: CallOptions & { largest?: number } = {}): Promise<Buffer> {
		const { deadlineMs = defaultDeadlineMs, largest = largestFile } = options;
		return within(deadlineMs, `GET ${path}`, options.signal, async (signal) => {
			const exchange: Exchange = { method: "GET", path, signal };
			return readBytes(await send(this.#socket, exchange), exchange, largest);
		});
	}

	/**
	 * Applies a plan, however long that takes.
	 * @param body the site's text, and the fingerprint of the plan that was shown
	 * @returns what the daemon says at the end
	 * @throws BulkheadError when it failed
	 */
	async apply(
		body: z.infer<typeof applyBody>,
		onProgress: (progress: Ongoing) => void,
		signal: AbortSignal = new AbortController().signal,
	): Promise<string> {
		const exchange: Exchange = { method: "POST", path: streams.apply, body, signal };
		const response = await send(this.#socket, exchange);
		return readProgress(readChunks(response, exchange), exchange, onProgress);
	}

	/** A server's serial console. The stream ends with the session. */
	async console(server: string, options: CallOptions = {}): Promise<Duplex> {
		const path = fillPath(streams.console, { server });
		const { deadlineMs = deadlineMarginMs } = options;
		return within(deadlineMs, `GET ${path}`, options.signal, (signal) =>
			upgrade(this.#socket, path, "bulkhead-console", signal),
		);
	}

	/** A server's screen, keyboard and pointer, as VNC. The stream ends with the session. */
	async screen(server: string, options: CallOptions = {}): Promise<Duplex> {
		const path = fillPath(streams.screen, { server });
		const { deadlineMs = deadlineMarginMs } = options;
		return within(deadlineMs, `GET ${path}`, options.signal, (signal) =>
			upgrade(this.#socket, path, "bulkhead-screen", signal),
		);
	}

	/** See `followEvents`. */
	events(after: number | undefined, signal: AbortSignal, options: FollowOptions = {}): AsyncIterable<Event> {
		return followEvents(this.#socket, after, signal, options);
	}
}

export function screenshotPath(server: string): string {
	return fillPath(streams.screenshot, { server });
}

export function evidencePath(incident: string, file: string): string {
	return fillPath(streams.evidence, { incident, file });
}

/** Stopping takes as long as the server was given; the daemon answers after that. */
function deadlineFor(body: unknown): number {
	const given =
		body !== null && typeof body === "object" && "deadlineMs" in body ? body.deadlineMs : undefined;
	return typeof given === "number" ? given + deadlineMarginMs : defaultDeadlineMs;
}

/** Fills `:name` in a path. @throws BulkheadError for a value that cannot be part of a path */
function fillPath(path: string, params: Record<string, string>): string {
	return path.replace(/:(\w+)/g, (_, name: string) => {
		const value = params[name] ?? "";
		if (["", ".", ".."].includes(value)) {
			throw new BulkheadError("bad-input", `${JSON.stringify(value)} is no name of ${article(name)}`);
		}
		return encodeURIComponent(value);
	});
}

function article(noun: string): string {
	return /^[aeiou]/.test(noun) ? `an ${noun}` : `a ${noun}`;
}
