import { expect, test } from "vitest";
import type { SandboxView } from "../api/sandbox.ts";
import { sandboxLines } from "./sandbox-view.ts";

const none = { packets: 0, bytes: 0 };
const view: SandboxView = {
	server: "intranet",
	namespace: "bh-office",
	segment: "office",
	subnet: "10.77.0.0/24",
	address: "10.77.0.20",
	waysIn: [
		{
			...{ from: "lan", service: "http", protocol: "http", listen: 8080, port: 80, health: "up" },
			because: "servers.intranet.publish[0]",
		},
		{
			...{ from: "host", service: "ssh", protocol: "tcp", listen: 2222, port: 22, health: "down" },
			because: "servers.intranet.publish[1]",
		},
	],
	neighbours: ["till"],
	outbound: { policy: "deny", because: "servers.intranet says nothing of outbound, and that means deny" },
	counted: {
		opened: { packets: 12, bytes: 720 },
		...{ droppedIn: none, droppedForward: none, droppedOut: none },
		...{ spoofedMac: { packets: 3, bytes: 180 }, spoofedIp: none, spoofedArp: none, otherProtocol: none },
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
		everybody who reaches this host  intranet's http         8080  up      servers.intranet.publish[0]
		programs on this host            intranet's ssh          2222  down    servers.intranet.publish[1]
		till                             nothing of intranet                   servers of a segment are kept apart
		intranet                         nothing outside                       servers.intranet says nothing of outbound, and that means deny

		Counted, of the whole site:
		connections that front doors tried to open                12
		dropped: from guests to the sandbox's own addresses       none
		dropped: from guests to anything beyond their segment     none
		dropped: from guests with another's hardware address      3 packets, 180B
		dropped: from guests with another's IPv4 address          none
		dropped: from guests that claim another's address by ARP  none
		dropped: from guests, neither IPv4 nor ARP                none
		dropped: from processes in the sandbox that may not       none"
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
		connections that front doors tried to open                12
		dropped: from guests to the sandbox's own addresses       none
		dropped: from guests to anything beyond their segment     none
		dropped: from guests with another's hardware address      3 packets, 180B
		dropped: from guests with another's IPv4 address          none
		dropped: from guests that claim another's address by ARP  none
		dropped: from guests, neither IPv4 nor ARP                none
		dropped: from processes in the sandbox that may not       none"
	`);
});

test("a server without a network", () => {
	const alone = { namespace: null, segment: null, subnet: null, address: null, counted: null };
	expect(text({ ...view, ...alone })).toBe(
		"intranet has no network: nothing reaches it, and it reaches nothing.",
	);
});
