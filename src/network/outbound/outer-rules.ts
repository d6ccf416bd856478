import { inwardBody, inwardRules } from "../inbound/outer-rules.ts";

/** What all outer ends' names begin with. */
export const outerPrefix = "bhup-";
/** Another one for other rules. */
const version = 7;

/**
 * What clients of a server that has gone are asked (inbound/farewell.pl): an acknowledgement without anything, of a number
 * that fits none. One that a guest makes up opens nothing: where the host's tracking takes it for the begin of a connection
 * (nf_conntrack_tcp_loose, the default) it is dropped, and else the host answers it with a reset.
 */
const question = "ct state invalid tcp flags & (fin | syn | rst | ack) == ack meta length <= 60";

/**
 * Machines on the host's own networks that a sandbox may ask for at a time; a router counts as one. The kernel remembers each
 * that is looked for, with or without an answer, and keeps 1024 (gc_thresh3) for the host and all namespaces together: one
 * guest that tries all addresses of a network would have nobody else find anybody. It gives one up after 3 s.
 */
const [mostNeighbours, givenUpAfter] = [256, "5s"];
const neighbourSets = ["ip", "ip6"].map(
	(family) =>
		`set neighbours_${family} { typeof ${family} daddr; size ${mostNeighbours}; flags dynamic,timeout; timeout ${givenUpAfter}; }`,
);
/**
 * Connections that the servers of a sandbox may have open together. Each server's own are counted inside (inner-rules.ts), by
 * the sandbox's tracking; what it is made to believe of a connection's end, by a packet that does not get as far as here,
 * does not free the host's entry.
 */
const mostConnections = 30_000;
/** A neighbour that is known is let pass, and one more as long as the set has room. */
const reachingRules = [
	`ct state new add @opened { meta iifname ct count over ${mostConnections} } counter name too_many_connections drop`,
	"add @neighbours_ip { rt ip nexthop } accept",
	"add @neighbours_ip6 { rt ip6 nexthop } accept",
	"counter name too_many_neighbours drop",
];

/** What the host itself sends has come from no interface. */
const others = "iif != 0";

/**
 * The lines for `nft -f -` of the table that belongs to the outer end of one way out, in the host's own network. The
 * host's other tables are not touched: what they drop stays dropped. Nothing that a sandbox opens reaches the host itself
 * or another sandbox, and nothing goes in but answers, what the sets and redirections let in, and what the host itself sends,
 * which the inner end's rules judge.
 * @param link name of the outer end
 * @param inner addresses of the inner end: what comes out of servers that have none of the LAN has one of them
 * @param outer addresses of the outer end: the host itself sends from them, and nobody else may
 */
export function outerLines(link: string, inner: Addresses, outer: Addresses): string[] {
	const table = `inet ${tableOf(link)}`;
	const [four, six] = inner;
	return [
		// The first line makes sure that there is a table to delete.
		`table ${table}`,
		`delete table ${table}`,
		`table ${table} {`,
		`\tcomment "${markOf([link, ...inner])}"`,
		"\tcounter to_host { }",
		"\tcounter to_sandboxes { }",
		"\tcounter unasked { }",
		"\tcounter too_many_neighbours { }",
		"\tcounter too_many_connections { }",
		"\tset opened { type ifname; size 16; flags dynamic; }",
		...neighbourSets.map((line) => `\t${line}`),
		// Before the host's own redirections: what they lead to, such as a container, is the host's too.
		...inwardBody.map((line) => `\t${line}`),
		"\tchain prerouting {",
		"\t\ttype filter hook prerouting priority dstnat - 10; policy accept;",
		`\t\tiifname != "${link}" accept`,
		"\t\tct state established,related ct direction reply accept",
		`\t\t${question} accept`,
		"\t\tfib daddr type local counter name to_host drop",
		"\t}",
		"\tchain input {",
		"\t\ttype filter hook input priority filter - 10; policy accept;",
		`\t\tiifname != "${link}" accept`,
		"\t\tct state established,related ct direction reply accept",
		`\t\t${question} accept`,
		"\t\tcounter name to_host drop",
		"\t}",
		"\tchain forward {",
		"\t\ttype filter hook forward priority filter - 10; policy accept;",
		`\t\tiifname "${link}" goto from_sandbox`,
		`\t\toifname "${link}" goto to_sandbox`,
		"\t}",
		"\tchain from_sandbox {",
		`\t\toifname "${outerPrefix}*" counter name to_sandboxes drop`,
		"\t\tct state established,related accept",
		"\t\tgoto reaching",
		"\t}",
		"\tchain to_sandbox {",
		...inwardRules.map((rule) => `\t\t${rule}`),
		"\t\tct state established,related ct direction reply accept",
		"\t\tct state related meta l4proto { icmp, ipv6-icmp } accept",
		"\t\tcounter name unasked drop",
		"\t}",
		"\tchain reaching {",
		...reachingRules.map((rule) => `\t\t${rule}`),
		"\t}",
		"\tchain arriving {",
		"\t\ttype nat hook prerouting priority dstnat; policy accept;",
		`\t\tiifname != "${outerPrefix}*" fib daddr type local jump to_servers`,
		"\t}",
		"\tchain own {",
		"\t\ttype nat hook output priority -100; policy accept;",
		"\t\tfib daddr type local jump own_to_servers",
		"\t}",
		// The inner end knows the host's own by the outer end's addresses. What others send goes as it is, before the host's own
		// translation is asked: a container that it masquerades would come from there.
		"\tchain as_it_is {",
		"\t\ttype nat hook postrouting priority srcnat - 1; policy accept;",
		`\t\toifname "${link}" ${others} snat ip to ip saddr`,
		`\t\toifname "${link}" ${others} snat ip6 to ip6 saddr`,
		"\t}",
		// And nobody else has those addresses, nor was translated before this table was there.
		"\tchain nobody_else {",
		"\t\ttype filter hook postrouting priority srcnat + 10; policy accept;",
		`\t\toifname != "${link}" accept`,
		`\t\t${others} ip saddr ${outer[0]} counter name unasked drop`,
		`\t\t${others} ip6 saddr ${outer[1]} counter name unasked drop`,
		"\t}",
		"\tchain leaving {",
		"\t\ttype nat hook postrouting priority srcnat; policy accept;",
		`\t\tip saddr ${four} oifname != "${link}" masquerade`,
		`\t\tip6 saddr ${six} oifname != "${link}" masquerade`,
		// What the host itself sent to one of its own addresses, 127.0.0.1 too: the answer has to find back.
		`\t\toifname "${link}" ct status dnat fib saddr type local masquerade`,
		"\t}",
		"}",
	];
}

type Addresses = readonly [four: string, six: string];

/** What a table of these rules says of itself: one that says nothing, or something else, is made anew. */
export function markOf(addresses: readonly string[]): string {
	return `rules ${version} ${addresses.join(" ")}`;
}

/** Name of the table of an outer end. */
export function tableOf(link: string): string {
	return link.replace(outerPrefix, "bulkhead_uplink_");
}
