import { createServer } from "node:net";

/** Listens on the TCP ports that are given, on all addresses of both families, and gives back what it gets. */
const ports = process.argv.slice(2).map(Number);
let open = 0;
for (const port of ports) {
	const server = createServer((connection) => {
		connection.on("error", () => {});
		connection.pipe(connection);
	});
	server.listen(port, "::", () => {
		if (++open === ports.length) console.log("ready");
	});
}
