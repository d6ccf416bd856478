import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import { BulkheadError, statusOf } from "../api/errors.ts";
import { type Answer, type Body, type Params, type RouteName, routes, socketPath } from "../api/routes.ts";

type Awaitable<T> = T | Promise<T>;
/** What the stand-in answers to a route; a BulkheadError that it throws is answered as the daemon does. */
export type Answers = {
	[R in RouteName]?: (params: Params<R>, body: Body<R>) => Awaitable<Answer<R>>;
};
/** Takes what is no route: streams and files. @returns false when it is not for it */
export type Raw = (request: IncomingMessage, response: ServerResponse, body: string) => Awaitable<boolean>;

/** A daemon for tests: an HTTP server on a Unix socket in a folder of its own, which checks its answers against the API's schemas. */
export class StandIn implements AsyncDisposable {
	readonly state: string;
	readonly answers: Answers;
	raw: Raw = () => false;
	onUpgrade: (request: IncomingMessage, stream: Duplex) => void = (_, stream) => void stream.destroy();
	/** Requests so far, as `GET /v1/servers`. */
	readonly seen: string[] = [];
	readonly #upgraded = new Set<Duplex>();
	#server = this.#create();

	private constructor(state: string, answers: Answers) {
		this.state = state;
		this.answers = answers;
	}

	static async start(answers: Answers = {}): Promise<StandIn> {
		const standIn = new StandIn(await mkdtemp(join(tmpdir(), "bulkhead-")), answers);
		await standIn.listen();
		return standIn;
	}

	get socket(): string {
		return socketPath(this.state);
	}

	async listen(): Promise<void> {
		this.#server = this.#create();
		await new Promise<void>((resolve) => this.#server.listen(this.socket, resolve));
	}

	/** Ends it as a killed daemon ends: every connection breaks off, the socket stays. */
	async stop(): Promise<void> {
		this.#server.closeAllConnections();
		for (const stream of this.#upgraded) stream.destroy();
		await new Promise((resolve) => this.#server.close(resolve));
	}

	async [Symbol.asyncDispose](): Promise<void> {
		await this.stop();
		await rm(this.state, { recursive: true, force: true });
	}

	#create() {
		const server = createServer((request, response) => {
			this.#answer(request, response).catch((error: unknown) => fail(response, error));
		});
		return server.on("upgrade", (request, stream) => {
			// The server forgets these, and would wait for them without end.
			this.#upgraded.add(stream.once("close", () => this.#upgraded.delete(stream)));
			this.onUpgrade(request, stream);
		});
	}

	async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
		const body = Buffer.concat(await request.toArray()).toString("utf8");
		const path = new URL(request.url ?? "", "http://bulkhead").pathname;
		this.seen.push(`${request.method} ${request.url}`);
		if (await this.raw(request, response, body)) return;
		for (const name of Object.keys(routes) as RouteName[]) {
			const params = match(name, request.method ?? "", path);
			const answer = params && (this.answers[name] as Handler | undefined);
			if (!answer) continue;
			const value = await answer(params, body === "" ? null : routes[name].body?.parse(JSON.parse(body)));
			return send(response, 200, routes[name].answer.parse(value));
		}
		throw new BulkheadError("not-found", `there is no ${request.method} ${path}`);
	}
}

/** Any of the answers, whose own types the schemas check. */
type Handler = (params: Record<string, string>, body: unknown) => unknown;

function match(name: RouteName, method: string, path: string): Record<string, string> | undefined {
	const route = routes[name];
	const pattern = new RegExp(`^${route.path.replace(/:(\w+)/g, "(?<$1>[^/]+)")}$`);
	const groups =
		route.method === method
			? (pattern.exec(path)?.groups ?? (path === route.path ? {} : undefined))
			: undefined;
	return (
		groups &&
		Object.fromEntries(Object.entries(groups).map(([key, value]) => [key, decodeURIComponent(value)]))
	);
}

function send(response: ServerResponse, status: number, value: unknown): void {
	response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(value));
}

function fail(response: ServerResponse, error: unknown): void {
	const known =
		error instanceof BulkheadError ? error : new BulkheadError("internal", String(error), { cause: error });
	const { code, message, problems } = known;
	send(response, statusOf[code], { error: { code, message, problems } });
}
