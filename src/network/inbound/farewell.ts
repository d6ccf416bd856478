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
/**
 * Seconds: whoever was answered since may have asked another question from the same port, as resolvers do for both families
 * of addresses. The kernel does not say; whoever goes on for longer than that has a conversation (`[ASSURED]`), and asks again.
 */
const askedAgainWithin = 2;
/** The next session waits for the list, and everybody for that: a flood of connections must not hold it up. */
const listedWithinMs = 1000;

/**
 * Who talks to a server without a front door, or has just asked it something by UDP; not who is only about to connect.
 * To be asked before the next session gets packets: later, some of them talk to that one.
 * @param own addresses of the sandbox: front doors' connections are ended otherwise, and their ports used again at once
 * @returns one line for each, for `tellClients`
 * @throws CommandError
 */
export async function clientsOf(
	namespace: string,
	addresses: readonly string[],
	own: readonly string[],
): Promise<string[]> {
	const found = await Promise.all(
		addresses.map(async (address) => {
			const family = isIPv4(address) ? "ipv4" : "ipv6";
			const list = ["conntrack", "-L", "-f", family, "-d", address];
			return talkingIn(await inside(namespace, list, "", listedWithinMs));
		}),
	);
	return found.flat().filter((line) => !own.includes(line.split(" ")[1] ?? ""));
}

/** For as many as are told, where each costs a look at a table that a flood has filled. */
const forgottenWithinMs = 30_000;

/**
 * Tells clients that the server has gone: ends their connections, and refuses what they have just asked by UDP. What the
 * host's own firewall drops of it (packets that fit no connection, `ct state invalid`) does not arrive, and those clients
 * wait as long as they would. Connections of which nothing is heard, as of a client that is switched off, are forgotten:
 * they would count as open for five days (nf_conntrack_tcp_timeout_established).
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

/** Commands of conntrack that forget exactly these connections, where they still count as open. Pure. @param text lines of the program */
export function forgettingOf(text: string): string {
	return text.replaceAll(/^tcp (\S+) (\d+) (\S+) (\d+)$/gm, (_, client, from, server, to) => {
		const family = isIPv4(client) ? "ipv4" : "ipv6";
		const ends = `-s ${client} -d ${server} --sport ${from} --dport ${to}`;
		return `-D -f ${family} -p tcp --state ESTABLISHED ${ends}`;
	});
}

/**
 * Who has just asked servers something by UDP that refuse questions from now on. One whose question came between the list of
 * `clientsOf` and that would wait for an answer as long as its patience is: 5 s for a name server (resolv.conf(5)). Some may
 * have their answer by the time they are told.
 * @returns lines for `tellClients`
 * @throws CommandError
 */
export async function askersOf(namespace: string, addresses: readonly string[]): Promise<string[]> {
	return (await clientsOf(namespace, addresses, [])).filter((line) => line.startsWith("udp "));
}

/** Pure. @param text answer of `conntrack -L` @returns the lines for the program */
export function talkingIn(text: string): string[] {
	return text.split("\n").flatMap((line) => {
		const [, protocol, seconds, state] = /^(tcp|udp)\s+\d+ (\d+) (?:([A-Z_]+) )?/.exec(line) ?? [];
		const [, client = "", server = "", from, to] =
			/ ?src=(\S+) dst=(\S+) sport=(\d+) dport=(\d+)/.exec(line) ?? [];
		if (protocol === undefined || ![client, server].every((one) => isIPv4(one) || isIPv6(one))) return [];
		const waits =
			protocol === "tcp"
				? state === "ESTABLISHED"
				: !line.includes("[ASSURED]") &&
					Number(seconds) > kept - (line.includes("[UNREPLIED]") ? waitedFor : askedAgainWithin);
		return waits ? [`${protocol} ${client} ${from} ${server} ${to}`] : [];
	});
}
