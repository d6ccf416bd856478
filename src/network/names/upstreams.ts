import { isIPv4 } from "node:net";
import { networkInterfaces } from "node:os";
import { readIfThere } from "../../host/files.ts";

/** The second is where systemd-resolved tells whom it asks, when the first names itself. */
const files = ["/etc/resolv.conf", "/run/systemd/resolve/resolv.conf"];

/**
 * @returns IPv4 addresses of the name servers that this host asks and that a sandbox's way out leads to: never those on the
 *   host itself. At most three, as resolv.conf(5) has it.
 */
export async function upstreamsOfHost(): Promise<string[]> {
	const own = Object.values(networkInterfaces()).flatMap((some) =>
		(some ?? []).map(({ address }) => address),
	);
	for (const file of files) {
		const found = nameServersIn((await readIfThere(file)) ?? "");
		const usable = found.filter((one) => isIPv4(one) && !/^(127|0)\./.test(one) && !own.includes(one));
		if (usable.length > 0) return usable.slice(0, 3);
	}
	return [];
}

/** @param text of a resolv.conf */
export function nameServersIn(text: string): string[] {
	return [...text.matchAll(/^[ \t]*nameserver[ \t]+(\S+)/gm)].flatMap(([, address]) => address ?? []);
}
