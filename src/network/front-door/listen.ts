import { createSocket } from "node:dgram";
import { once } from "node:events";
import { createServer, type Server } from "node:net";
import { BulkheadError } from "../../api/errors.ts";
import { run } from "../../host/command.ts";
import { errorCode } from "../../host/files.ts";
import type { DoorPlan, ServicePlan } from "../plan.ts";

type Place = Pick<ServicePlan, "to" | "listen">;

/** Listening sockets in the host's own namespace, to be handed to a child and closed here. */
export interface Listeners {
	/** In the order of the plan's services. */
	descriptors: number[];
	close(): void;
}

/**
 * Listens for every service of a plan.
 *
 * Nothing here lets the event loop turn: node emits `listening` and `error` of a literal address from its
 * next-tick queue. Whoever spawns the child and closes the listeners before awaiting anything else can be sure
 * that this process never accepts a connection itself; early ones wait in the kernel's queue for the child.
 * @throws BulkheadError "port-in-use"; then nothing is left open
 */
export async function listenAll(plan: DoorPlan): Promise<Listeners> {
	const servers: Server[] = [];
	const close = () => {
		for (const server of servers) server.close();
	};
	try {
		for (const service of plan.services) servers.push(await listenFor(plan, service));
		return { descriptors: servers.map(descriptorOf), close };
	} catch (error) {
		close();
		throw error;
	}
}

async function listenFor(plan: DoorPlan, service: ServicePlan): Promise<Server> {
	try {
		return await open(service);
	} catch (error) {
		throw errorCode(error) === "EADDRINUSE" ? portInUse(plan.server, service, "tcp", error) : error;
	}
}

export function portInUse(
	server: string,
	service: Pick<ServicePlan, "service" | "listen">,
	protocol: "tcp" | "udp" = "tcp",
	cause?: unknown,
): BulkheadError {
	const [show, port] = protocol === "tcp" ? ["ss -ltnp", "port"] : ["ss -lunp", "UDP port"];
	const mend = `stop that program (\`${show} sport = :${service.listen}\` names it) or choose another \`listen:\``;
	const message = `${server} cannot publish ${service.service}: ${port} ${service.listen} of this host is in use by another program; ${mend}`;
	return new BulkheadError("port-in-use", message, { cause });
}

/** @returns whether a service could listen there now; asked before anything is made or stopped */
export async function portIsFree(
	to: Place["to"],
	listen: number,
	protocol: "tcp" | "udp" = "tcp",
): Promise<boolean> {
	try {
		if (protocol === "udp") await bindUdp(to, listen);
		else (await open({ to, listen })).close();
		return true;
	} catch (error) {
		if (errorCode(error) === "EADDRINUSE") return false;
		throw error;
	}
}

/**
 * @returns whether who listens there for this host only, which is one of ours, could listen for the LAN too: nobody else has
 *   the port at another address. Also when nobody does; one for the LAN leaves the port to nobody. @throws CommandError
 */
export async function canWiden(listen: number): Promise<boolean> {
	const { stdout } = await run("ss", ["-Hltn", `sport = :${listen}`], { deadlineMs: 10_000 });
	const addresses = stdout.split("\n").flatMap((line) => line.trim().split(/\s+/)[3] ?? []);
	const own = `127.0.0.1:${listen}`;
	return !addresses.includes(own) || addresses.every((address) => address === own);
}

async function open({ to, listen }: Place): Promise<Server> {
	if (to === "host") return await openAt("127.0.0.1", listen);
	try {
		return await openAt("::", listen);
	} catch (error) {
		// A host without IPv6.
		if (!["EAFNOSUPPORT", "EADDRNOTAVAIL", "EINVAL"].includes(errorCode(error) ?? "")) throw error;
		return await openAt("0.0.0.0", listen);
	}
}

/** What another program listens to at any of the host's addresses would get nothing any more: redirections come first. */
async function bindUdp(to: Place["to"], port: number): Promise<void> {
	const socket = createSocket("udp4");
	try {
		socket.bind({ address: to === "host" ? "127.0.0.1" : "0.0.0.0", port, exclusive: true });
		await once(socket, "listening");
	} finally {
		socket.close();
	}
}

async function openAt(host: string, port: number): Promise<Server> {
	const server = createServer((connection) => connection.destroy());
	server.listen({ host, port, exclusive: true });
	await once(server, "listening");
	return server;
}

/** node has no public name for a listener's descriptor; its handle has carried it since 0.x. */
function descriptorOf(server: Server): number {
	const { _handle: handle } = server as unknown as { _handle?: { fd?: number } };
	if (handle?.fd === undefined || handle.fd < 0)
		throw new Error("this node does not tell a listener's descriptor");
	return handle.fd;
}
