import { expect, test } from "vitest";
import { innerLines } from "./inner-rules.ts";
import { everything, type OutboundRule, type OutboundServer, passedCounter } from "./plan.ts";

const server = (rules: readonly OutboundRule[], more: Partial<OutboundServer> = {}): OutboundServer => ({
	...{ name: "web-1", address: "10.77.0.10", address6: "fd00:77::10", rules },
	...more,
});
const rule = (more: Partial<OutboundRule> = {}): OutboundRule => ({
	...{ to: "192.0.2.10", protocol: "tcp", ports: [[443, 443]] },
	...more,
});
const linesOf = (one: OutboundServer, known: readonly string[] = []) =>
	innerLines({ namespace: "bh-home", servers: [one] }, { chains: [], counters: known });

test("the rules of a server with some, of one with all and of one with none", async () => {
	const rules = [
		rule(),
		rule({
			to: "198.51.100.0/24",
			protocol: "udp",
			ports: [
				[53, 53],
				[8000, 8010],
			],
		}),
		rule({ to: "2001:db8::/32", protocol: "icmp", ports: [] }),
	];
	const servers = [
		server(rules),
		{ name: "updates", address: "10.77.0.11", rules: [everything] },
		{ name: "quiet", address: "10.77.0.12", rules: [] },
	];
	const known = {
		chains: ["forward", "leaving", "of.quiet", "of.gone"],
		counters: ["unasked", "dropped.gone"],
	};
	const text = innerLines({ namespace: "bh-home", servers }, known);
	await expect(`${text.join("\n")}\n`).toMatchFileSnapshot("../goldens/outbound.nft");
});

test("counters of what is not there any more are deleted, last, and no others", () => {
	const [own, other] = [rule(), rule({ to: "any" })].map((one) => passedCounter("web-1", one));
	const deleted = linesOf(server([rule()]), ["unasked", `${own}`, `${other}`]).slice(-2);
	expect(deleted[1]).toBe(`delete counter inet outbound ${other}`);
	expect(deleted[0]).not.toContain("delete");
});

test.each<[what: string, server: OutboundServer]>([
	["a name", server([rule({ to: "updates.example.com" })])],
	["words of nft", server([rule({ to: "192.0.2.1 accept; drop" })])],
	["host bits", server([rule({ to: "192.0.2.1/24" })])],
	["a zone", server([rule({ to: "fe80::1%eth0" })])],
	["port 0", server([rule({ ports: [[0, 1]] })])],
	["a range backwards", server([rule({ ports: [[2, 1]] })])],
	["half a port", server([rule({ ports: [[1.5, 2]] })])],
	["ports of ICMP", server([rule({ protocol: "icmp" })])],
	["ports of anything", server([rule({ protocol: "any" })])],
	["a server's name with a line", server([], { name: "web\nadd" })],
	["a server's address", server([], { address: "10.77.0.10 accept" })],
	["a server's IPv6 address", server([], { address6: "fd00::10 accept" })],
])("%s never comes into the rules", (_, one) => {
	expect(() => linesOf(one)).toThrow(RangeError);
});
