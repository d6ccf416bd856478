import { ipv4, ipv6 } from "../addresses.ts";
import { portsOf } from "./inner-rules.ts";
import type { InboundServer, Redirect } from "./plan.ts";

/** What the table of a cable's outer end has for what goes in: servers that others than the host may reach, and redirections. */
export const inwardBody = [
	"set inward { typeof ip daddr; }",
	"set inward6 { typeof ip6 daddr; }",
	"chain to_servers { }",
	"chain own_to_servers { }",
];

/**
 * Rules of the chain that all packets to a sandbox pass which the host itself does not send. What of a server may be
 * reached the inner end judges, which counts what it drops by server.
 */
export const inwardRules = [
	"ip daddr @inward accept",
	"ip6 daddr @inward6 accept",
	// Redirected to a server: by this table's own rules, as its address is known to nobody else.
	"ct status dnat accept",
];

/**
 * The lines for `nft -f -` that bring them to a plan, of whatever they were before, in one transaction.
 * @throws RangeError for what is no address or port
 */
export function inwardLines(table: string, servers: readonly InboundServer[]): string[] {
	const open = servers.filter(({ ways }) => ways.some(({ to }) => to === "lan"));
	const fill = (set: string, elements: readonly string[]) => [
		`flush set inet ${table} ${set}`,
		...(elements.length === 0 ? [] : [`add element inet ${table} ${set} { ${elements.join(", ")} }`]),
	];
	const redirects = servers.flatMap(({ address, redirects }) =>
		redirects.map((redirect) => ({ redirect, rule: redirectRule(address, redirect) })),
	);
	return [
		...fill(
			"inward",
			open.map(({ address }) => ipv4(address)),
		),
		...fill(
			"inward6",
			open.flatMap(({ address6 }) => (address6 === undefined ? [] : [ipv6(address6)])),
		),
		`flush chain inet ${table} to_servers`,
		`flush chain inet ${table} own_to_servers`,
		...redirects
			.filter(({ redirect }) => redirect.to === "lan")
			.map(({ rule }) => `add rule inet ${table} to_servers ${rule}`),
		...redirects.map(({ redirect: { to }, rule }) => {
			// As the front door listens: for the host alone there, where no other program of the host does.
			const where = to === "host" ? "ip daddr 127.0.0.1 " : "";
			return `add rule inet ${table} own_to_servers ${where}${rule}`;
		}),
	];
}

/** Of IPv4 only, as front doors reach servers by IPv4. */
function redirectRule(address: string, { listen, port }: Redirect): string {
	const range = (port: number) => portsOf({ protocol: "udp", first: port, last: port });
	return `udp dport ${range(listen)} dnat ip to ${ipv4(address)}:${range(port)}`;
}
