import { z } from "zod";
import { outerPrefix } from "./outer-rules.ts";
import { at, type Outside } from "./outside.ts";

/** Why nothing passes the host although a sandbox has a way out, and what to do. */
export interface Obstacle {
	found: string;
	mend: string;
}

const chains = z.object({
	nftables: z.array(
		z.object({
			chain: z
				.object({
					family: z.string(),
					table: z.string(),
					name: z.string(),
					hook: z.string().optional(),
					policy: z.string().optional(),
				})
				.optional(),
		}),
	),
});

/**
 * What of the host's own settings stops what its sandboxes are let out: Bulkhead does not change them.
 * @param six whether IPv6 is to pass too
 * @throws CommandError
 */
export async function obstaclesOf(six: boolean, outside: Outside = {}): Promise<Obstacle[]> {
	const [four, sixth] = await Promise.all([
		routes(outside, "net/ipv4/ip_forward", "net.ipv4.ip_forward", "IPv4"),
		six ? routes(outside, "net/ipv6/conf/all/forwarding", "net.ipv6.conf.all.forwarding", "IPv6") : [],
	]);
	return [...four, ...sixth, ...(await closedChains(outside))];
}

async function routes(outside: Outside, file: string, setting: string, family: string): Promise<Obstacle[]> {
	const script = 'cat "/proc/sys/$1" 2>/dev/null || echo 0';
	const value = (await at(outside, ["sh", "-c", script, "sh", file])).trim();
	if (value !== "0") return [];
	const mend = `sysctl -w ${setting}=1, and the line \`${setting} = 1\` in /etc/sysctl.d/bulkhead.conf for the next boot`;
	return [{ found: `this host does not route ${family} (${setting} is 0)`, mend }];
}

/** Chains of other programs that drop what is routed by default, and do not have the two rules that let it pass. */
async function closedChains(outside: Outside): Promise<Obstacle[]> {
	const found = chains.parse(JSON.parse(await at(outside, ["nft", "-j", "list", "chains"])));
	const closed = found.nftables.flatMap(({ chain }) =>
		chain?.hook === "forward" && chain.policy === "drop"
			? [[chain.family, chain.table, chain.name] as const]
			: [],
	);
	return (await Promise.all(closed.map(async (place) => await obstacleOf(place, outside)))).flat();
}

async function obstacleOf(place: readonly [string, string, string], outside: Outside): Promise<Obstacle[]> {
	const rules = [
		`iifname "${outerPrefix}*" accept`,
		`oifname "${outerPrefix}*" ct state established,related accept`,
	];
	const text = await at(outside, ["nft", "list", "chain", ...place]);
	if (rules.every((rule) => text.includes(rule))) return [];
	const chain = place.join(" ");
	const mend = rules.map((rule) => `nft 'insert rule ${chain} ${rule}'`).join(" and ");
	return [{ found: `the host's firewall chain \`${chain}\` drops what is routed`, mend }];
}
