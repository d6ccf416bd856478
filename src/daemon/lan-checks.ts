import { networkInterfaces } from "node:os";
import { contains, parseAddress, parseSubnet } from "../api/addresses.ts";
import { named } from "../api/named.ts";
import type { Site } from "../api/site.ts";
import type { SiteProblem } from "./site-file.ts";

/** What is wrong with the segments that are networks of the LAN, on this host as it is now. */
export async function lanProblems(site: Site): Promise<SiteProblem[]> {
	const host = addressesOfHost();
	const segments = Object.entries(site.segments ?? {}).flatMap(([name, { lan, subnet }]): SiteProblem[] => {
		if (lan === undefined) return [];
		const path = ["segments", name, "lan"];
		const addresses = host.get(lan);
		if (!addresses) {
			const there = [...host.keys()].filter((one) => one !== "lo").join(", ") || "none";
			return [
				{ path, message: `this host has no network interface ${lan} with an address; it has ${there}` },
			];
		}
		const network = parseSubnet(subnet);
		const own = addresses.map((text) => parseAddress(text)).filter((one) => one !== undefined);
		if (!network || own.some((one) => contains(network, one))) return [];
		const message = `${lan} has no address in ${subnet} (it has ${addresses.join(", ")}); write its network, or name another interface`;
		return [{ path, message }];
	});
	return [...segments, ...ownAddresses(site, [...host.values()].flat())];
}

/** By interface: those that are up and have one. */
function addressesOfHost(): Map<string, string[]> {
	const found = Object.entries(networkInterfaces()).map(([name, all = []]): [string, string[]] => [
		name,
		all.filter(({ family }) => family === "IPv4").map(({ address }) => address),
	]);
	return new Map(found.filter(([, addresses]) => addresses.length > 0));
}

function ownAddresses(site: Site, taken: readonly string[]): SiteProblem[] {
	return Object.entries(site.servers ?? {}).flatMap(([name, { network }]) => {
		if (!network || named(site.segments, network.segment)?.lan === undefined) return [];
		if (!taken.includes(network.address)) return [];
		const message = `${network.address} is an address of this host itself; give the server another one of its network`;
		return [{ path: ["servers", name, "network", "address"], message }];
	});
}
