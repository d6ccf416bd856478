import { createReadStream } from "node:fs";
import { createServer, request } from "node:http";
import { join } from "node:path";

/**
 * What the server takes for its apt proxy, in a network that only it is let out to. Started as
 *   relay.ts PORT SOCKET SUITE FOLDER
 * it answers for the suite of the installer's own packages from a folder, and has everything else answered by the real proxy
 * (apt-cacher-ng), which is in this machine's own network and listens on a Unix socket. Writes a line when it listens.
 */
const [port = "", socketPath = "", suite = "", folder = ""] = process.argv.slice(2);
const deadlineMs = 300_000;

const server = createServer((asked, answer) => {
	const { method = "GET", url = "", headers } = asked;
	const own = fileOf(url);
	if (own !== undefined) {
		createReadStream(own)
			.on("error", () => answer.writeHead(404).end())
			.pipe(answer);
		return;
	}
	const passed = request({ socketPath, method, path: url, headers, timeout: deadlineMs }, (got) => {
		answer.writeHead(got.statusCode ?? 502, got.headers);
		got.pipe(answer);
		got.on("error", () => answer.destroy());
	});
	passed.on("timeout", () => passed.destroy(new Error("no answer")));
	passed.on("error", () => (answer.headersSent ? answer.destroy() : answer.writeHead(502).end()));
	answer.on("close", () => passed.destroy());
	asked.pipe(passed);
});

/** The file of the suite that is asked for. Folders above it have no names here. */
function fileOf(url: string): string | undefined {
	const path = URL.parse(url)?.pathname ?? url;
	const [, inside] = new RegExp(`/dists/${suite}/([A-Za-z0-9_./-]+)$`).exec(path) ?? [];
	const pool = /\/pool\/own\/([A-Za-z0-9_.+-]+)$/.exec(path)?.[1];
	if (pool !== undefined) return join(folder, "pool", pool);
	return inside === undefined || inside.includes("..") ? undefined : join(folder, "dists", inside);
}

server.listen(Number(port), "0.0.0.0", () => console.log("listening"));
