import { createSocket } from "node:dgram";
import { createServer } from "node:net";

/**
 * Listens on the ports that are given, TCP and UDP, on all addresses of both families, and tells everybody the address
 * that he comes from; TCP then gives back what it gets.
 */
const ports = process.argv.slice(2).map(Number);
let open = 0;
const opened = () => {
	if (++open === 2 * ports.length) console.log("ready");
};
const plain = (address = "") => address.replace(/^::ffff:/, "");
for (const port of ports) {
	const server = createServer((connection) => {
		connection.on("error", () => {});
		connection.write(`${plain(connection.remoteAddress)}\n`);
		connection.pipe(connection);
	});
	server.listen(port, "::", opened);
	const socket = createSocket("udp6");
	socket.on("message", (_, { address, port }) => socket.send(plain(address), port, address));
	socket.bind(port, "::", opened);
}
