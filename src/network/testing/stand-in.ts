import { createServer } from "node:http";
import { setTimeout as delay } from "node:timers/promises";

/**
 * A server for tests: answers with the method, and tells at `/runs?PATH` how often that path was asked for, at
 * `/runs` that of all paths as JSON. A path that begins with /slow takes 30 s the first time, one with /brief 60 ms,
 * one with /later 2 s.
 * One that begins with /endless gets a response that begins and does not end; what follows says what tells its length;
 * /forwarded is answered with whom the request came from, as far as it says;
 * after -silence, and whatever follows that, there is no response at all. After /deaf it refuses connections for a second.
 */
const endless: Record<string, string> = {
	"/endless-close": "connection: close\r\n\r\nbegun",
	"/endless-chunks": "transfer-encoding: chunked\r\n\r\n5\r\nbegun\r\n",
	"/endless-length": "content-length: 1000\r\n\r\nbegun",
};
const runs = new Map<string, number>();

const server = createServer(async (request, response) => {
	const path = request.url ?? "/";
	const [, asked] = path.split("?");
	if (path === "/runs") return response.end(JSON.stringify(Object.fromEntries(runs)));
	if (path.startsWith("/runs")) return response.end(String(runs.get(asked ?? "") ?? 0));
	if (path === "/deaf") {
		server.close();
		setTimeout(() => listen(), 1000);
	}
	const before = runs.get(path) ?? 0;
	runs.set(path, before + 1);
	if (path.startsWith("/slow") && before === 0) await delay(30_000);
	if (path === "/forwarded") return response.end(request.headers["x-forwarded-for"] ?? "");
	const beginning = endless[path];
	if (path.startsWith("/endless-silence")) return;
	if (beginning) return response.socket?.write(`HTTP/1.1 200 OK\r\n${beginning}`);
	if (path.startsWith("/brief")) await delay(60);
	if (path.startsWith("/later")) await delay(2000);
	return response.end(request.method);
});

const listen = () => server.listen(8000, "0.0.0.0");
server.once("listening", () => console.log("ready"));
listen();
