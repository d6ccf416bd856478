import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { z } from "zod";
import { formatAddress6 } from "../../api/addresses6.ts";
import {
	inside,
	ip,
	ipBatch,
	type KernelSettings,
	namespaces,
	setKernel,
	settingCommand,
} from "../namespace.ts";
import { uplink } from "./inner-rules.ts";
import { markOf, outerLines, outerPrefix, tableOf } from "./outer-rules.ts";
import { at, type Outside } from "./outside.ts";

/**
 * Where the addresses of ways out are taken from, two for each: hosts that choose a link-local address by themselves must
 * not choose one of these (RFC 3927, 2.1), and no network is routed there. For IPv6, unique-local ones (RFC 4193).
 */
const firstOf4 = [169, 254, 255] as const;
const prefix6 = 0xfd62_756c_6b68n << 80n;
const pairs = 128;

/** A way out: a cable whose one end is in the sandbox and the other in the host's network. */
export interface Link {
	/** Name of the outer end. */
	outer: string;
	/** Addresses of both ends, IPv4 and IPv6. */
	outerAddresses: readonly [string, string];
	innerAddresses: readonly [string, string];
}

/** Hardware addresses of both ends: a cable has no others on it. */
const macs = { outer: "02:00:5e:00:00:01", inner: "02:00:5e:00:00:02" } as const;

/** Name of a sandbox's outer end. Interface names have at most 15 characters, namespaces' names more. */
export function outerNameOf(namespace: string): string {
	return `${outerPrefix}${createHash("sha256").update(namespace).digest("hex").slice(0, 8)}`;
}

function linkOf(namespace: string, pair: number): Link {
	const end4 = (one: number) => [...firstOf4, 2 * pair + one].join(".");
	const end6 = (one: number) => formatAddress6(prefix6 + BigInt(2 * pair + one));
	return {
		outer: outerNameOf(namespace),
		outerAddresses: [end4(0), end6(0)],
		innerAddresses: [end4(1), end6(1)],
	};
}

const shown = z.array(
	z.object({ ifname: z.string(), addr_info: z.array(z.object({ local: z.string() })).default([]) }),
);

/**
 * Chooses the addresses of a sandbox's cable; those of one that is there stay.
 * @throws CommandError, Error when all addresses are in use
 */
export async function chooseLink(namespace: string, outside: Outside): Promise<Link> {
	const there = await linksOf(outside);
	const outer = outerNameOf(namespace);
	const own = there.find(({ ifname }) => ifname === outer)?.addr_info.map(({ local }) => local) ?? [];
	const all = Array.from({ length: pairs }, (_, pair) => linkOf(namespace, pair));
	const used = new Set(there.flatMap(({ addr_info }) => addr_info.map(({ local }) => local)));
	const kept = all.find(({ outerAddresses: [four] }) => own.includes(four));
	const link = kept ?? all.find(({ outerAddresses: [four] }) => !used.has(four));
	if (!link) throw new Error(`all ${pairs} pairs of addresses for ways out are in use`);
	return link;
}

/**
 * Makes a sandbox's cable, closed on the outside by its table before it is there; one that is there stays.
 * The inner end's rules are the caller's. When a step fails, what was made is taken away again.
 * @returns whether it was made
 * @throws CommandError
 */
export async function ensureLink(namespace: string, link: Link, outside: Outside): Promise<boolean> {
	const own = (await linksOf(outside)).find(({ ifname }) => ifname === link.outer)?.addr_info ?? [];
	const isThere = own.some(({ local }) => local === link.outerAddresses[0]);
	if (isThere && (await isWhole(namespace)) && (await isGuarded(link, outside))) return false;
	await removeLink(namespace, outside);
	try {
		await at(
			outside,
			["nft", "-f", "-"],
			`${outerLines(link.outer, link.innerAddresses, link.outerAddresses).join("\n")}\n`,
		);
		await connect(namespace, outside, link);
		return true;
	} catch (error) {
		await removeLink(namespace, outside);
		throw error;
	}
}

/**
 * Whether its table is there on the outside, with these rules. The host's other programs may remove it: Debian's
 * nftables.service begins with `flush ruleset`.
 */
async function isGuarded({ outer, innerAddresses }: Link, outside: Outside): Promise<boolean> {
	const tables = await at(outside, ["nft", "list", "tables"]);
	if (!tables.split("\n").includes(`table inet ${tableOf(outer)}`)) return false;
	const table = await at(outside, ["nft", "-t", "list", "table", "inet", tableOf(outer)]);
	return table.includes(`comment "${markOf([outer, ...innerAddresses])}"`);
}

