import { PassThrough } from "node:stream";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { z } from "zod";
import { BulkheadError, explain } from "../../api/errors.ts";
import type { Event } from "../../api/event.ts";
import { exportBody } from "../../api/export.ts";
import type { Progress } from "../../api/plan.ts";
import { applyBody, streams } from "../../api/routes.ts";
import type { Bulkhead } from "../bulkhead.ts";
import type { Context } from "../context.ts";

const heartbeatMs = 15_000;
/** A reader that falls this far behind is cut off, and comes back by the last id it has seen. */
const backlogBytes = 4 * 2 ** 20;
const eventsAtOnce = 1000;

/** Routes that answer with something else than JSON. */
export function addStreams(app: FastifyInstance, bulkhead: Bulkhead, context: Context): void {
	app.get(
		streams.events,
		{ schema: { summary: "Events as they happen (server-sent events)" } },
		async (request, reply) => {
			const after = afterOf(request);
			return await reply
				.type("text/event-stream")
				.header("cache-control", "no-store")
				.send(eventStream(after, context));
		},
	);
	app.post(
		streams.apply,
		{ schema: { summary: "Apply a site file, with progress", body: applyBody } },
		async (request, reply) => {
			const body = applyBody.parse(request.body);
			const { text, fingerprint, confirmed } = body;
			const stream = progressStream(
				context,
				async (report, signal) => await bulkhead.apply(text, fingerprint, confirmed, report, signal),
			);
			return await reply.type("application/x-ndjson").send(stream);
		},
	);
	app.post(
		streams.export,
		{
			schema: {
				summary: "Copy a stopped server's disks to files on the host, with progress",
				body: exportBody,
			},
		},
		async (request, reply) => {
			const { server } = z.object({ server: z.string() }).parse(request.params);
			const body = exportBody.parse(request.body);
			const stream = progressStream(
				context,
				async (report, signal) => await bulkhead.export(server, body, report, signal),
			);
			return await reply.type("application/x-ndjson").send(stream);
		},
	);
	app.get(streams.screenshot, { schema: { summary: "A server's screen" } }, async (request, reply) => {
		const { server } = z.object({ server: z.string() }).parse(request.params);
		return await reply.type("image/png").send(await bulkhead.server(server).screenshot());
	});
	app.get(
		streams.evidence,
		{ schema: { summary: "A file of an incident's evidence" } },
		async (request, reply) => {
			const { incident: id, file } = z
				.object({ incident: z.string(), file: z.string() })
				.parse(request.params);
			const incident = await context.incidents.load(id);
			const content = incident && (await context.incidents.evidence(incident, file));
			if (!content)
				throw new BulkheadError(
					"not-found",
					`there is no such evidence; \`bulkhead incidents ${id.slice(0, 60)}\` lists it`,
				);
			return await reply
				.type(file.endsWith(".png") ? "image/png" : "text/plain; charset=utf-8")
				.send(content);
		},
	);
}

function afterOf(request: FastifyRequest): number | undefined {
	const { after } = z.object({ after: z.string().optional() }).parse(request.query);
	const asked = after ?? request.headers["last-event-id"];
	return asked === undefined || !/^\d{1,15}$/.test(String(asked)) ? undefined : Number(asked);
}

function eventStream(after: number | undefined, { history }: Context): PassThrough {
	const out = new PassThrough({ highWaterMark: backlogBytes });
	let sent = after ?? 0;
	const send = (event: Event) => {
		if (event.id <= sent) return;
		sent = event.id;
		if (!out.write(`id: ${event.id}\ndata: ${JSON.stringify(event)}\n\n`)) out.destroy();
	};
	const early: Event[] = [];
	let caughtUp = after === undefined;
	const unsubscribe = history.subscribe((event) => (caughtUp ? send(event) : early.push(event)));
	const heartbeat = setInterval(() => out.write(":\n\n"), heartbeatMs);
	out.on("close", () => {
		unsubscribe();
		clearInterval(heartbeat);
	});
	out.write(":\n\n");
	if (after !== undefined) {
		catchUp(after, history, send)
			.then(() => {
				for (const event of early) send(event);
				caughtUp = true;
			})
			.catch((error) => out.destroy(error instanceof Error ? error : undefined));
	}
	return out;
}

async function catchUp(
	after: number,
	history: Context["history"],
	send: (event: Event) => void,
): Promise<void> {
	for (let last = after; ; ) {
		const events = await history.after(last, eventsAtOnce);
		for (const event of events) send(event);
		last = events.at(-1)?.id ?? last;
		if (events.length < eventsAtOnce) return;
	}
}

/** Lines of what is told of a long task, the last of which says how it ended. */
function progressStream(
	context: Context,
	work: (report: (progress: Progress) => void, signal: AbortSignal) => Promise<void>,
): PassThrough {
	const out = new PassThrough();
	const gone = new AbortController();
	const report = (progress: Progress) => {
		if (!out.destroyed) out.write(`${JSON.stringify(progress)}\n`);
	};
	// Who breaks off (Ctrl-C) breaks the work off: what is half made is undone.
	out.on("close", () => gone.abort(new Error("the client went away")));
	work(report, gone.signal)
		.catch((error) => {
			const known = error instanceof BulkheadError ? error : new BulkheadError("internal", explain(error));
			if (known.code === "internal") context.log.error({ err: error }, "a long task failed");
			report({ type: "failed", error: { code: known.code, message: known.message } });
		})
		.finally(() => out.end());
	return out;
}
