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
 * Tells whoever talks to a server without a front door that it has gone: ends their connections, and refuses what they
 * have just asked by UDP. Who is only about to connect is not told: that one waits. What the host's own firewall drops of
 * it (packets that fit no connection, `ct state invalid`) does not arrive, and those clients wait as long as they would.
 * @throws CommandError
 */
export async function tellClients(namespace: string, addresses: readonly string[]): Promise<void> {
	const found = await Promise.all(addresses.map(async (address) => await talkingTo(namespace, address)));
	const lines = found.flat().slice(0, mostClients);
	if (lines.length > 0) await inside(namespace, ["perl", program], `${lines.join("\n")}\n`);
}

async function talkingTo(namespace: string, address: string): Promise<string[]> {
	const family = isIPv4(address) ? "ipv4" : "ipv6";
	const text = await inside(namespace, ["conntrack", "-L", "-f", family, "-d", address]);
	return talkingIn(text);
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
				: line.includes("[UNREPLIED]") && Number(seconds) > kept - waitedFor;
		return waits ? [`${protocol} ${client} ${from} ${server} ${to}`] : [];
	});
}