/** The last step of making one is the inner end's route. */
async function isWhole(namespace: string): Promise<boolean> {
	return (await ip(namespace, "-4", "route", "show", "default")).includes(`dev ${uplink}`);
}

async function connect(namespace: string, outside: Outside, link: Link): Promise<void> {
	const { outer, outerAddresses, innerAddresses } = link;
	const cable = ["link", "add", outer, "address", macs.outer, "type", "veth"];
	await at(outside, ["ip", ...cable, "peer", "name", uplink, "address", macs.inner, "netns", namespace]);
	await setKernel(namespace, settingsOf(uplink));
	// The host's own packets to 127.0.0.1 that are redirected to a server, and their answers. What else comes that way has
	// the table to pass.
	const outerSettings = { ...settingsOf(outer), [`net/ipv4/conf/${outer}/route_localnet`]: 1 };
	await at(outside, settingCommand(outerSettings));
	// A kernel without IPv6 would refuse all of its lines, and IPv4 needs none of them.
	const hasIt = (line: string) => existsSync("/proc/sys/net/ipv6") || !line.includes("::");
	const outerEnd = endLines(outer, outerAddresses, innerAddresses, "inner").filter(hasIt);
	await at(outside, ["ip", "-batch", "-"], outerEnd.join("\n"));
	const innerEnd = [
		...endLines(uplink, innerAddresses, outerAddresses, "outer"),
		`route add default via ${outerAddresses[1]} dev ${uplink}`,
		`route add default via ${outerAddresses[0]} dev ${uplink}`,
	];
	await ipBatch(namespace, innerEnd.filter(hasIt));
}

/**
 * Addresses by family, and the other end's: nothing is asked on the cable, so that nothing but what is let out has to
 * pass it.
 */
function endLines(
	dev: string,
	own: readonly [string, string],
	[four, six]: readonly [string, string],
	other: keyof typeof macs,
): string[] {
	const known = (address: string) =>
		`neigh replace ${address} lladdr ${macs[other]} dev ${dev} nud permanent`;
	return [
		`link set ${dev} up`,
		`addr add ${own[0]}/31 dev ${dev}`,
		`addr add ${own[1]}/127 dev ${dev} nodad`,
		...[known(four), known(six)],
	];
}

function settingsOf(dev: string): KernelSettings {
	return {
		[`net/ipv6/conf/${dev}/disable_ipv6`]: 0,
		[`net/ipv6/conf/${dev}/accept_ra`]: 0,
		[`net/ipv6/conf/${dev}/autoconf`]: 0,
		[`net/ipv6/conf/${dev}/addr_gen_mode`]: 1,
		[`net/ipv4/conf/${dev}/send_redirects`]: 0,
		[`net/ipv4/conf/${dev}/accept_redirects`]: 0,
		[`net/ipv6/conf/${dev}/accept_redirects`]: 0,
	};
}

async function linksOf(outside: Outside): Promise<z.infer<typeof shown>> {
	return shown.parse(JSON.parse(await at(outside, ["ip", "-j", "addr", "show"])));
}

/** Takes a way out away, its table too, whatever there is of it. @throws CommandError */
export async function removeLink(namespace: string, outside: Outside): Promise<void> {
	const outer = outerNameOf(namespace);
	const isThere = async () => (await linksOf(outside)).some(({ ifname }) => ifname === outer);
	if (await isThere()) {
		try {
			await at(outside, ["ip", "link", "del", outer]);
		} catch (error) {
			// The kernel takes it away by itself, a moment after the sandbox's namespace.
			if (await isThere()) throw error;
		}
	}
	const tables = await at(outside, ["nft", "list", "tables"]);
	const table = `inet ${tableOf(outer)}`;
	if (tables.split("\n").includes(`table ${table}`))
		await at(outside, ["nft", "delete", "table", ...table.split(" ")]);
}

/** @returns whether a sandbox, if it is there, has rules for a way out. @throws CommandError */
export async function hasInnerTable(namespace: string): Promise<boolean> {
	if (!(await namespaces()).includes(namespace)) return false;
	return (await inside(namespace, ["nft", "list", "tables"])).split("\n").includes("table inet outbound");
}
