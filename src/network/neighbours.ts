import { z } from "zod";
import { linkLocalOf } from "../api/addresses6.ts";
import { ipv4, ipv6 } from "./addresses.ts";
import { ip, ipBatch } from "./namespace.ts";
import { bridgePrefix, macOf } from "./plan.ts";

/** A server that the sandbox knows the place of. */
export interface Known {
	name: string;
	address: string;
	address6?: string | undefined;
	/** Of its network card, when it is not the one that it is given here. */
	mac?: string | undefined;
}

const entries = z.array(z.object({ dst: z.string(), dev: z.string() }));

/**
 * Takes away what the sandbox was told by hand (port.ts) of servers that are not among these any more: where they are, and
 * that it answers for them. Addresses of servers that are only down stay, and are silent.
 * @throws CommandError, RangeError for what is no address
 */
export async function knowOnly(namespace: string, site: string, servers: readonly Known[]): Promise<void> {
	const known = new Set(
		servers.flatMap(({ name, address, address6, mac = macOf(site, name) }) => [
			ipv4(address),
			...(address6 === undefined ? [] : [ipv6(address6), linkLocalOf(mac)]),
		]),
	);
	const told = await read(namespace, "neigh", "show", "nud", "permanent");
	const answered = await read(namespace, "-6", "neigh", "show", "proxy");
	const gone = ({ dst, dev }: z.infer<typeof entries>[number]) =>
		dev.startsWith(bridgePrefix) && !known.has(dst);
	const lines = [
		...answered.filter(gone).map(({ dst, dev }) => `neigh del proxy ${dst} dev ${dev}`),
		...told.filter(gone).map(({ dst, dev }) => `neigh del ${dst} dev ${dev}`),
	];
	if (lines.length > 0) await ipBatch(namespace, lines);
}

async function read(namespace: string, ...words: string[]): Promise<z.infer<typeof entries>> {
	// `ip` prints nothing at all where there are none, and each family apart.
	const text = (await ip(namespace, "-j", ...words)).trim();
	return text === "" ? [] : entries.parse(JSON.parse(text));
}
