import { isIPv4 } from "node:net";
import type { Permission } from "./plan.ts";

/** Counters that the ruleset keeps, in packets and bytes; `nft list counters` shows them. */
export const counters = ["dropped_in", "dropped_forward", "dropped_out", "opened"] as const;

/**
 * The whole firewall of a sandbox for `nft -f -`, which takes it in one transaction or not at all.
 *
 * Only the front door opens connections, each as its own user and only to what its server publishes: a captured
 * QEMU lives in the same namespace and gets nothing. Guests open none: what comes in must answer one of ours.
 * Frames between guests never get here, because their bridge ports are isolated. ARP is not filtered.
 */
export function rulesetOf(permissions: readonly Permission[]): string {
	return [
		// The first line makes sure that there is a table to delete.
		"table inet bulkhead",
		"delete table inet bulkhead",
		"table inet bulkhead {",
		...counters.map((name) => `\tcounter ${name} { }`),
		"\tset published {",
		"\t\ttypeof meta skuid . ip daddr . tcp dport",
		...elements(permissions),
		"\t}",
		...chain("input", [
			'iif "lo" accept',
			// A guest that starts refuses connections until its program listens. To the front door that is to be silence:
			// HAProxy 2.6 gives up a request that was asked again when its new connection is refused, if it was not the
			// first on its client's connection. Only the answer to a first packet has sequence number 0 (RFC 9293, 3.10.7.1).
			"tcp sequence 0 tcp flags & (syn | ack | rst) == ack | rst drop",
			"meta l4proto tcp ct state established ct direction reply accept",
			"counter name dropped_in drop",
		]),
		...chain("forward", ["counter name dropped_forward drop"]),
		...chain("output", [
			'oif "lo" accept',
			// Later packets may have lost their socket's user: what is sent after a close, resets.
			"meta l4proto tcp ct state established ct direction original accept",
			"tcp flags & (syn | ack) == syn meta skuid . ip daddr . tcp dport @published counter name opened",
			// Whatever the kernel's tracking makes of it. A front door that tries again thousands of times uses its ports
			// again, a guest that comes back answers old attempts first, and what is established is then taken for one that
			// is still being opened: a request on it would stay unanswered for minutes.
			"meta skuid . ip daddr . tcp dport @published accept",
			"counter name dropped_out drop",
		]),
		"}",
		"",
	].join("\n");
}

function chain(hook: string, rules: readonly string[]): string[] {
	return [
		`\tchain ${hook} {`,
		`\t\ttype filter hook ${hook} priority filter; policy drop;`,
		...rules.map((rule) => `\t\t${rule}`),
		"\t}",
	];
}

function elements(permissions: readonly Permission[]): string[] {
	const lines = new Set(permissions.map(element));
	return lines.size === 0 ? [] : ["\t\telements = {", [...lines].sort().join(",\n"), "\t\t}"];
}

function element({ uid, address, port }: Permission): string {
	if (!isIPv4(address) || !isWhole(uid, 2 ** 32 - 2) || !isWhole(port, 65_535)) {
		throw new RangeError(`not a permission: user ${uid}, ${address} port ${port}`);
	}
	return `\t\t\t${uid} . ${address} . ${port}`;
}

function isWhole(value: number, most: number): boolean {
	return Number.isInteger(value) && value >= 0 && value <= most;
}
