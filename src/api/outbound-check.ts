import { contains, overlap, parseAddress, parseSubnet } from "./addresses.ts";
import { contains6, overlap6, parseAddress6, parseSubnet6 } from "./addresses6.ts";
import { familyOfPlace } from "./outbound.ts";
import type { Problem } from "./problem.ts";
import type { ServerDefinition, Site } from "./site.ts";

/** What is wrong with what the servers of a site may reach outside. */
export function outboundProblems(site: Site): Problem[] {
	return Object.entries(site.servers ?? {}).flatMap(([name, server]) => problemsOf(site, server, name));
}

function problemsOf(site: Site, { outbound, network }: ServerDefinition, name: string): Problem[] {
	const at = ["servers", name, "outbound"];
	if (outbound === undefined || outbound === "deny") return [];
	if (!network)
		return [
			{ path: at, message: "a server without `network:` reaches nothing; give it a segment and an address" },
		];
	if (outbound === "allow") return [];
	return outbound.flatMap(({ to, protocol = "tcp", ports }, i): Problem[] => {
		const problems: Problem[] = [];
		const refuse = (key: string, message: string) => problems.push({ path: [...at, i, key], message });
		if (ports && protocol !== "tcp" && protocol !== "udp")
			refuse("ports", `${protocol} has no ports; leave this out, or say \`protocol: tcp\` or \`udp\``);
		const inside = segmentOf(site, to);
		if (inside !== undefined)
			refuse("to", `${to} is in segment ${inside}, not outside; let servers reach each other by \`allow:\``);
		else if (to.toLowerCase().endsWith(`.${site.name}`))
			refuse("to", `${to} is a name of this site, not outside; let servers reach each other by \`allow:\``);
		else if (familyOfPlace(to) === 6 && network.address6 === undefined)
			refuse("to", `${to} is IPv6, and ${name} has no \`address6:\`; give it one, or leave this out`);
		return problems;
	});
}

/** @returns the segment that a place lies in or overlaps; one that is a network of the LAN has the LAN's machines outside */
function segmentOf(site: Site, to: string): string | undefined {
	return Object.entries(site.segments ?? {}).find(
		([, { subnet, subnet6 = "", lan }]) => lan === undefined && (meets(to, subnet) || meets6(to, subnet6)),
	)?.[0];
}

function meets(to: string, text: string): boolean {
	const [subnet, address, network] = [parseSubnet(text), parseAddress(to), parseSubnet(to)];
	if (!subnet) return false;
	if (address !== undefined) return contains(subnet, address);
	// A network around the segment is all right: what is inside stays inside.
	return network !== undefined && network.length >= subnet.length && overlap(subnet, network);
}

function meets6(to: string, text: string): boolean {
	const [subnet, address, network] = [parseSubnet6(text), parseAddress6(to), parseSubnet6(to)];
	if (!subnet) return false;
	if (address !== undefined) return contains6(subnet, address);
	return network !== undefined && network.length >= subnet.length && overlap6(subnet, network);
}
