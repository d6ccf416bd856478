import { isIPv4 } from "node:net";
import { networkInterfaces } from "node:os";
import { readIfThere } from "../../host/files.ts";

/** The second is where systemd-resolved tells whom it asks, when the first names itself. */
const files = ["/etc/resolv.conf", "/run/systemd/resolve/resolv.conf"];

export interface Upstreams {
	/** IPv4 addresses, three at most, as resolv.conf(5) has it. */
	usable: string[];
	/** Servers of the site itself that the host asks. */
	inside: string[];
}

/**
 * The name servers that this host asks and that a sandbox's way out leads to: never those on the host itself, nor the site's
 * own servers. Those lie inside, and what they do not know they may ask the sandbox, which would ask them again.
 * @param site addresses of the site's servers
 */
export async function upstreamsOfHost(site: readonly string[], from = files): Promise<Upstreams> {
	const own = Object.values(networkInterfaces()).flatMap((some) =>
		(some ?? []).map(({ address }) => address),
	);
	const inside = new Set<string>();
	for (const file of from) {
		const found = nameServersIn((await readIfThere(file)) ?? "");
		for (const one of found) if (site.includes(one)) inside.add(one);
		const outside = found.filter((one) => isIPv4(one) && !/^(127|0)\./.test(one) && !own.includes(one));
		const usable = outside.filter((one) => !inside.has(one));
		if (usable.length > 0) return { usable: usable.slice(0, 3), inside: [...inside] };
	}
	return { usable: [], inside: [...inside] };
}

/** @param text of a resolv.conf */
export function nameServersIn(text: string): string[] {
	return [...text.matchAll(/^[ \t]*nameserver[ \t]+(\S+)/gm)].flatMap(([, address]) => address ?? []);
}
