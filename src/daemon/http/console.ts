import type { IncomingMessage, Server } from "node:http";
import { connect } from "node:net";
import type { Duplex } from "node:stream";
import { BulkheadError, explain, statusOf } from "../../api/errors.ts";
import type { Bulkhead } from "../bulkhead.ts";
import type { Context } from "../context.ts";

/** The serial console: an upgraded connection that carries raw bytes both ways. */
export function addConsole(server: Server, bulkhead: Bulkhead, context: Context): void {
	server.on("upgrade", (request, socket, head) => {
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
}

function join(request: IncomingMessage, socket: Duplex, head: Buffer, bulkhead: Bulkhead): void {
	const name = /^\/v1\/servers\/([a-z0-9-]{1,40})\/console$/.exec(request.url ?? "")?.[1];
	if (name === undefined || request.headers.upgrade !== "bulkhead-console") {
		throw new BulkheadError("not-found", "only a server's console can be upgraded to: bulkhead-console");
	}
	const serial = connect(bulkhead.server(name).consoleSocket());
	const unreachable = (error: Error) =>
		refuse(socket, new BulkheadError("not-allowed-now", `the console cannot be reached: ${error.message}`));
	serial.once("error", unreachable);
	serial.once("connect", () => {
		serial.off("error", unreachable);
		serial.on("error", () => serial.destroy());
		socket.write(
			"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: bulkhead-console\r\n\r\n",
		);
		serial.write(head);
		socket.pipe(serial).pipe(socket);
	});
	socket.on("close", () => serial.destroy());
	serial.on("close", () => socket.destroy());
}

function refuse(socket: Duplex, error: BulkheadError): void {
	const body = JSON.stringify({ error: { code: error.code, message: error.message } });
	const head = `HTTP/1.1 ${statusOf[error.code]} Refused\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}`;
	socket.end(`${head}\r\nConnection: close\r\n\r\n${body}`);
}
