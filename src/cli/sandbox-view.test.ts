import { expect, test } from "vitest";
import type { SandboxView } from "../api/sandbox.ts";
import { sandboxLines } from "./sandbox-view.ts";

const none = { packets: 0, bytes: 0 };
const view: SandboxView = {
	server: "intranet",
	namespace: "bh-office",
	segment: "office",
	subnet: "10.77.0.0/24",
	...{ address: "10.77.0.20", address6: null, fromServers: [], toServers: [] },
	refused: null,
	waysIn: [
		{
			...{
				from: "lan",
				service: "http",
				protocol: "http",
				listen: 8080,
				port: 80,
				through: "front-door",
				ports: ["tcp 80"],
				health: "up",
				passed: null,
			},
			because: "servers.intranet.publish[0]",
		},
		{
			...{
				from: "host",
				service: "ssh",
				protocol: "tcp",
				listen: 2222,
				port: 22,
				through: "front-door",
				ports: ["tcp 22"],
				health: "down",
				passed: null,
			},
			because: "servers.intranet.publish[1]",
		},
	],
	neighbours: ["till"],
	outbound: {
		...{ ways: [], dropped: null, obstacles: [] },
		because: "servers.intranet says nothing of outbound, and that means deny",
	},
	counted: {
		opened: { packets: 12, bytes: 720 },
		...{ droppedIn: none, droppedForward: none, droppedOut: none },
		...{ spoofedMac: { packets: 3, bytes: 180 }, spoofedIp: none, spoofedArp: none, otherProtocol: none },
		...{
			spoofedIp6: none,
			spoofedNd: none,
			rogueRouter: none,
			rogueDhcp: none,
			tagged: none,
			unneeded: none,
		},
	},
};
const text = (of: SandboxView) =>
	sandboxLines(of)
		.map((line) => line.map((part) => (typeof part === "string" ? part : part.text)).join(""))
		.map((line) => line.trimEnd())
		.join("\n");

test("a picture, the same in words, and what was counted", () => {
	expect(text(view)).toMatchInlineSnapshot(`
		"                          ┌──────────────────────┐
		     LAN   ──▶ :8080 ──▶  │ http  intranet       │
		     host  ──▶ :2222 ──▶  │ ssh   10.77.0.20     │
		 everything else  ──▶  ╳  │       segment office │
		            till  ──▶  ╳  │       10.77.0.0/24   │
		anything outside  ╳  ◀──  │                      │
		                          └──────────────────────┘

		WHO                              REACHES              ON PORT  HEALTH  BECAUSE
		everybody who reaches this host  intranet's http      8080     up      servers.intranet.publish[0]
		programs on this host            intranet's ssh       2222     down    servers.intranet.publish[1]
		till                             nothing of intranet                   servers of a segment are kept apart
		intranet                         nothing outside                       servers.intranet says nothing of outbound, and that means deny

		Counted, of the whole site:
		connections that front doors tried to open                        12
		dropped: from guests to the sandbox's own addresses               none
		dropped: from guests to other servers, or to where nothing leads  none
		dropped: from guests with another's hardware address              3 packets, 180B
		dropped: from guests with another's IPv4 address                  none
		dropped: from guests that claim another's address by ARP          none
		dropped: from guests with another's IPv6 address                  none
		dropped: from guests that claim another's address by NDP          none
		dropped: from guests that play the router                         none
		dropped: from guests that play the DHCP server                    none
		dropped: from guests, with a VLAN tag                             none
		dropped: from guests, other protocols                             none
		dropped: what IPv6 hosts ask when they begin; no offence          none
		dropped: from processes in the sandbox that may not               none"
	`);
});

