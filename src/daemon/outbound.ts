import { type OutboundDefinition, parsePorts } from "../api/outbound.ts";
import { everything, type OutboundRule, type OutboundServer } from "../network/outbound/plan.ts";
import type { StoredServer } from "../store/servers.ts";

/** What a definition lets out, in its order; nothing when it says nothing. Pure. */
export function outboundRulesOf(outbound: OutboundDefinition = "deny"): OutboundRule[] {
	if (outbound === "deny") return [];
	if (outbound === "allow") return [everything];
	return outbound.map(({ to, protocol = "tcp", ports = [] }) => ({
		to,
		protocol,
		ports: ports.flatMap((text) => {
			const range = parsePorts(text);
			return range ? [range] : [];
		}),
	}));
}

/** Every server that has an address, with what it may reach outside. */
export function outboundServers(servers: readonly StoredServer[]): OutboundServer[] {
	return servers.flatMap(({ name, lan, definition: { network, outbound } }) =>
		network
			? [
					{
						...{ name, address: network.address, address6: network.address6, lan: lan?.interface },
						rules: outboundRulesOf(outbound),
					},
				]
			: [],
	);
}
