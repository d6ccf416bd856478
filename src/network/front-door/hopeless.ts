import { isIP } from "node:net";
import { run } from "../../host/command.ts";
import type { DoorPlan } from "../plan.ts";
import { nameOf, repeatBackendOf } from "./names.ts";

/** A client's connection to the front door. */
export interface ClientConnection {
	/** Address and port, as `ss` takes them: `192.0.2.7:51234`, `[2001:db8::7]:51234`. */
	client: string;
	/** The front door's port. */
	listen: number;
	/** Whether HAProxy's line of the request will name the client: not where it takes another hop. */
	named: boolean;
}

/** Clients of requests that are with the server and cannot be saved when the connections to it are cut. */
export interface Hopeless {
	/** Already asked again once: one of them may be what brings the server down, session after session. */
	repeated: ClientConnection[];
	/**
	 * The response has begun, and nothing in it tells its length: HAProxy takes the cut for its end, and the client would
	 * take what it got for the whole. A response that tells its length is left to be seen as short: a reset could take
	 * away what the client has not read yet, its beginning included.
	 */
	begun: ClientConnection[];
}

/** Numbers of HAProxy 2.6: SC_ST_EST in stconn-t.h, AN_RES_WAIT_HTTP in channel-t.h. */
const connected = "8";
const waitsForResponse = 0x400000;
/** Nothing analyses a response without a length any more: whatever comes is passed on until the end of the connection. */
const openEnded = 0;

/**
 * Reads `show sess`: one line a session, a fifth of what `show sess all` tells and three times as quick. Requests that
 * are not repeated have two; the outer one knows the client.
 * @param lastFailureMs how long ago the failure before this one was; undefined when that is not known
 */
export function hopelessOf(text: string, plan: DoorPlan, lastFailureMs?: number): Hopeless {
	const services = new Map(
		plan.services
			.filter(({ protocol }) => protocol === "http")
			.map((service) => [nameOf(service), { listen: service.listen, repeat: repeatBackendOf(service) }]),
	);
	const found: Hopeless = { repeated: [], begun: [] };
	for (const line of text.split("\n")) {
		const session = parseSession(line);
		const service = services.get(session?.frontend ?? "");
		if (!session || !service) continue;
		const named = session.backend === service.repeat;
		const connection = { client: session.client, listen: service.listen, named };
		if (session.openEnded) found.begun.push(connection);
		else if (!session.begun && named && mayBeRepeated(session, lastFailureMs))
			found.repeated.push(connection);
	}
	return found;
}

/**
 * HAProxy counts attempts to connect and requests that were asked again in one number. Who came after the failure before
 * can only have waited for a connection: no session has failed with that request.
 */
function mayBeRepeated(
	{ retries, ageMs }: { retries: number; ageMs: number },
	lastFailureMs?: number,
): boolean {
	return retries > 0 && (lastFailureMs === undefined || ageMs > lastFailureMs);
}

/** @returns the most milliseconds that HAProxy's `1m3s` may mean; it counts the seconds that have begun */
function mostOf(age: string): number {
	const units = { s: 1, m: 60, h: 3600, d: 86_400 } as const;
	const parts = [...age.matchAll(/(\d+)([smhd])/g)].map(([, count, unit]) => {
		const seconds = units[unit as keyof typeof units];
		return { whole: Number(count) * seconds, seconds };
	});
	// Of days only the hours are told, of hours only the minutes.
	const least = Math.min(...parts.map(({ seconds }) => seconds));
	return (parts.reduce((sum, { whole }) => sum + whole, 0) + least) * 1000;
}

function parseSession(line: string) {
	const shape =
		/^0x\w+: proto=tcpv[46] src=(\S+):(\d+) fe=(\S+) be=(\S+) .* age=(\w+) .* rp\[\S*,an=(\w+)h,.* scb=\[(\d+),.* rc=(\d+) /;
	const [, address = "", port, frontend, backend, age = "", waits = "", state, retries] =
		shape.exec(line) ?? [];
	if (state !== connected || isIP(address) === 0) return undefined;
	const client = `${isIP(address) === 6 ? `[${address}]` : address}:${port}`;
	const analysers = Number.parseInt(waits, 16);
	const begun = (analysers & waitsForResponse) === 0;
	const openEndedNow = analysers === openEnded;
	return {
		client,
		frontend,
		backend,
		begun,
		openEnded: openEndedNow,
		retries: Number(retries),
		ageMs: mostOf(age),
	};
}

/** What one command line holds with ease. */
const mostAtOnce = 500;

/**
 * Destroys clients' connections: they see a reset, and HAProxy gives their requests up. Its own `shutdown session`
 * would not do: the client sees an orderly end, and a request without a response is asked again.
 * @param deadlineMs milliseconds for every 500 of them
 * @throws CommandError
 */
export async function destroy(connections: readonly ClientConnection[], deadlineMs: number): Promise<void> {
	const one = ({ client, listen }: ClientConnection) => `( sport = :${listen} and dst ${client} )`;
	for (let at = 0; at < connections.length; at += mostAtOnce) {
		const filter = connections.slice(at, at + mostAtOnce).map(one);
		await run("ss", ["-K", "-t", "-n", filter.join(" or ")], { deadlineMs });
	}
}
