import { z } from "zod";
import { BulkheadError } from "../../api/errors.ts";
import { addressesOf, ourProtocol } from "../addresses.ts";
import { tableOf } from "../outbound/outer-rules.ts";
import { at, interfacesOf, type Outside } from "../outbound/outside.ts";
import type { OutboundServer } from "../outbound/plan.ts";
import { type Link, outerNameOf } from "../outbound/uplink.ts";
import { inwardLines } from "./outer-rules.ts";
import type { InboundServer } from "./plan.ts";

/** A place on the host: an address of IPv4 or IPv6, or an address and the interface by which it is answered for. */
interface Places {
	routes: string[];
	proxies: string[];
}

const routes = z.array(z.object({ dst: z.string(), dev: z.string() }));
const ways = z.array(z.object({ dev: z.string().optional() }));
const proxies = z.array(z.object({ dst: z.string(), dev: z.string(), protocol: z.string().optional() }));

/**
 * Lets in on the host's side what the plan says: routes to the servers' own addresses, answers for them on the LAN (proxy
 * ARP and NDP), and what others than the host may open. What is right already stays. Nobody is answered on an interface
 * that is not there, as when it has got another name, nor at an address that the host has another way to: all else is let in
 * all the same.
 * @param onLan servers whose addresses the LAN is to find
 * @throws BulkheadError bad-input when the host has another way to an address, after all else was done; CommandError, RangeError
 */
export async function ensureInward(
	link: Link,
	servers: readonly InboundServer[],
	onLan: readonly OutboundServer[],
	outside: Outside,
): Promise<void> {
	const lines = inwardLines(tableOf(link.outer), servers);
	await at(outside, ["nft", "-f", "-"], `${lines.join("\n")}\n`);
	const there = await placesOf(link.outer, outside);
	const interfaces = await interfacesOf(outside);
	const answered = onLan.filter(({ lan }) => lan !== undefined && interfaces.includes(lan));
	const reached = servers.filter(({ ways, redirects }) => ways.length + redirects.length > 0);
	const addresses = [...new Set([...reached, ...onLan].flatMap(addressesOf))];
	const others = await otherWays(
		addresses.filter((one) => !there.routes.includes(one)),
		outside,
	);
	const ours = (address: string) => !others.has(address);
	const wanted: Places = {
		routes: addresses.filter(ours),
		proxies: answered.flatMap((server) =>
			addressesOf(server)
				.filter(ours)
				.map((address) => `${address} dev ${server.lan}`),
		),
	};
	const changes = [
		...there.proxies.filter((one) => !wanted.proxies.includes(one)).map((one) => `neigh del proxy ${one}`),
		...there.routes.filter((one) => !wanted.routes.includes(one)).map((one) => removal(one, link.outer)),
		...wanted.routes.filter((one) => !there.routes.includes(one)).map((one) => routeLine(one, link)),
		...wanted.proxies
			.filter((one) => !there.proxies.includes(one))
			.map((one) => `neigh add proxy ${one} protocol ${ourProtocol}`),
	];
	if (changes.length > 0) await at(outside, ["ip", "-batch", "-"], `${changes.join("\n")}\n`);
	const [other] = others;
	if (other) throw refusal(...other);
}

/** Takes away what `ensureInward` made for a sandbox, but for the rules, which go with the cable's table. @throws CommandError */
export async function removeInward(namespace: string, outside: Outside): Promise<void> {
	const { proxies: own } = await placesOf(outerNameOf(namespace), outside);
	if (own.length === 0) return;
	const lines = own.map((one) => `neigh del proxy ${one}`);
	await at(outside, ["ip", "-batch", "-"], `${lines.join("\n")}\n`);
}

/** What the host has for a cable: its routes, and the answers for addresses that they lead to. */
async function placesOf(outer: string, outside: Outside): Promise<Places> {
	const all = (await Promise.all([4, 6].map(async (family) => await routesOf(family, outside)))).flat();
	const own = all.filter(({ dev, dst }) => dev === outer && !dst.includes("/")).map(({ dst }) => dst);
	// Made after its route and removed before it: one without a route is left of a cable that is gone.
	const known = new Set(all.map(({ dst }) => dst));
	const text = await Promise.all(
		[4, 6].map(async (family) => await ipJson(["neigh", "show", "proxy"], family, outside)),
	);
	const answered = text.flatMap((one) => proxies.parse(one));
	return {
		routes: own,
		proxies: answered
			.filter(({ dst, protocol }) => protocol === ourProtocol && (own.includes(dst) || !known.has(dst)))
			.map(({ dst, dev }) => `${dst} dev ${dev}`),
	};
}

async function routesOf(family: number, outside: Outside): Promise<z.infer<typeof routes>> {
	const found = await ipJson(["route", "show", "proto", ourProtocol], family, outside);
	return routes.parse(found);
}

async function ipJson(words: readonly string[], family: number, outside: Outside): Promise<unknown> {
	const text = (await at(outside, ["ip", `-${family}`, "-j", ...words])).trim();
	return text === "" ? [] : JSON.parse(text);
}

/**
 * Another program's routes, or those to another daemon's servers: whoever asks for such an address means that one.
 * @returns those of the addresses that the host has a route to, and by what
 */
async function otherWays(addresses: readonly string[], outside: Outside): Promise<Map<string, string>> {
	const found = new Map<string, string>();
	for (const address of addresses) {
		const [family, length] = address.includes(":") ? [6, 128] : [4, 32];
		const words = ["route", "show", "exact", `${address}/${length}`];
		const [first] = ways.parse(await ipJson(words, family, outside));
		if (first) found.set(address, first.dev ?? "another program");
	}
	return found;
}

function refusal(address: string, by: string): BulkheadError {
	const message = `this host already has a route to ${address}, by ${by}; give the server another address, or remove that route`;
	return new BulkheadError("bad-input", message);
}

function routeLine(address: string, { outer, outerAddresses, innerAddresses }: Link): string {
	const which = address.includes(":") ? 1 : 0;
	return `route add ${address} via ${innerAddresses[which]} dev ${outer} src ${outerAddresses[which]} proto ${ourProtocol}`;
}

function removal(address: string, outer: string): string {
	return `route del ${address} dev ${outer}`;
}
