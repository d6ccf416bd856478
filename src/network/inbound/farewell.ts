import { isIPv4, isIPv6 } from "node:net";
import { join } from "node:path";
import { inside } from "../namespace.ts";

const program = join(import.meta.dirname, "farewell.pl");
/** So many are told; the rest find out as they would anyway. */
const mostClients = 5000;
/**
 * Seconds: an unanswered question that is older has been given up, or was asked again. The kernel keeps one for 30 s
 * (nf_conntrack_udp_timeout), and says how many of them are left.
 */
const [kept, waitedFor] = [30, 6];
/** Seconds that the kernel keeps one that is about to connect and was not answered (nf_conntrack_tcp_timeout_syn_sent). */
const connectingKept = 120;
/**
 * Seconds: whoever was answered since may have asked another question from the same port, as resolvers do for both families
 * of addresses. The kernel does not say; whoever goes on for longer than that has a conversation (`[ASSURED]`), and asks again.
 */
const askedAgainWithin = 2;
/** The next session waits for the list, and everybody for that: a flood of connections must not hold it up. */
const listedWithinMs = 1000;

/** Lines for the program, one for each. */
export interface Clients {
	/** For `tellClients`. */
	connected: string[];
	/** Who has just asked something by UDP, for `tellAskers`. */
	asking: string[];
}

/**
 * Who talks to a server without a front door; not who is only about to connect. To be asked before the next session gets
 * packets: later, some of them talk to that one.
 * @param own addresses of the sandbox: front doors' connections are ended otherwise, and their ports used again at once
 * @throws CommandError
 */
export async function clientsOf(
	namespace: string,
	addresses: readonly string[],
	own: readonly string[],
): Promise<Clients> {
	const found = talkingIn(await trackedOf(namespace, addresses));
	const others = found.filter((line) => !own.includes(line.split(" ")[1] ?? ""));
	const asks = (line: string) => line.startsWith("udp ");
	return {
		connected: others.filter((line) => !asks(line)),
		asking: others.filter(asks).map((line) => line.replace("udp ", "ask ")),
	};
}

async function trackedOf(namespace: string, addresses: readonly string[]): Promise<string> {
	const lists = addresses.map(async (address) => {
		const list = ["conntrack", "-L", "-f", isIPv4(address) ? "ipv4" : "ipv6", "-d", address];
		return await inside(namespace, list, "", listedWithinMs);
	});
	return (await Promise.all(lists)).join("\n");
}

/** The program ends by itself after 5 s (`PATIENCE` there). */
const askedWithinMs = 15_000;
/** For as many as are told, where each costs a look at a table that a flood has filled. */
const forgottenWithinMs = 30_000;

/**
 * Tells clients that the server has gone: ends their connections, refuses what they have just asked by UDP, and those who are
 * about to connect. What the host's own firewall drops of it (packets that fit no connection, `ct state invalid`) does not
 * arrive, and those clients wait as long as they would. Connections of which nothing is heard, as of a client that is switched
 * off, are forgotten: they would count as open for five days (nf_conntrack_tcp_timeout_established).
 * @throws CommandError
 */
export async function tellClients(namespace: string, clients: readonly string[]): Promise<void> {
	const lines = clients.slice(0, mostClients);
	if (lines.length === 0) return;
	const silent = forgettingOf(await inside(namespace, ["perl", program], `${lines.join("\n")}\n`));
	// In one process, which minds none that has gone by itself. It opens its standard input once more, which has to be a pipe.
	const forget = ["sh", "-c", "cat | conntrack -R -"];
	if (silent !== "") await inside(namespace, forget, silent, forgottenWithinMs);
}

/**
 * Has who had asked a server by UDP ask again as soon as the next session is seen to serve, if that is within 5 s: their
 * questions went to the one that has gone. Returns when that is done, or none of them waits for it any more.
 * @throws CommandError; DOMException or CommandError when aborted
 */
export async function tellAskers(
	namespace: string,
	asking: readonly string[],
	signal: AbortSignal,
): Promise<void> {
	const lines = asking.slice(0, mostClients);
	if (lines.length > 0)
		await inside(namespace, ["perl", program], `${lines.join("\n")}\n`, askedWithinMs, signal);
}

/** Commands of conntrack that forget exactly these connections, where they still count as open. Pure. @param text lines of the program */
export function forgettingOf(text: string): string {
	return text.replaceAll(/^tcp (\S+) (\d+) (\S+) (\d+)$/gm, (_, client, from, server, to) => {
		const family = isIPv4(client) ? "ipv4" : "ipv6";
		const ends = `-s ${client} -d ${server} --sport ${from} --dport ${to}`;
		return `-D -f ${family} -p tcp --state ESTABLISHED ${ends}`;
	});
}

/**
 * Who has just asked servers something by UDP, or is about to connect to them, that refuse both from now on. One that came
 * before that would wait for an answer as long as its patience is, 5 s for a name server (resolv.conf(5)), or until it tries
 * again, after a second (RFC 6298, 2.1). Some may have their answer by the time they are told.
 * @returns lines for `tellClients`
 * @throws CommandError
 */
export async function askersOf(namespace: string, addresses: readonly string[]): Promise<string[]> {
	const text = await trackedOf(namespace, addresses);
	return [...talkingIn(text).filter((line) => line.startsWith("udp ")), ...connectingIn(text)];
}

/** Who is connected, or has just asked. Pure. @param text answer of `conntrack -L` @returns the lines for the program */
export function talkingIn(text: string): string[] {
	return trackedIn(text).flatMap(({ protocol, seconds, state, line, ends }) => {
		const waits =
			protocol === "tcp"
				? state === "ESTABLISHED"
				: !line.includes("[ASSURED]") &&
					seconds > kept - (line.includes("[UNREPLIED]") ? waitedFor : askedAgainWithin);
		return waits ? [`${protocol} ${ends}`] : [];
	});
}

/** Who is about to connect. Pure. @param text answer of `conntrack -L` @returns the lines for the program */
export function connectingIn(text: string): string[] {
	return trackedIn(text).flatMap(({ seconds, state, ends }) =>
		state === "SYN_SENT" && seconds > connectingKept - waitedFor ? [`syn ${ends}`] : [],
	);
}

interface Tracked {
	line: string;
	protocol: string;
	/** Until it is forgotten. */
	seconds: number;
	/** Of TCP's. */
	state: string | undefined;
	ends: string;
}

function trackedIn(text: string): Tracked[] {
	return text.split("\n").flatMap((line) => {
		const [, protocol, seconds, state] = /^(tcp|udp)\s+\d+ (\d+) (?:([A-Z_]+) )?/.exec(line) ?? [];
		const [, client = "", server = "", from, to] =
			/ ?src=(\S+) dst=(\S+) sport=(\d+) dport=(\d+)/.exec(line) ?? [];
		if (protocol === undefined || ![client, server].every((one) => isIPv4(one) || isIPv6(one))) return [];
		return [{ line, protocol, seconds: Number(seconds), state, ends: `${client} ${from} ${server} ${to}` }];
	});
}
