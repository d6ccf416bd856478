/** Serves a page of a kilobyte on a port: node page.ts PORT. */
import { createServer } from "node:http";

const page = "x".repeat(1024);
const server = createServer((_, response) => {
	response.setHeader("content-length", page.length);
	response.end(page);
});
server.keepAliveTimeout = 600_000;
server.listen(Number(process.argv[2]), "0.0.0.0", () => console.log("ready"));
