import { isIPv4 } from "node:net";
import { ipv4 } from "./addresses.ts";
import { disjoint } from "./disjoint.ts";
import { type Answerer, asked } from "./names/plan.ts";
import { checkPorts, pace } from "./pace.ts";
import { changesOf, type Elements, elementsOf, pathText, segmentText } from "./passed.ts";
import { type Between, bridgeLinkLocal, bridgePrefix, type Path, type Permission } from "./plan.ts";
import { anew, chain, stateOf, type Table, transact } from "./table.ts";

/** Counters that the ruleset keeps, in packets and bytes; `nft list counters` shows them. */
export const counters = ["dropped_in", "dropped_forward", "dropped_out", "opened"] as const;

/** A guest's side of the sandbox: bridges alone have such names. */
const fromGuest = `iifname "${bridgePrefix}*"`;
const toGuest = `oifname "${bridgePrefix}*"`;

/** A front door begins a connection to its guest. */
const begins = "tcp flags & (syn | ack) == syn meta skuid . ip daddr . tcp dport @published";

/** The mark of what is said in the name of servers that have gone. */
const farewell = "0x62756c6b";

/**
 * Connections that one server may have open to the others together. Each is an entry in the sandbox's connection tracking,
 * which front doors and all servers share.
 */
const mostConnections = 10_000;

/** Where all routers, and all who answer DHCPv6, are asked. */
const askedTogether = "ip6 daddr { ff02::2, ff02::1:2 }";

/** What comes for whoever tells guests their addresses; what is too much falls through, and is counted with the rest. */
function leaseQuestions(what: string): string {
	return `${what} update @leasing { ether saddr limit rate 20/second burst 40 packets } accept`;
}

/**
 * The whole firewall of a sandbox.
 *
 * Only the front door opens connections from inside the namespace, each as its own user and only to what its server
 * publishes: a captured QEMU lives in the same namespace and gets nothing. Guests open what `allow:` names, and nothing
 * else; else what comes in must answer one of ours. Frames between guests never get here as frames, because their bridge
 * ports are isolated: the bridge answers for every address (proxy ARP and NDP), so what guests send each other is routed,
 * through these rules. Who sent a packet is known, as each port sends under its own addresses only (spoofing.ts).
 */
