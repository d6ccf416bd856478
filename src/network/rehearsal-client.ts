/**
 * Asks a server for pages, a few times each: first one after the other, then several at once.
 *   node rehearsal-client.ts HOST ADDRESS PORT/PATH...
 * Runs by itself, in a namespace of its own. What the guest answers is thrown away unread.
 */
import { connect } from "node:net";

const [host = "", address = "", ...pages] = process.argv.slice(2);
const timesEach = 2;
const atOnce = 8;
const requestsEach = 3;
const answersWithinMs = 5000;
const mostBytes = 32 * 2 ** 20;

/** A few requests over one connection, as front doors keep theirs open. */
async function ask(page: string): Promise<void> {
	const slash = page.indexOf("/");
	const [port, path] = [Number(page.slice(0, slash)), page.slice(slash)];
	const request = (connection: string) =>
		`GET ${path} HTTP/1.1\r\nHost: ${host}\r\nUser-Agent: bulkhead-rehearsal\r\nConnection: ${connection}\r\n\r\n`;
	const kept = Array.from({ length: requestsEach - 1 }, () => request("keep-alive"));
	const socket = connect(port, address);
	const { promise, resolve, reject } = Promise.withResolvers<void>();
	let bytes = 0;
	socket.setTimeout(answersWithinMs, () =>
		socket.destroy(new Error(`no answer within ${answersWithinMs} ms`)),
	);
	socket.on("data", (chunk) => {
		bytes += chunk.length;
		if (bytes > mostBytes) socket.destroy(new Error("the answer does not end"));
	});
	socket.on("error", (error) => reject(new Error(`${page}: ${error.message}`)));
	socket.on("close", () => (bytes > 0 ? resolve() : reject(new Error(`${page}: closed without an answer`))));
	// Not ended here: a server may take that as leave to drop what it has not answered.
	socket.write([...kept, request("close")].join(""));
	await promise;
}

try {
	for (let time = 0; time < timesEach; time++) for (const page of pages) await ask(page);
	await Promise.all(Array.from({ length: atOnce }, (_, i) => ask(pages[i % pages.length] ?? "")));
} catch (error) {
	process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
	process.exitCode = 1;
}
