import {
	contains,
	formatAddress,
	gatewayOf,
	parseAddress,
	parseSubnet,
	sizeOf,
	writtenAs,
} from "../../api/addresses.ts";
import { named } from "../../api/named.ts";
import type { Site } from "../../api/site.ts";
import { addressProblems } from "../../api/site-check.ts";
import type { Asking } from "./asking.ts";

/** What a new site file begins with: nobody has to know of networks to try one server. */
export const newSite = "name: office\nsegments:\n  office: { subnet: 10.77.0.0/24 }\n";

interface Options {
	segment?: string;
	address?: string;
}

/** Where the server is in the site's networks; undefined in a site that has none. */
export async function placeOf(
	asking: Asking,
	site: Site,
	options: Options,
): Promise<{ segment: string; address: string } | undefined> {
	const names = Object.keys(site.segments ?? {});
	if (names.length === 0 && options.segment === undefined) return undefined;
	const [first, ...others] = names;
	const segment = await asking.answer({
		...{ words: "Segment", option: "--segment", choices: names },
		// Of one there is nothing to choose.
		given: options.segment ?? (others.length === 0 ? first : undefined),
		...(first === undefined ? {} : { fallback: first }),
		wrong: (name) =>
			names.includes(name) ? undefined : `there is no segment ${name}; there are ${names.join(", ")}`,
	});
	const free = freeAddress(site, segment);
	const address = await asking.answer({
		...{ words: "Address", option: "--address", given: options.address },
		...(free === undefined ? {} : { fallback: free }),
		wrong: (text) => addressProblem(site, segment, text),
	});
	return { segment, address };
}

function addressProblem(site: Site, segment: string, address: string): string | undefined {
	if (parseAddress(address) === undefined) return `write it as ${writtenAs(address, "10.77.0.10")}`;
	const [problem] = addressProblems(site, { segment, address }, []);
	if (problem) return problem.message;
	const [holder] =
		Object.entries(site.servers ?? {}).find(([, { network }]) => network?.address === address) ?? [];
	return holder === undefined ? undefined : `${address} is already the address of ${holder}`;
}

/** The first that no server has, from the tenth on; none in a network of others, where nobody here knows who has which. */
function freeAddress(site: Site, name: string): string | undefined {
	const segment = named(site.segments, name);
	const subnet = parseSubnet(segment?.subnet ?? "");
	if (!segment || !subnet || segment.lan !== undefined) return undefined;
	const taken = new Set(
		Object.values(site.servers ?? {}).flatMap(({ network }) => (network ? [network.address] : [])),
	);
	taken.add(gatewayOf(subnet));
	const first = sizeOf(subnet) > 16 ? 10 : 1;
	for (let number = first; number < sizeOf(subnet) - 1; number++) {
		const address = formatAddress(subnet.base + number);
		if (contains(subnet, subnet.base + number) && !taken.has(address)) return address;
	}
	return undefined;
}