export const firewall: Table = {
	family: "inet",
	body: [
		...counters.map((name) => `counter ${name} { }`),
		"set published { typeof meta skuid . ip daddr . tcp dport; }",
		"set coming { typeof ip daddr . tcp dport; size 65535; flags dynamic,timeout; timeout 1m; }",
		"set allowed { typeof ip saddr . ip daddr . meta l4proto . th dport; flags interval; counter; }",
		"set allowed6 { typeof ip6 saddr . ip6 daddr . meta l4proto . th dport; flags interval; counter; }",
		"set open { typeof meta iifname . meta oifname; counter; }",
		// Who may say something to whom by allowed paths, of whatever protocol.
		"set pairs { typeof ip saddr . ip daddr; }",
		"set pairs6 { typeof ip6 saddr . ip6 daddr; }",
		"set opening { type ether_addr; size 65535; flags dynamic; }",
		"set answering { type uid . inet_service; }",
		"set upstreams { typeof meta skuid . ip daddr; }",
		"set leasing { type ether_addr; size 65535; flags dynamic, timeout; timeout 1m; }",
		// Questions for addresses and routers, no more of each guest than one that begins has: they share who answers them.
		"chain leases {",
		`\t${leaseQuestions("udp sport 68 udp dport 67")}`,
		`\t${leaseQuestions("udp sport 546 udp dport 547")}`,
		`\t${leaseQuestions("icmpv6 type nd-router-solicit")}`,
		"}",
		// What would never come to the other chains, so that it is counted too: groups that nobody is in, and what leads
		// nowhere, which is most of the world.
		...chain("prerouting", "type filter hook prerouting priority filter; policy accept;", [
			// It has been answered, so it leads somewhere.
			"ct state established accept",
			`${fromGuest} ip daddr 224.0.0.0/4 counter name dropped_in drop`,
			`${fromGuest} ip6 daddr ff00::/8 icmpv6 type nd-neighbor-solicit accept`,
			`${fromGuest} ${askedTogether} jump leases`,
			`${fromGuest} ip6 daddr ff00::/8 counter name dropped_in drop`,
			`${fromGuest} ip6 daddr fe80::/10 ip6 daddr != ${bridgeLinkLocal} counter name dropped_in drop`,
			`${fromGuest} fib daddr type != { local, broadcast, multicast, anycast } fib daddr oif missing counter name dropped_forward drop`,
		]),
		...chain("input", hooked("input"), [
			'iif "lo" accept',
			// A guest that starts refuses connections until its program listens. To the front door that is to be silence:
			// HAProxy 2.6 gives up a request that was asked again when its new connection is refused, if it was not the
			// first on its client's connection. Only the answer to a first packet has sequence number 0 (RFC 9293, 3.10.7.1).
			"tcp sequence 0 tcp flags & (syn | ack | rst) == ack | rst drop",
			"meta l4proto tcp ct state established ct direction reply accept",
			// Whatever the kernel's tracking makes of it, as in `output`: an answer on a connection that a front door has.
			"meta skuid . ip saddr . tcp sport @published accept",
			`${fromGuest} icmpv6 type nd-neighbor-solicit accept`,
			// Those have been through it above, and are counted once.
			`${fromGuest} ${askedTogether} accept`,
			`${fromGuest} jump leases`,
			// What the table of names (names/rules.ts) has redirected to whoever answers this guest, and nothing else.
			`${fromGuest} ct status dnat ct mark ${asked} accept`,
			'iifname "uplink" udp sport 53 ct state established ct direction reply accept',
			"counter name dropped_in drop",
		]),
		...chain("forward", hooked("forward"), [
			// The cable to the host, where there is one: what may pass it, either way, is decided in detail by the table that
			// belongs to it, and that is there before the cable is. First, as most packets go by it.
			`${fromGuest} oifname "uplink" accept`,
			`iifname "uplink" ${toGuest} accept`,
			"meta l4proto { icmp, ipv6-icmp } ct state related jump errors",
			// What is allowed is looked up for each packet, answers too: a path that is taken away is closed for open
			// connections, both ways.
			"ct state established ct direction reply ip daddr . ip saddr . meta l4proto . th sport @allowed accept",
			"ct state established ct direction reply ip6 daddr . ip6 saddr . meta l4proto . th sport @allowed6 accept",
			// Whatever the kernel's tracking makes of it, as for the front door below.
			"ip saddr . ip daddr . meta l4proto . th dport @allowed goto among",
			"ip6 saddr . ip6 daddr . meta l4proto . th dport @allowed6 goto among",
			"meta iifname . meta oifname @open goto among",
			"counter name dropped_forward drop",
		]),
		// They name any connection, and carry what who sends them likes: of others' connections to others nobody tells.
		"chain errors {",
		"\ticmp type destination-unreachable ip saddr . ip daddr @pairs accept",
		"\ticmpv6 type { destination-unreachable, packet-too-big } ip6 saddr . ip6 daddr @pairs6 accept",
		"}",
		// By server, over IPv4 and IPv6 together: each sends under its own hardware address only.
		"chain among {",
		"\tct state != new accept",
		`\tadd @opening { ether saddr ct count over ${mostConnections} } counter name dropped_forward drop`,
		"\taccept",
		"}",
		...chain("output", hooked("output"), [
			'oif "lo" accept',
			// Later packets may have lost their socket's user: what is sent after a close, resets.
			"meta l4proto tcp ct state established ct direction original accept",
			`${begins} counter name opened`,
			`${begins} tcp sport != ${checkPorts.first}-${checkPorts.last} update @coming { ip daddr . tcp dport limit rate over ${pace.perSecond}/second burst ${pace.burst} packets } drop`,
			// Whatever the kernel's tracking makes of it. A front door that tries again thousands of times uses its ports
			// again, a guest that comes back answers old attempts first, and what is established is then taken for one that
			// is still being opened: a request on it would stay unanswered for minutes.
			"meta skuid . ip daddr . tcp dport @published accept",
			// Answers to guests' questions, and questions passed on: each by its own user only, as a captured QEMU could take the port.
			`${toGuest} ct status dnat ct mark ${asked} ct direction reply meta skuid . th sport @answering accept`,
			'oifname "uplink" meta l4proto { tcp, udp } th dport 53 meta skuid . ip daddr @upstreams accept',
			// What clients of a server that has gone are told in its name (inbound/farewell.pl), and how who came for one that
			// yields is refused (inbound/yielding-rules.ts): nobody else here may send such.
			`meta mark ${farewell} accept`,
			"tcp flags & rst == rst ct state related accept",
			"icmp type destination-unreachable ct state related accept",
			"icmpv6 type destination-unreachable ct state related accept",
			`${toGuest} icmpv6 type nd-neighbor-advert accept`,
			// Answers about addresses and routers: their sockets were opened by root (leases/), as nobody else here can.
			`${toGuest} meta skuid 0 udp sport 67 udp dport 68 accept`,
			`${toGuest} meta skuid 0 udp sport 547 udp dport 546 accept`,
			`${toGuest} meta skuid 0 icmpv6 type nd-router-advert accept`,
			// What the kernel says by itself, and nobody needs to know: which groups a bridge is in, and that guests could
			// send each other directly.
			`${toGuest} icmpv6 type { mld2-listener-report, nd-redirect } drop`,
			"counter name dropped_out drop",
		]),
	],
};

