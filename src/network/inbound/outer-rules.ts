import { ipv4, ipv6 } from "../addresses.ts";
import { portsOf } from "./inner-rules.ts";
import type { InboundServer, Redirect } from "./plan.ts";

/** What the table of a cable's outer end has for what goes in: sets of what others than the host may open, and redirections. */
export const inwardBody = [
	"set inward { typeof ip daddr . meta l4proto . th dport; flags interval; }",
	"set inward6 { typeof ip6 daddr . meta l4proto . th dport; flags interval; }",
	"set whole { typeof ip daddr; }",
	"set whole6 { typeof ip6 daddr; }",
	"chain to_servers { }",
	"chain own_to_servers { }",
];

/** Rules of the chain that all packets to a sandbox pass which the host itself does not send. */
export const inwardRules = [
	"ip daddr . meta l4proto . th dport @inward accept",
	"ip6 daddr . meta l4proto . th dport @inward6 accept",
	"ip daddr @whole accept",
	"ip6 daddr @whole6 accept",
	// Redirected to a server: by this table's own rules, as its address is known to nobody else.
	"ct status dnat accept",
];

/**
 * The lines for `nft -f -` that bring them to a plan, of whatever they were before, in one transaction.
 * @throws RangeError for what is no address or port
 */
export function inwardLines(table: string, servers: readonly InboundServer[]): string[] {
	const lan = servers.flatMap((server) =>
		server.ways.filter(({ to }) => to === "lan").map(({ ports }) => ({ server, ports })),
	);
	const whole = lan.filter(({ ports }) => ports === "everything").map(({ server }) => server);
	const single = lan.flatMap(({ server, ports }) =>
		ports === "everything" ? [] : ports.map((range) => ({ server, range })),
	);
	const fill = (set: string, elements: readonly string[]) => [
		`flush set inet ${table} ${set}`,
		...(elements.length === 0
			? []
			: [`add element inet ${table} ${set} { ${[...new Set(elements)].sort().join(", ")} }`]),
	];
	const six = (server: InboundServer) => (server.address6 === undefined ? [] : [ipv6(server.address6)]);
	const redirects = servers.flatMap(({ address, redirects }) =>
		redirects.map((redirect) => ({ redirect, rule: redirectRule(address, redirect) })),
	);
	return [
		...fill(
			"inward",
			single.map(({ server, range }) => `${ipv4(server.address)} . ${range.protocol} . ${portsOf(range)}`),
		),
		...fill(
			"inward6",
			single.flatMap(({ server, range }) =>
				six(server).map((address) => `${address} . ${range.protocol} . ${portsOf(range)}`),
			),
		),
		...fill(
			"whole",
			whole.map(({ address }) => ipv4(address)),
		),
		...fill("whole6", whole.flatMap(six)),
		`flush chain inet ${table} to_servers`,
		`flush chain inet ${table} own_to_servers`,
		...redirects
			.filter(({ redirect }) => redirect.to === "lan")
			.map(({ rule }) => `add rule inet ${table} to_servers ${rule}`),
		...redirects.map(({ rule }) => `add rule inet ${table} own_to_servers ${rule}`),
	];
}

/** Of IPv4 only, as front doors reach servers by IPv4. */
function redirectRule(address: string, { listen, port }: Redirect): string {
	const range = (port: number) => portsOf({ protocol: "udp", first: port, last: port });
	return `udp dport ${range(listen)} dnat ip to ${ipv4(address)}:${range(port)}`;
}
