import { createHash } from "node:crypto";

/** Ports of one protocol, the first and the last. */
export interface PortRange {
	protocol: "tcp" | "udp";
	first: number;
	last: number;
}

/** A service that is reached at the server's own address: routed into the sandbox, with no proxy and no translation. */
export interface InboundWay {
	service: string;
	/** Who may reach it: this host only, or everybody to whom the server's address is known. */
	to: "host" | "lan";
	/** `everything`: all protocols and ports. */
	ports: readonly PortRange[] | "everything";
}

/** UDP that comes to a port of the host and goes to one of the server: HAProxy passes none. */
export interface Redirect {
	service: string;
	to: "host" | "lan";
	/** Port of the host. */
	listen: number;
	/** Port inside the server. */
	port: number;
}

/** What may come in to one server through the cable. */
export interface InboundServer {
	name: string;
	address: string;
	address6?: string | undefined;
	ways: readonly InboundWay[];
	redirects: readonly Redirect[];
	/** Whether others can do its work while it is away: see yielding-rules.ts. */
	yields?: boolean;
}

/** The addresses of the cable's outer end: what comes from the host itself is sent from there. */
export interface HostEnd {
	address: string;
	address6: string;
}

/** All that the inner rules let in: redirected packets arrive with the server's own port. */
export function waysInto({ ways, redirects }: Pick<InboundServer, "ways" | "redirects">): InboundWay[] {
	return [
		...ways,
		...redirects.map(({ service, to, port }) => ({
			...{ service, to },
			ports: [{ protocol: "udp" as const, first: port, last: port }],
		})),
	];
}

/** Names of what is counted of a way: by what it says, so that another one counts anew. */
export function namesOf(server: string, { service, to, ports }: InboundWay) {
	const digest = createHash("sha256")
		.update(JSON.stringify([service, to, ports]))
		.digest("hex");
	const name = `${server}.${digest.slice(0, 12)}`;
	return { in: `in.${name}`, out: `back.${name}`, clients: `seen.${name}`, clients6: `seen6.${name}` };
}

/** Whether a set with this name holds who came by some way. */
export const isOfClients = (name: string) => /^seen6?\./.test(name);

/** Name of the counter of what came for a server through the cable and was dropped. */
export function refusedCounter(server: string): string {
	return `refused.${server}`;
}
