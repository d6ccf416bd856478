import type { IncomingMessage } from "node:http";
import { connect } from "node:net";
import type { Duplex } from "node:stream";
import type { FastifyInstance } from "fastify";
import { BulkheadError, explain, statusOf } from "../../api/errors.ts";
import type { Bulkhead } from "../bulkhead.ts";
import type { Context } from "../context.ts";

/** The serial console and the screen: upgraded connections that carry raw bytes both ways. */
export function addConsole(app: FastifyInstance, bulkhead: Bulkhead, context: Context): void {
	const open = new Set<Duplex>();
	let ends = false;
	app.server.on("upgrade", (request, socket, head) => {
		if (ends) return void socket.destroy();
		open.add(socket);
		socket.once("close", () => open.delete(socket));
		// A client may go away at any moment, also while it is being refused.
		socket.on("error", () => socket.destroy());
		try {
			join(request, socket, head, bulkhead);
		} catch (error) {
			const known = error instanceof BulkheadError ? error : new BulkheadError("internal", explain(error));
			if (known.code === "internal") context.log.error({ err: error }, "a console could not be opened");
			refuse(socket, known);
		}
	});
	// The HTTP server knows nothing of them any more, and would wait until whoever looks at one goes away.
	app.addHook("preClose", async () => {
		ends = true;
		for (const socket of open) socket.destroy();
	});
}

function join(request: IncomingMessage, socket: Duplex, head: Buffer, bulkhead: Bulkhead): void {
	const [, name, what] = /^\/v1\/servers\/([a-z0-9-]{1,40})\/(console|screen)$/.exec(request.url ?? "") ?? [];
	if (name === undefined || request.headers.upgrade !== `bulkhead-${what}`) {
		throw new BulkheadError(
			"not-found",
			"only a server's console and screen can be upgraded to: bulkhead-console, bulkhead-screen",
		);
	}
	const unit = bulkhead.server(name);
	const inner = connect(what === "screen" ? unit.screenSocket() : unit.consoleSocket());
	const unreachable = (error: Error) =>
		refuse(socket, new BulkheadError("not-allowed-now", `the ${what} cannot be reached: ${error.message}`));
	inner.once("error", unreachable);
	inner.once("connect", () => {
		inner.off("error", unreachable);
		inner.on("error", () => inner.destroy());
		socket.write(
			`HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: bulkhead-${what}\r\n\r\n`,
		);
		inner.write(head);
		socket.pipe(inner).pipe(socket);
	});
	socket.on("close", () => inner.destroy());
	inner.on("close", () => socket.destroy());
}

function refuse(socket: Duplex, error: BulkheadError): void {
	const body = JSON.stringify({ error: { code: error.code, message: error.message } });
	const head = `HTTP/1.1 ${statusOf[error.code]} Refused\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}`;
	socket.end(`${head}\r\nConnection: close\r\n\r\n${body}`);
}
