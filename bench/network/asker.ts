/**
 * Asks for a page again and again over one connection, and writes how long each took, in milliseconds, as JSON.
 *   node asker.ts ADDRESS PORT PATH TIMES
 */
import { once } from "node:events";
import { connect } from "node:net";

const [address = "", port = "", path = "/", times = "1"] = process.argv.slice(2);
const socket = connect(Number(port), address);
socket.setNoDelay(true);
await once(socket, "connect", { signal: AbortSignal.timeout(5000) });
const request = `GET ${path} HTTP/1.1\r\nHost: bench\r\n\r\n`;
let wanted = Number.POSITIVE_INFINITY;
let text = Buffer.alloc(0);
let answered = () => {};
socket.on("data", (chunk: Buffer) => {
	text = Buffer.concat([text, chunk]);
	if (wanted === Number.POSITIVE_INFINITY) {
		const end = text.indexOf("\r\n\r\n");
		const length = /content-length: (\d+)/i.exec(text.toString("latin1"))?.[1];
		if (end < 0 || length === undefined) return;
		wanted = end + 4 + Number(length);
	}
	if (text.length >= wanted) answered();
});
const took: number[] = [];
for (let i = 0; i < Number(times); i++) {
	wanted = Number.POSITIVE_INFINITY;
	text = Buffer.alloc(0);
	const { promise, resolve, reject } = Promise.withResolvers<void>();
	answered = resolve;
	const timer = setTimeout(() => reject(new Error("no answer within 5 s")), 5000);
	const from = process.hrtime.bigint();
	socket.write(request);
	await promise;
	took.push(Number(process.hrtime.bigint() - from) / 1e6);
	clearTimeout(timer);
}
socket.destroy();
process.stdout.write(JSON.stringify(took));
