import { expect, test } from "vitest";
import type { InboundServer } from "../inbound/plan.ts";
import { innerLines } from "./inner-rules.ts";
import { everything, type OutboundRule, type OutboundServer, passedCounter } from "./plan.ts";

const server = (rules: readonly OutboundRule[], more: Partial<OutboundServer> = {}): OutboundServer => ({
	...{ name: "web-1", address: "10.77.0.10", address6: "fd00:77::10", rules },
	...more,
});
const host = { address: "169.254.255.0", address6: "fd62:756c:6b68::" };
const range = (protocol: "tcp" | "udp", first: number, last = first) => ({ protocol, first, last });
const rule = (more: Partial<OutboundRule> = {}): OutboundRule => ({
	...{ to: "192.0.2.10", protocol: "tcp", ports: [[443, 443]] },
	...more,
});
const linesOf = (one: OutboundServer, known: readonly string[] = []) =>
	innerLines({ namespace: "bh-home", servers: [one] }, { chains: [], counters: known, sets: [] }, host);

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
		{ name: "dc1", address: "192.168.1.20", address6: "2001:db8:1::20", rules: [], lan: "eth0" },
	];
	const inbound: InboundServer[] = [
		{
			...{ name: "dc1", address: "192.168.1.20", address6: "2001:db8:1::20" },
			ways: [
				{
					...{ service: "active-directory", to: "lan" },
					ports: [range("tcp", 389), range("udp", 389), range("tcp", 49_152, 65_535)],
				},
				{ service: "ssh", to: "host", ports: [range("tcp", 22)] },
			],
			redirects: [],
			yields: true,
		},
		{
			...{ name: "quiet", address: "10.77.0.12" },
			ways: [{ service: "everything", to: "lan", ports: "everything" }],
			redirects: [{ service: "dns", to: "lan", listen: 53, port: 5353 }],
		},
	];
	const known = {
		chains: ["forward", "leaving", "of.quiet", "of.gone"],
		counters: ["unasked", "dropped.gone"],
		sets: ["seen.gone.0123456789ab"],
	};
	const text = innerLines({ namespace: "bh-home", servers, inbound }, known, host);
	await expect(`${text.join("\n")}\n`).toMatchFileSnapshot("../goldens/outbound.nft");
});

test("of two servers with one address, as while one takes the other's place, the first has it", () => {
	const known = { chains: [], counters: [], sets: [] };
	const [old, fresh] = [server([]), server([everything], { name: "web-2" })];
	const ways = { ways: [{ service: "ssh", to: "lan", ports: [range("tcp", 22)] }], redirects: [] } as const;
	const inbound = [old, fresh].map(({ name, address, address6 }) => ({ name, address, address6, ...ways }));
	const text = innerLines({ namespace: "bh-home", servers: [old, fresh], inbound }, known, host);
	const vmaps = text.filter((line) => line.includes("vmap"));
	expect(vmaps).toHaveLength(6);
	for (const line of vmaps) expect(line).toMatch(/vmap \{ \S+ : jump \w+\.web-1 \}$/);
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
