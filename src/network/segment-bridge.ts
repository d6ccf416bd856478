import { z } from "zod";
import { gatewayOf, parseSubnet } from "../api/addresses.ts";
import { gatewayOf6, parseSubnet6 } from "../api/addresses6.ts";
import { BulkheadError } from "../api/errors.ts";
import { ipv4, ipv6, ourProtocol } from "./addresses.ts";
import { ip, ipBatch, type Link, setKernel } from "./namespace.ts";
import { bridgeAddressOnLan, bridgeLinkLocal, bridgeMacOf, bridgeNameOf, type SegmentPlan } from "./plan.ts";

/** The sandbox's own addresses on a segment, as `10.77.0.1/24`. */
export interface End {
	address: string;
	/** Its link-local address first; empty without IPv6. */
	addresses6: readonly string[];
}

/** @throws BulkheadError for a network that is none */
export function endOf({ name, subnet, subnet6, lan }: SegmentPlan): End {
	const four = parseSubnet(subnet);
	if (!four) throw notOne(name, "subnet", subnet, "IPv4", "10.77.0.0/24");
	const address = lan ? `${bridgeAddressOnLan}/32` : `${gatewayOf(four)}/${four.length}`;
	if (subnet6 === undefined) return { address, addresses6: [] };
	const six = parseSubnet6(subnet6);
	if (!six) throw notOne(name, "subnet6", subnet6, "IPv6", "fd00:77::/64");
	const linkLocal = `${bridgeLinkLocal}/64`;
	return { address, addresses6: lan ? [linkLocal] : [linkLocal, `${gatewayOf6(six)}/${six.length}`] };
}

function notOne(segment: string, key: string, text: string, family: string, example: string): BulkheadError {
	const message = `segments.${segment}.${key}: "${text}" is not an ${family} network; write it as ${example}`;
	return new BulkheadError("bad-input", message);
}

/**
 * Brings a segment's bridge to what it is to be; addresses that are right stay, and what uses them.
 * @param there the bridges that there are
 * @throws CommandError
 */
export async function ensureBridge(
	namespace: string,
	site: string,
	segment: SegmentPlan,
	there: readonly Link[],
	undo: AsyncDisposableStack,
): Promise<void> {
	const name = bridgeNameOf(segment.name);
	const mac = bridgeMacOf(site, segment.name);
	const { address, addresses6 } = endOf(segment);
	const old = there.find(({ ifname }) => ifname === name);
	const plain = ["stp_state", "0", "forward_delay", "0", "mcast_snooping", "0"];
	if (!old) {
		await ip(namespace, "link", "add", name, "address", mac, "type", "bridge", ...plain);
		undo.defer(async () => {
			await ip(namespace, "link", "del", name);
		});
	} else if (old.address !== mac) await ip(namespace, "link", "set", name, "address", mac);
	await setKernel(namespace, settingsOf(name, addresses6.length > 0, segment.lan !== undefined));
	if (!hasOnly(old, "inet", [address])) {
		await ip(namespace, "-4", "addr", "flush", "dev", name);
		await ip(namespace, "addr", "add", address, "dev", name);
	}
	if (addresses6.length > 0 && !hasOnly(old, "inet6", addresses6)) {
		await ip(namespace, "-6", "addr", "flush", "dev", name);
		// Nobody else can have them, and nobody is to wait for that to be found out.
		for (const own of addresses6) await ip(namespace, "addr", "add", own, "dev", name, "nodad");
	}
	await ip(namespace, "link", "set", name, "up");
	await ensureRoutes(namespace, name, segment);
}

/**
 * Of a network of the LAN only the servers' own addresses lie on the bridge; all others lie beyond the cable to the host.
 * Other segments have no such routes.
 */
async function ensureRoutes(namespace: string, bridge: string, { lan, subnet6 }: SegmentPlan): Promise<void> {
	const wanted = (lan?.servers ?? []).flatMap(({ address, address6 }) => [
		ipv4(address),
		...(address6 === undefined || subnet6 === undefined ? [] : [ipv6(address6)]),
	]);
	const there: string[] = [];
	for (const family of ["-4", "-6"]) {
		const text = (
			await ip(namespace, family, "-j", "route", "show", "dev", bridge, "proto", ourProtocol)
		).trim();
		there.push(...routes.parse(text === "" ? [] : JSON.parse(text)).map(({ dst }) => dst));
	}
	const lines = [
		...there.filter((one) => !wanted.includes(one)).map((one) => `route del ${one} dev ${bridge}`),
		...wanted
			.filter((one) => !there.includes(one))
			.map((one) => `route add ${one} dev ${bridge} proto ${ourProtocol}`),
	];
	if (lines.length > 0) await ipBatch(namespace, lines);
}

const routes = z.array(z.object({ dst: z.string() }));

/**
 * The bridge answers for every server of its segment (proxy ARP and NDP), so that what they send each other comes to the
 * firewall, and does so at once. Where the segment is a network of the LAN it also answers for everybody beyond the cable
 * to the host. It tells nobody of a shorter way. And it looks for nobody: it was told where each server is (port.ts), and
 * one guest that tries all addresses would fill the kernel's tables of neighbours, which the host and all namespaces share.
 */
function settingsOf(bridge: string, six: boolean, onLan: boolean): Record<string, number> {
	const [four, sixth] = [`net/ipv4/conf/${bridge}`, `net/ipv6/conf/${bridge}`];
	const common = {
		[`${four}/send_redirects`]: 0,
		[`${four}/proxy_arp_pvlan`]: 1,
		[`${four}/proxy_arp`]: onLan ? 1 : 0,
		[`net/ipv4/neigh/${bridge}/proxy_delay`]: 0,
		[`net/ipv4/neigh/${bridge}/mcast_solicit`]: 0,
	};
	if (!six) return { ...common, [`${sixth}/disable_ipv6`]: 1 };
	return {
		...common,
		[`${sixth}/accept_ra`]: 0,
		[`${sixth}/autoconf`]: 0,
		[`${sixth}/accept_redirects`]: 0,
		// No link-local address but the one that it is given.
		[`${sixth}/addr_gen_mode`]: 1,
		[`${sixth}/proxy_ndp`]: 1,
		[`net/ipv6/neigh/${bridge}/proxy_delay`]: 0,
		[`net/ipv6/neigh/${bridge}/mcast_solicit`]: 0,
		[`${sixth}/disable_ipv6`]: 0,
	};
}

function hasOnly(link: Link | undefined, family: "inet" | "inet6", wanted: readonly string[]): boolean {
	const has = (link?.addr_info ?? [])
		.filter((one) => one.family === family)
		.map(({ local, prefixlen }) => `${local}/${prefixlen}`);
	return has.length === wanted.length && wanted.every((address) => has.includes(address));
}
