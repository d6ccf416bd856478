import { isName, type OutboundDefinition, parsePorts } from "../api/outbound.ts";
import { everything, type OutboundRule, type OutboundServer } from "../network/outbound/plan.ts";
import type { StoredServer } from "../store/servers.ts";

/** What a definition lets out, in its order; nothing when it says nothing. Pure. */
export function outboundRulesOf(
	outbound: OutboundDefinition = "deny",
	addressesOf: AddressesOf = () => [],
): OutboundRule[] {
	if (outbound === "deny") return [];
	if (outbound === "allow") return [everything];
	return outbound.map(({ to, protocol = "tcp", ports = [] }) => ({
		to,
		...(isName(to) ? { addresses: addressesOf(to.toLowerCase()) } : {}),
		protocol,
		ports: ports.flatMap((text) => {
			const range = parsePorts(text);
			return range ? [range] : [];
		}),
	}));
}

/** What a name stands for now. */
export type AddressesOf = (name: string) => readonly string[];

/** The names in a server's rules, in lower case. Pure. */
export function namesIn(outbound: OutboundDefinition = "deny"): string[] {
	if (!Array.isArray(outbound)) return [];
	return [...new Set(outbound.filter(({ to }) => isName(to)).map(({ to }) => to.toLowerCase()))];
}

/** Every server that has an address, with what it may reach outside. */
export function outboundServers(
	servers: readonly StoredServer[],
	addressesOf: AddressesOf,
): OutboundServer[] {
	return servers.flatMap(({ name, lan, definition: { network, outbound } }) =>
		network
			? [
					{
						...{ name, address: network.address, address6: network.address6, lan: lan?.interface },
						rules: outboundRulesOf(outbound, addressesOf),
					},
				]
			: [],
	);
}