/**
 * Permits exactly this, in one transaction. The table that is there goes on, with its counters and what is established,
 * unless it was made from other rules. @throws CommandError, RangeError
 */
export async function permitExactly(
	namespace: string,
	doors: readonly Permission[],
	between: Between,
	answerers: readonly Answerer[] = [],
): Promise<void> {
	const there = await stateOf(namespace, firewall);
	if (there === "same") {
		const lines = permissionLines(doors, between, answerers, await elementsOf(namespace));
		return await transact(namespace, lines);
	}
	await transact(namespace, [...anew(firewall), ...permissionLines(doors, between, answerers)]);
}

/**
 * The lines of `nft` that bring the sets to this.
 * @param there what guests may do among each other now; what of it stays goes on counting
 * @throws RangeError for what is no permission
 */
export function permissionLines(
	doors: readonly Permission[],
	{ paths, open }: Between,
	answerers: readonly Answerer[] = [],
	there: Elements = nothing,
): string[] {
	const [four, six] = [paths.filter(({ from }) => isIPv4(from)), paths.filter(({ from }) => !isIPv4(from))];
	return [
		...setTo("published", doors.map(permission)),
		...changesOf("allowed", there, disjoint(four).map(pathText)),
		...changesOf("allowed6", there, disjoint(six).map(pathText)),
		...changesOf("open", there, open.map(segmentText)),
		...setTo("pairs", four.flatMap(bothWays)),
		...setTo("pairs6", six.flatMap(bothWays)),
		...setTo("answering", answerers.map(answering)),
		...setTo("upstreams", answerers.flatMap(upstreams)),
	];
}

function bothWays({ from, to }: Path): string[] {
	return [`${from} . ${to}`, `${to} . ${from}`];
}

const nothing: Elements = { allowed: new Map(), allowed6: new Map(), open: new Map() };

function setTo(set: string, elements: readonly string[]): string[] {
	const unique = [...new Set(elements)].sort();
	const fill = `add element inet bulkhead ${set} { ${unique.join(", ")} }`;
	return [`flush set inet bulkhead ${set}`, ...(unique.length === 0 ? [] : [fill])];
}

function permission({ uid, address, port }: Permission): string {
	if (!isIPv4(address) || !isWhole(uid, 2 ** 32 - 2) || !isWhole(port, 65_535)) {
		throw new RangeError(`not a permission: user ${uid}, ${address} port ${port}`);
	}
	return `${uid} . ${address} . ${port}`;
}

function answering({ uid, port }: Answerer): string {
	if (!isWhole(uid, 2 ** 32 - 2) || !isWhole(port, 65_535) || port === 0)
		throw new RangeError(`not one who answers: user ${uid} at port ${port}`);
	return `${uid} . ${port}`;
}

function upstreams({ uid, upstreams }: Answerer): string[] {
	return upstreams.map((address) => `${uid} . ${ipv4(address)}`);
}

function hooked(hook: string): string {
	return `type filter hook ${hook} priority filter; policy drop;`;
}

function isWhole(value: number, most: number): boolean {
	return Number.isInteger(value) && value >= 0 && value <= most;
}
