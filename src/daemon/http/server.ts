import { chmod, chown, mkdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import swagger from "@fastify/swagger";
import fastify, {
	type FastifyError,
	type FastifyInstance,
	type FastifyReply,
	type FastifyRequest,
} from "fastify";
import {
	jsonSchemaTransform,
	serializerCompiler,
	validatorCompiler,
	type ZodTypeProvider,
} from "fastify-type-provider-zod";
import type { z } from "zod";
import { BulkheadError, explain, type ProblemView, statusOf } from "../../api/errors.ts";
import { type RouteName, routes } from "../../api/routes.ts";
import type { Bulkhead } from "../bulkhead.ts";
import type { Context } from "../context.ts";
import { addConsole } from "./console.ts";
import { type Handlers, handlers, type Identity } from "./handlers.ts";
import { addStreams } from "./streams.ts";

const bodyLimitBytes = 2 * 2 ** 20;

/** The HTTP API on a unix socket, for root and the group `bulkhead`. */
export async function openApi(
	bulkhead: Bulkhead,
	context: Context,
	identity: Identity,
): Promise<FastifyInstance> {
	const app = fastify({ logger: false, bodyLimit: bodyLimitBytes, forceCloseConnections: true });
	app.setValidatorCompiler(validatorCompiler);
	app.setSerializerCompiler(serializerCompiler);
	app.setErrorHandler((error, _, reply) => void answerError(error, reply, context));
	app.setNotFoundHandler((request, reply) => {
		const error = new BulkheadError(
			"not-found",
			`the API has no ${request.method} ${request.url.slice(0, 80)}; see /openapi.json`,
		);
		return answerError(error, reply, context);
	});
	const info = { title: "Bulkhead", version: identity.version };
	await app.register(swagger, { openapi: { openapi: "3.1.0", info }, transform: jsonSchemaTransform });
	app.get("/openapi.json", { schema: { hide: true } }, () => app.swagger());
	addRoutes(app, handlers(bulkhead, context, identity));
	addStreams(app, bulkhead, context);
	addConsole(app, bulkhead, context);
	await bulkhead.membership.socket.serve(app.server);
	await listen(app, context);
	return app;
}

function addRoutes(app: FastifyInstance, handle: Handlers): void {
	const typed = app.withTypeProvider<ZodTypeProvider>();
	for (const name of Object.keys(routes) as RouteName[]) {
		const { method, path, params, body, answer, summary } = routes[name];
		const handler = handle[name] as (params: unknown, body: unknown, gone: AbortSignal) => Promise<unknown>;
		typed.route({
			method,
			url: path,
			schema: { summary, params, ...(body ? { body } : {}), response: { 200: answer as z.ZodType } },
			handler: async (request: FastifyRequest, reply: FastifyReply) =>
				await handler(request.params, request.body ?? null, goneSignal(reply)),
		});
	}
}

/** Why work for a client that has gone away ends; nobody hears of it. */
class ClientGoneError extends Error {
	override readonly name = "ClientGoneError";
}

function goneSignal({ raw }: FastifyReply): AbortSignal {
	const gone = new AbortController();
	raw.once("close", () => gone.abort(new ClientGoneError("the client went away")));
	return gone.signal;
}

async function listen(app: FastifyInstance, { paths }: Context): Promise<void> {
	if (Buffer.byteLength(paths.apiSocket) > 100) {
		throw new BulkheadError(
			"bad-input",
			`the state directory's path is too long for a unix socket (${paths.apiSocket}); choose a shorter one`,
		);
	}
	// The lock on the state directory is ours, so what is there is a dead daemon's.
	const making = `${paths.apiSocket}.new`;
	for (const path of [paths.apiSocket, making]) await rm(path, { recursive: true, force: true });
	// Made where nobody else comes, so that it never is there for more than it is for. The whole process's umask would hold
	// for servers that are started meanwhile, too.
	await mkdir(making, { mode: 0o700 });
	try {
		const made = join(making, "s");
		await app.listen({ path: made });
		const group = await groupId("bulkhead");
		await chown(made, 0, group ?? 0);
		await chmod(made, group === undefined ? 0o600 : 0o660);
		await rename(made, paths.apiSocket);
	} finally {
		await rm(making, { recursive: true, force: true });
	}
}

async function groupId(name: string): Promise<number | undefined> {
	const line = (await readFile("/etc/group", "utf8")).split("\n").find((line) => line.startsWith(`${name}:`));
	return line === undefined ? undefined : Number(line.split(":")[2]);
}

function answerError(error: unknown, reply: FastifyReply, { log }: Context): FastifyReply {
	const known = error instanceof BulkheadError ? error : translate(error);
	if (known.code === "internal" && !(error instanceof ClientGoneError))
		log.error({ err: error }, "a request failed");
	const { code, message, problems } = known;
	return reply
		.code(statusOf[code])
		.send({ error: { code, message, ...(problems.length > 0 ? { problems } : {}) } });
}

function translate(error: unknown): BulkheadError {
	const { validation, statusCode } = error as Partial<FastifyError>;
	if (validation) {
		const problems: ProblemView[] = validation.map(({ instancePath, message }) => ({
			field: instancePath.slice(1).replaceAll("/", "."),
			message: message ?? "is wrong",
		}));
		const said = problems.map(({ field, message }) => (field ? `${field}: ${message}` : message)).join("; ");
		return new BulkheadError("bad-input", `the request is wrong: ${said}`, { problems });
	}
	if (statusCode !== undefined && statusCode < 500) return new BulkheadError("bad-input", explain(error));
	return new BulkheadError("internal", explain(error), { cause: error });
}
