import { ipv4, ipv6 } from "../addresses.ts";
import { bridgePrefix } from "../plan.ts";
import { anew, chain, stateOf, type Table, transact } from "../table.ts";
import { type Answerer, asked } from "./plan.ts";

const fromGuest = `iifname "${bridgePrefix}*"`;
const questions = "meta l4proto { tcp, udp } th dport 53";
/** Conversations with its answerer that one server may have going, of both families each: a UDP one is kept for 30 s. */
const mostGoing = 1000;
const table = "inet bulkhead_names";

/**
 * Leads each server's questions, sent to the sandbox's own end of its segment, to its own answerer. Who sent them is known,
 * as each port sends under its own addresses only. Whoever is not in the maps has nobody who answers.
 */
export const namesTable: Table = {
	family: "inet",
	name: "bulkhead_names",
	body: [
		"counter too_many { }",
		"counter from_inside { }",
		"map ports { type ipv4_addr : inet_service; }",
		"map ports6 { type ipv6_addr : inet_service; }",
		"set listening { type inet_service; }",
		"set going { type ipv4_addr; size 65535; flags dynamic; }",
		"set going6 { type ipv6_addr; size 65535; flags dynamic; }",
		...chain("prerouting", "type nat hook prerouting priority dstnat; policy accept;", [
			`${fromGuest} fib daddr type local ${questions} ct mark set ${asked} redirect to : ip saddr map @ports`,
			`${fromGuest} fib daddr type local ${questions} ct mark set ${asked} redirect to : ip6 saddr map @ports6`,
		]),
		...chain("input", "type filter hook input priority filter - 5; policy accept;", [
			// A captured QEMU lives in the same namespace, and may not ask in another server's name.
			'iifname "lo" meta l4proto { tcp, udp } th dport @listening counter name from_inside drop',
			`${fromGuest} ct state new ct mark ${asked} add @going { ip saddr ct count over ${mostGoing} } counter name too_many drop`,
			`${fromGuest} ct state new ct mark ${asked} add @going6 { ip6 saddr ct count over ${mostGoing} } counter name too_many drop`,
		]),
	],
};

/** Brings the maps to exactly these, in one transaction. @throws CommandError, RangeError */
export async function leadQuestions(namespace: string, answerers: readonly Answerer[]): Promise<void> {
	const there = await stateOf(namespace, namesTable);
	const changes = leadLines(answerers);
	await transact(namespace, there === "same" ? changes : [...anew(namesTable), ...changes]);
}

/**
 * The lines of `nft` for it. An address leads to one answerer, or the kernel takes none of them: while a server has the
 * address of one that is about to go, that is the last one in the list, whose server is the newer.
 * @throws RangeError for what is no address or port
 */
export function leadLines(answerers: readonly Answerer[]): string[] {
	const four = answerers.map(({ address, port }) => [ipv4(address), whole(port)] as const);
	const six = answerers.flatMap(({ address6, port }) =>
		address6 === undefined ? [] : [[ipv6(address6), whole(port)] as const],
	);
	const ports = answerers.map(({ port }) => whole(port));
	return [
		...filled("map", "ports", entries(four)),
		...filled("map", "ports6", entries(six)),
		...filled("set", "listening", ports),
	];
}

function entries(pairs: readonly (readonly [string, string])[]): string[] {
	return [...new Map(pairs)].map(([address, port]) => `${address} : ${port}`);
}

function filled(kind: "map" | "set", name: string, elements: readonly string[]): string[] {
	const fill = `add element ${table} ${name} { ${[...new Set(elements)].sort().join(", ")} }`;
	return [`flush ${kind} ${table} ${name}`, ...(elements.length === 0 ? [] : [fill])];
}

function whole(port: number): string {
	if (!Number.isInteger(port) || port < 1024 || port > 65_535) throw new RangeError(`not a port: ${port}`);
	return `${port}`;
}
