import { z } from "zod";
import { outerPrefix } from "./outer-rules.ts";
import { at, interfacesOf, type Outside } from "./outside.ts";

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

/** What is to pass the host. */
export interface Passing {
	/** IPv6 too. */
	six: boolean;
	/** Also what others than the host open. */
	inward?: boolean;
	/** The host's interface on whose network a server has its address. */
	lan?: string | undefined;
}

/**
 * What of the host's own settings stops what passes between its sandboxes and others: Bulkhead does not change them.
 * @throws CommandError
 */
export async function obstaclesOf(
	{ six, inward = false, lan }: Passing,
	outside: Outside = {},
): Promise<Obstacle[]> {
	const found = await Promise.all([
		routes(outside, "net/ipv4/ip_forward", "net.ipv4.ip_forward", "IPv4"),
		six ? routes(outside, "net/ipv6/conf/all/forwarding", "net.ipv6.conf.all.forwarding", "IPv6") : [],
		lan === undefined ? [] : onLan(outside, lan, six),
		closedChains(outside, inward),
	]);
	return found.flat();
}

async function onLan(outside: Outside, lan: string, six: boolean): Promise<Obstacle[]> {
	if ((await interfacesOf(outside)).includes(lan)) return six ? await answers(outside, lan) : [];
	const mend = `write the name that it has now, under the segment's \`lan:\`, and apply the site`;
	return [{ found: `this host has no network interface ${lan}`, mend }];
}

/** The kernel answers for other addresses of IPv6 only where that is wanted; for those of IPv4 wherever it routes. */
async function answers(outside: Outside, lan: string): Promise<Obstacle[]> {
	const values = await Promise.all(
		["all", lan].map(async (dev) => await settingOf(outside, `net/ipv6/conf/${dev}/proxy_ndp`)),
	);
	if (values.includes("1")) return [];
	const setting = `net.ipv6.conf.${lan.replaceAll(".", "/")}.proxy_ndp`;
	return [
		{
			found: `this host does not answer for IPv6 addresses of others on ${lan} (${setting} is 0)`,
			mend: mendOf(setting),
		},
	];
}

async function settingOf(outside: Outside, file: string): Promise<string> {
	const script = 'cat "/proc/sys/$1" 2>/dev/null || echo 0';
	return (await at(outside, ["sh", "-c", script, "sh", file])).trim();
}

function mendOf(setting: string): string {
	return `sysctl -w ${setting}=1, and the line \`${setting} = 1\` in /etc/sysctl.d/bulkhead.conf for the next boot`;
}

async function routes(outside: Outside, file: string, setting: string, family: string): Promise<Obstacle[]> {
	if ((await settingOf(outside, file)) !== "0") return [];
	return [{ found: `this host does not route ${family} (${setting} is 0)`, mend: mendOf(setting) }];
}

/** Chains of other programs that drop what is routed by default, and do not have the two rules that let it pass. */
async function closedChains(outside: Outside, inward: boolean): Promise<Obstacle[]> {
	const found = chains.parse(JSON.parse(await at(outside, ["nft", "-j", "list", "chains"])));
	const closed = found.nftables.flatMap(({ chain }) =>
		chain?.hook === "forward" && chain.policy === "drop"
			? [[chain.family, chain.table, chain.name] as const]
			: [],
	);
	return (await Promise.all(closed.map(async (place) => await obstacleOf(place, inward, outside)))).flat();
}

async function obstacleOf(
	place: readonly [string, string, string],
	inward: boolean,
	outside: Outside,
): Promise<Obstacle[]> {
	const rules = [
		`iifname "${outerPrefix}*" accept`,
		// What may go in the table of the sandbox's own end decides.
		inward
			? `oifname "${outerPrefix}*" accept`
			: `oifname "${outerPrefix}*" ct state established,related accept`,
	];
	const text = await at(outside, ["nft", "list", "chain", ...place]);
	if (rules.every((rule) => text.includes(rule))) return [];
	const chain = place.join(" ");
	const mend = rules.map((rule) => `nft 'insert rule ${chain} ${rule}'`).join(" and ");
	return [{ found: `the host's firewall chain \`${chain}\` drops what is routed`, mend }];
}
