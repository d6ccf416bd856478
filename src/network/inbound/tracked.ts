import { z } from "zod";
import { CommandError } from "../../host/command.ts";
import { ipv4, ipv6 } from "../addresses.ts";
import { tableOf } from "../outbound/outer-rules.ts";
import { at, type Outside } from "../outbound/outside.ts";
import { outerNameOf } from "../outbound/uplink.ts";
import type { InboundServer } from "./plan.ts";

/**
 * The host's connection tracking decides where a UDP sender's packets go, and from which address, by the first of them, and
 * sticks to it as long as he goes on sending from the same port within 30 s (nf_conntrack_udp_timeout), as what sends logs,
 * measurements and traps does. So what it has decided is forgotten when the rules are others. Without Debian's package
 * conntrack it is not: such senders have to be started again.
 */

/** UDP of a port of the host that is led to a server. */
export interface Led {
	port: string;
	/** Its rule, as nft writes it. */
	rule: string;
}

const addresses = z.array(z.object({ addr_info: z.array(z.object({ local: z.string() })).default([]) }));

/** @returns what is led to servers now; nothing when there is no cable. @throws CommandError */
export async function ledBy(namespace: string, outside: Outside): Promise<Led[]> {
	const table = tableOf(outerNameOf(namespace));
	const tables = await at(outside, ["nft", "list", "tables"]);
	if (!tables.split("\n").includes(`table inet ${table}`)) return [];
	return ledIn(await at(outside, ["nft", "list", "chain", "inet", table, "own_to_servers"]));
}

/** Pure. @param text answer of `nft list chain` */
export function ledIn(text: string): Led[] {
	return text.split("\n").flatMap((line) => {
		const [, port] = /\budp dport (\d+) dnat /.exec(line) ?? [];
		return port === undefined ? [] : [{ port, rule: line.trim() }];
	});
}

/** Forgets who sends to ports that are led elsewhere than before; nobody else is touched. @throws CommandError */
export async function forgetMoved(
	before: readonly Led[],
	after: readonly Led[],
	outside: Outside,
): Promise<void> {
	const [old, fresh] = [before, after].map((all) => new Set(all.map(({ rule }) => rule)));
	const moved = [
		...before.filter(({ rule }) => !fresh?.has(rule)),
		...after.filter(({ rule }) => !old?.has(rule)),
	];
	const ports = [...new Set(moved.map(({ port }) => port))];
	if (ports.length === 0) return;
	const shown: unknown = JSON.parse(await at(outside, ["ip", "-j", "-4", "addr", "show"]));
	const own = addresses.parse(shown).flatMap(({ addr_info }) => addr_info.map(({ local }) => local));
	for (const port of ports)
		for (const address of own)
			await forget(["-f", "ipv4", "-p", "udp", "--orig-dst", address, "--orig-port-dst", port], outside);
}

/**
 * Forgets who sends to servers at their own addresses: before a cable's rules were there, the host's own may have sent it
 * elsewhere, or in another's name. @throws CommandError, RangeError
 */
export async function forgetSendersTo(servers: readonly InboundServer[], outside: Outside): Promise<void> {
	for (const { address, address6, ways } of servers) {
		if (ways.length === 0) continue;
		await forget(["-f", "ipv4", "-p", "udp", "--orig-dst", ipv4(address)], outside);
		if (address6 === undefined) continue;
		await forget(["-f", "ipv6", "-p", "udp", "--orig-dst", ipv6(address6)], outside);
	}
}

/** Times that conntrack is run again after one that it was about to forget had gone by itself: it stops there. */
const mostRuns = 50;

async function forget(which: readonly string[], outside: Outside): Promise<void> {
	for (let run = 1; ; run++) {
		try {
			return void (await at(outside, ["conntrack", "-D", ...which]));
		} catch (error) {
			if (!(error instanceof CommandError)) throw error;
			if (isNotThere(error) || hadNone(error)) return;
			if (run === mostRuns || !wentMeanwhile(error)) throw error;
		}
	}
}

function isNotThere({ code, cause }: CommandError): boolean {
	return code === 127 || (cause instanceof Error && "code" in cause && cause.code === "ENOENT");
}

function wentMeanwhile({ code, stderr }: CommandError): boolean {
	return code === 1 && stderr.includes("such conntrack doesn't exist");
}

function hadNone({ code, stderr }: CommandError): boolean {
	return code === 1 && stderr.includes(" 0 flow entries");
}
