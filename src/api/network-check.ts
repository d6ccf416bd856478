import {
	contains6,
	formatAddress6,
	gatewayOf6,
	overlap6,
	parseAddress6,
	parseSubnet6,
} from "./addresses6.ts";
import { named } from "./named.ts";
import type { Problem } from "./problem.ts";
import type { ServerDefinition, Site } from "./site.ts";
import { nearest } from "./strict.ts";

/** What is wrong with the IPv6 of a site, and with what its servers allow each other. */
export function networkProblems(site: Site): Problem[] {
	const servers = Object.entries(site.servers ?? {});
	return [
		...overlaps(site),
		...servers.flatMap(([name, server]) => address6Problems(site, server, name)),
		...sharedAddresses(site),
		...servers.flatMap(([name, server]) => allowProblems(site, server, name)),
	];
}

function overlaps(site: Site): Problem[] {
	const segments = Object.entries(site.segments ?? {}).flatMap(([name, { subnet6 = "" }]) => {
		const parsed = parseSubnet6(subnet6);
		return parsed ? [{ name, subnet6, parsed }] : [];
	});
	return segments.flatMap((one, index) =>
		segments
			.slice(0, index)
			.filter((other) => overlap6(one.parsed, other.parsed))
			.map((other) => ({
				path: ["segments", one.name, "subnet6"],
				message: `${one.subnet6} overlaps ${other.subnet6} of segment ${other.name}; give each segment a network of its own`,
			})),
	);
}

function address6Problems(site: Site, { network }: ServerDefinition, name: string): Problem[] {
	const segment = network && named(site.segments, network.segment);
	const address = parseAddress6(network?.address6 ?? "");
	if (!network || !segment || address === undefined) return [];
	const problem = (message: string) => [{ path: ["servers", name, "network", "address6"], message }];
	const { segment: at, address6 } = network;
	if (segment.subnet6 === undefined)
		return problem(`segment ${at} has no IPv6; give it a \`subnet6:\`, or leave this out`);
	const subnet = parseSubnet6(segment.subnet6);
	if (!subnet) return [];
	if (!contains6(subnet, address))
		return problem(`${address6} is outside segment ${at} (${segment.subnet6}); choose an address inside it`);
	const own = segment.lan === undefined && formatAddress6(address) === gatewayOf6(subnet);
	if (address !== subnet.base && !own) return [];
	return problem(
		`${address6} is the network's or the sandbox's own address of ${segment.subnet6}; choose another`,
	);
}

/** However it is written. */
function sharedAddresses(site: Site): Problem[] {
	const taken = new Map<bigint, string>();
	return Object.entries(site.servers ?? {}).flatMap(([name, { network }]) => {
		const address = parseAddress6(network?.address6 ?? "");
		if (address === undefined) return [];
		const holder = taken.get(address);
		if (holder === undefined) {
			taken.set(address, name);
			return [];
		}
		const message = `${formatAddress6(address)} is already the address of ${holder}; give each server its own`;
		return [{ path: ["servers", name, "network", "address6"], message }];
	});
}

function allowProblems(site: Site, server: ServerDefinition, name: string): Problem[] {
	const servers = site.servers ?? {};
	if (server.allow?.length && !server.network) {
		const message = "nobody can reach a server without `network:`; give it a segment and an address";
		return [{ path: ["servers", name, "allow"], message }];
	}
	return (server.allow ?? []).flatMap((entry, i): Problem[] => {
		const at = ["servers", name, "allow", i];
		const from = named(servers, entry.from);
		const problems: Problem[] = [];
		if (entry.from === name)
			problems.push({
				path: [...at, "from"],
				message: "a server reaches itself without being allowed to; leave this out",
			});
		else if (!from) {
			const near = nearest(entry.from, Object.keys(servers));
			const mend = near ? `did you mean "${near}"?` : "name a server of this site";
			problems.push({ path: [...at, "from"], message: `there is no server ${entry.from}; ${mend}` });
		} else if (!from.network) {
			const message = `${entry.from} has no \`network:\`, so it can reach nothing; give it a segment and an address`;
			problems.push({ path: [...at, "from"], message });
		}
		if (entry.service === undefined && entry.port === undefined)
			problems.push({ path: at, message: "says not what for; name a `service:` or a `port:`" });
		return problems;
	});
}
