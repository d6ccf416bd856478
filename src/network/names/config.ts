import { isIP } from "node:net";
import { parseSubnet } from "../../api/addresses.ts";
import { parseSubnet6 } from "../../api/addresses6.ts";
import { isHostName } from "../../api/names.ts";
import { ipv4 } from "../addresses.ts";
import { neverOutside } from "../never-outside.ts";
import type { Answerer, NameEntry } from "./plan.ts";

/** Where dnsmasq finds its files inside its confinement. */
export const inside = { config: "/names/dnsmasq.conf", hosts: "/names/hosts", list: "/names/hosts/list" };

/** Seconds that a server may keep an answer of ours: what it may reach can change at any time. */
export const keepSeconds = 30;
/** Questions of a server that may wait for an answer from outside. */
const mostWaiting = 100;

/**
 * The configuration of one answerer's dnsmasq. Nothing is passed on unless there are upstreams: a name that is not on the
 * list does not exist, and that is said at once. @throws RangeError for what is no address, network or port
 */
export function configOf({ port, domain, upstreams, inside: segments }: Answerer): string {
	if (!Number.isInteger(port) || port < 1024 || port > 65_535) throw new RangeError(`not a port: ${port}`);
	if (!isHostName(domain)) throw new RangeError(`not a domain: ${domain}`);
	const passedOn = upstreams.map((address) => `server=${ipv4(address)}`);
	// They would lead a server's programs to somebody who trusts the sandbox.
	const refused = [...neverOutside, ...segments.map(network)].map((one) => `bogus-nxdomain=${one}`);
	return [
		`port=${port}`,
		"no-resolv",
		"no-hosts",
		`addn-hosts=${inside.list}`,
		`local-ttl=${keepSeconds}`,
		"pid-file",
		"log-facility=-",
		`dns-forward-max=${mostWaiting}`,
		"domain-needed",
		"bogus-priv",
		...(passedOn.length === 0 ? ["address=/#/"] : [...passedOn, `local=/${domain}/`, ...refused]),
		"",
	].join("\n");
}

/** The list of names, as in /etc/hosts. @throws RangeError for what is no name or address */
export function listOf(entries: readonly NameEntry[]): string {
	const lines = entries.flatMap(({ names, addresses }) => {
		const wrong = [
			...names.filter((name) => !isHostName(name)),
			...addresses.filter((one) => isIP(one) === 0),
		];
		if (wrong.length > 0 || names.length === 0)
			throw new RangeError(`not a name and its addresses: ${wrong}`);
		return addresses.map((address) => `${address} ${names.join(" ")}\n`);
	});
	return [...new Set(lines)].join("");
}

function network(text: string): string {
	if (!parseSubnet(text) && !parseSubnet6(text)) throw new RangeError(`not a network: ${text}`);
	return text;
}