test("paths between servers, ways out and what stops them", () => {
	const path = (server: string, service: string | null, port: number | null, because: string) => ({
		...({ server, service, protocol: port === null ? "any" : "tcp", port, because } as const),
		ports: [port === null ? "everything" : `tcp ${port}`],
		passed: { packets: port ?? 1, bytes: 1024 },
	});
	const way = { protocol: "tcp" as const, passed: null, because: "servers.intranet.outbound[0]" };
	const open: SandboxView = {
		...view,
		...{ waysIn: [], neighbours: [], address6: "fd00:77::20" },
		refused: null,
		fromServers: [path("till", "postgresql", 5432, "servers.intranet.allow[0]")],
		toServers: [
			path("store", null, null, "segments.office.allow"),
			path("dc", null, 9000, "servers.dc.allow[2]"),
		],
		outbound: {
			ways: [
				{
					...way,
					to: "192.0.2.0/24",
					addresses: null,
					ports: [
						[443, 443],
						[8000, 8010],
					],
					passed: { packets: 7, bytes: 2048 },
				},
				{ ...way, to: "any", addresses: null, protocol: "any", ports: [] },
			],
			dropped: { packets: 2, bytes: 120 },
			obstacles: [{ found: "this host does not route IPv4", mend: "sysctl -w net.ipv4.ip_forward=1" }],
			because: "servers.intranet.outbound is a list of rules",
		},
	};
	expect(text(open)).toMatchInlineSnapshot(`
		"                                      ┌────────────────────────────┐
		                           till  ──▶  │ postgresql  intranet       │
		             everything else  ──▶  ╳  │             10.77.0.20     │
		             store's everything  ◀──  │             fd00:77::20    │
		                  dc's tcp 9000  ◀──  │             segment office │
		192.0.2.0/24 tcp 443, 8000-8010  ◀──  │             10.77.0.0/24   │
		             everything outside  ◀──  │                            │
		       anything else outside  ╳  ◀──  │                            │
		                                      └────────────────────────────┘

		WHO       REACHES                          ON PORT  HEALTH     BECAUSE
		till      intranet's postgresql            5432                servers.intranet.allow[0]
		intranet  store's everything                                   segments.office.allow
		intranet  dc's tcp 9000                    9000                servers.dc.allow[2]
		intranet  192.0.2.0/24 tcp 443, 8000-8010           see below  servers.intranet.outbound[0]
		intranet  everything outside                        see below  servers.intranet.outbound[0]
		intranet  nothing else outside                                 servers.intranet.outbound is a list of rules

		What of this host's settings stops what intranet may reach outside, or what reaches it from there:
		  this host does not route IPv4
		  sysctl -w net.ipv4.ip_forward=1

		Counted, of intranet:
		till to intranet's postgresql, and back          5432 packets, 1KiB
		intranet to dc's tcp 9000, and back              9000 packets, 1KiB
		all servers of segment office to each other      1 packets, 1KiB
		intranet to 192.0.2.0/24 tcp 443, 8000-8010      7 packets, 2KiB
		intranet to everything outside                   nothing yet
		dropped: from intranet to anything else outside  2 packets, 120B

		Counted, of the whole site:
		connections that front doors tried to open                        12
		dropped: from guests to the sandbox's own addresses               none
		dropped: from guests to other servers, or to where nothing leads  none
		dropped: from guests with another's hardware address              3 packets, 180B
		dropped: from guests with another's IPv4 address                  none
		dropped: from guests that claim another's address by ARP          none
		dropped: from guests with another's IPv6 address                  none
		dropped: from guests that claim another's address by NDP          none
		dropped: from guests that play the router                         none
		dropped: from guests that play the DHCP server                    none
		dropped: from guests, with a VLAN tag                             none
		dropped: from guests, other protocols                             none
		dropped: what IPv6 hosts ask when they begin; no offence          none
		dropped: from processes in the sandbox that may not               none"
	`);
});

test("a server that publishes nothing is reached by nobody", () => {
	expect(text({ ...view, waysIn: [], neighbours: [] })).toMatchInlineSnapshot(`
		"                          ┌────────────────┐
		 everything else  ──▶  ╳  │ intranet       │
		anything outside  ╳  ◀──  │ 10.77.0.20     │
		                          │ segment office │
		                          │ 10.77.0.0/24   │
		                          └────────────────┘

		WHO       REACHES          ON PORT  HEALTH  BECAUSE
		nobody    intranet                          servers.intranet publishes nothing
		intranet  nothing outside                   servers.intranet says nothing of outbound, and that means deny

		Counted, of the whole site:
		connections that front doors tried to open                        12
		dropped: from guests to the sandbox's own addresses               none
		dropped: from guests to other servers, or to where nothing leads  none
		dropped: from guests with another's hardware address              3 packets, 180B
		dropped: from guests with another's IPv4 address                  none
		dropped: from guests that claim another's address by ARP          none
		dropped: from guests with another's IPv6 address                  none
		dropped: from guests that claim another's address by NDP          none
		dropped: from guests that play the router                         none
		dropped: from guests that play the DHCP server                    none
		dropped: from guests, with a VLAN tag                             none
		dropped: from guests, other protocols                             none
		dropped: what IPv6 hosts ask when they begin; no offence          none
		dropped: from processes in the sandbox that may not               none"
	`);
});

test("a server without a network", () => {
	const alone = { namespace: null, segment: null, subnet: null, address: null, counted: null };
	expect(text({ ...view, ...alone })).toBe(
		"intranet has no network: nothing reaches it, and it reaches nothing.",
	);
});

test("what is counted of two services with one name is told apart by their ports, and what nobody asks is unchecked", () => {
	const [way] = view.waysIn;
	if (!way) throw new Error("the view has ways in");
	const app = (port: number, passed: number) => ({
		...way,
		...{ service: "app", through: "address" as const, listen: null, port, ports: [`tcp ${port}`] },
		...{ health: "unchecked" as const, passed: { packets: passed, bytes: 100 } },
	});
	const path = (port: number) => ({
		...{ server: "till", service: "pay", protocol: "tcp" as const, port, ports: [`tcp ${port}`] },
		...{ passed: { packets: 3, bytes: 100 }, because: "" },
	});
	const lines = text({ ...view, waysIn: [app(9000, 1), app(9001, 2)], fromServers: [path(1), path(2)] });
	expect(lines).toMatch(/intranet's app +tcp 9000 +unchecked/);
	expect(lines).toMatch(/the LAN to intranet's app \(tcp 9000\) +1 packets/);
	expect(lines).toMatch(/the LAN to intranet's app \(tcp 9001\) +2 packets/);
	expect(lines).toMatch(/till to intranet's pay \(tcp 2\), and back +3 packets/);
	const alone = text({ ...view, waysIn: [app(9000, 1)], fromServers: [path(1)] });
	expect(alone).toMatch(/the LAN to intranet's app +1 packets/);
	expect(alone).toMatch(/till to intranet's pay, and back +3 packets/);
});
