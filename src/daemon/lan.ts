import { gatewayOf, parseSubnet } from "../api/addresses.ts";
import { named } from "../api/named.ts";
import type { Site } from "../api/site.ts";
import type { SegmentPlan } from "../network/plan.ts";
import type { StoredServer } from "../store/servers.ts";

/**
 * Segments that are networks of the LAN. Pure.
 */

/** @returns the host's interface and the router of a segment; null for one of the sandbox's own */
export function lanOf(site: Site, segment: string | undefined): StoredServer["lan"] {
	const { lan, gateway, subnet } = (segment !== undefined && named(site.segments, segment)) || {};
	const parsed = parseSubnet(subnet ?? "");
	return lan === undefined || !parsed ? null : { interface: lan, gateway: gateway ?? gatewayOf(parsed) };
}

/** What the sandbox has to know of such a segment: which addresses are its servers', as all others lie on the LAN. */
export function lanPlanOf(site: Site, segment: string): Pick<SegmentPlan, "lan"> {
	const lan = lanOf(site, segment);
	if (!lan) return {};
	const servers = Object.values(site.servers ?? {}).flatMap(({ network }) =>
		network?.segment === segment ? [{ address: network.address, address6: network.address6 }] : [],
	);
	return { lan: { gateway: lan.gateway, servers } };
}
